//! Rust sources as the tidy tests read them: as tokens, so that comments and texts are no code, and
//! macros are code like any other.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// Its path from the repository's root.
    pub path: String,
    /// As it is.
    pub text: String,
    /// All of its code.
    pub code: Vec<Token>,
    /// The same without what `#[cfg(test)]` guards; nothing of a `tests.rs`.
    pub shipped: Vec<Token>,
}

/// A word, a literal, a sign (`::` is one), or one side of a pair of brackets.
#[derive(Debug)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path in code: its names, and where it is from a `use`, whether that hands it on.
#[derive(Debug)]
pub struct Named {
    pub path: Vec<String>,
    /// The name that a `use` gives it.
    pub imported: Option<String>,
    pub is_public: bool,
}

/// Every Rust file under these folders of the repository.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut paths);
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        Source::new(path.strip_prefix(root).unwrap().display().to_string(), text)
    };
    let found: Vec<_> = paths.iter().map(read).collect();
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            paths.push(path);
        }
    }
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let stream = TokenStream::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (mut code, mut shipped) = (Vec::new(), Vec::new());
        flatten(stream.clone(), true, &mut code);
        if !path.ends_with("/tests.rs") {
            flatten(stream, false, &mut shipped);
        }
        Self { path, text, code, shipped }
    }

    /// Its module's path below the crate's root: `src/store/tx.rs` is `["store", "tx"]`.
    pub fn module(&self) -> Vec<&str> {
        let inside = self.path.split_once("src/").map_or("", |(_, rest)| rest);
        let parts = inside.trim_end_matches(".rs").split('/');
        parts.filter(|part| !matches!(*part, "mod" | "lib")).collect()
    }

    /// Every path that the shipped code names, those in lists of `use` and in texts of attributes
    /// too, as they are written.
    pub fn named(&self) -> Vec<Named> {
        let (tokens, mut named, mut at) = (&self.shipped, Vec::new(), 0);
        while let Some(token) = tokens.get(at) {
            if is(tokens, at, &["use"]) && tokens.get(at + 1).is_some_and(Token::is_word) {
                let is_public = at > 0 && ["pub", ")"].contains(&tokens[at - 1].text.as_str());
                at = imports(tokens, at + 1, &[], is_public, &mut named);
                continue;
            }
            if let Some(path) = token.text.strip_prefix("\"crate::") {
                let path = path.trim_end_matches('"').split("::");
                let path = ["crate"].into_iter().chain(path).map(str::to_owned).collect();
                named.push(Named { path, imported: None, is_public: false });
            } else if token.is_word() {
                let mut path = vec![token.text.clone()];
                while is(tokens, at + 1, &["::"]) && tokens.get(at + 2).is_some_and(Token::is_word)
                {
                    path.push(tokens[at + 2].text.clone());
                    at += 2;
                }
                named.push(Named { path, imported: None, is_public: false });
            }
            at += 1;
        }
        named
    }

    /// Where each function begins and ends, by line.
    pub fn functions(&self) -> Vec<(usize, usize)> {
        let starts = places(&self.code, &["fn"]).into_iter();
        let named = starts.filter(|at| self.code.get(at + 1).is_some_and(Token::is_word));
        let lines = named
            .filter_map(|at| Some((self.code[at].line, self.code[body_end(&self.code, at)?].line)));
        lines.collect()
    }
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// Whether these tokens stand at that place.
pub fn is(tokens: &[Token], at: usize, texts: &[&str]) -> bool {
    let there = tokens.get(at..).unwrap_or_default();
    there.len() >= texts.len() && there.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// Where these tokens stand, one after another.
pub fn places(tokens: &[Token], texts: &[&str]) -> Vec<usize> {
    (0..tokens.len()).filter(|at| is(tokens, *at, texts)).collect()
}

/// What a tree of a `use` names from `at` on; returns where it ends.
fn imports(
    tokens: &[Token],
    mut at: usize,
    under: &[String],
    is_public: bool,
    named: &mut Vec<Named>,
) -> usize {
    let mut path = under.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => {}
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = imports(tokens, at, &path, is_public, named);
                    at += usize::from(is(tokens, at, &[","]));
                }
                return at + 1;
            }
            _ if token.is_word() || token.text == "*" => path.push(token.text.clone()),
            _ => break,
        }
        at += 1;
        if is(tokens, at, &["as"]) {
            break;
        }
    }
    path.retain(|name| name != "self" || under.is_empty());
    let mut imported = path.last().cloned();
    if is(tokens, at, &["as"]) {
        imported = Some(tokens[at + 1].text.clone());
        at += 2;
    }
    named.push(Named { path, imported, is_public });
    at
}

/// Where the block ends that the function at `at` has, if it has one.
fn body_end(tokens: &[Token], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            ";" if depth == 0 => return None,
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 && token.text == "}" {
            return Some(place);
        }
    }
    None
}

fn flatten(stream: TokenStream, with_tests: bool, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Punct(sign) if sign.as_char() == '#' && !with_tests => {
                let guard =
                    trees.next_if(|tree| tree.to_string().replace(' ', "") == "[cfg(test)]");
                let ends = |tree: &TokenTree| match tree {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    TokenTree::Punct(sign) => sign.as_char() == ';',
                    _ => false,
                };
                if guard.is_some() {
                    trees.by_ref().find(ends);
                }
            }
            TokenTree::Punct(sign) if sign.as_char() == ':' && sign.spacing() == Spacing::Joint => {
                trees.next();
                tokens.push(Token { text: "::".to_owned(), line });
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), with_tests, tokens);
                let line = group.span_close().start().line;
                tokens.push(Token { text: close.to_owned(), line });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}
