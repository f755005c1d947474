//! Rust sources as the tidy tests read them: where each lies, and its code alone, with comments,
//! texts and tests blanked out so that what is found is code.

use std::path::{Path, PathBuf};

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// Its path from the repository's root.
    pub path: String,
    /// As it is.
    pub text: String,
    /// With comments and the insides of texts blanked out; lines stay where they are.
    pub code: String,
    /// The same, with what `#[cfg(test)]` guards blanked out too; a `tests.rs` is all of it.
    pub shipped: String,
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
        let code = blanked(&text);
        Source {
            path: path.strip_prefix(root).unwrap().display().to_string(),
            shipped: if path.ends_with("tests.rs") { String::new() } else { without_tests(&code) },
            text,
            code,
        }
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
    /// Its module's path below the crate's root: `src/store/tx.rs` is `["store", "tx"]`.
    pub fn module(&self) -> Vec<&str> {
        let inside = self.path.split_once("src/").map_or("", |(_, rest)| rest);
        let parts = inside.trim_end_matches(".rs").split('/');
        parts.filter(|part| !matches!(*part, "mod" | "lib")).collect()
    }

    /// The line on which the byte at `place` stands, from 1.
    pub fn line_of(&self, place: usize) -> usize {
        1 + self.text[..place].matches('\n').count()
    }
}

/// Whether `code` has a word's border at `place`.
fn is_border(code: &str, place: usize) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let before = code[..place].chars().next_back().is_some_and(word);
    let after = code[place..].chars().next().is_some_and(word);
    before != after
}

/// Where `word` stands in `code` as a whole word.
pub fn places(code: &str, word: &str) -> Vec<usize> {
    code.match_indices(word)
        .map(|(place, _)| place)
        .filter(|place| is_border(code, *place))
        .collect()
}

/// The names that paths in `code` begin with right after `root::`, in lists of `use` too:
/// `sea_orm::{DbErr, sqlx::Error}` names `DbErr` and `sqlx`.
pub fn named_after<'a>(code: &'a str, root: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for place in places(code, root) {
        let Some(rest) = code[place + root.len()..].strip_prefix("::") else {
            continue;
        };
        let Some(list) = rest.strip_prefix('{') else {
            names.push(first_word(rest));
            continue;
        };
        let (mut depth, mut from) = (0_usize, 0);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    names.push(first_word(list[from..at].trim_start()));
                    from = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Where the block ends that the first `{` from `place` on opens; `None` when a `;` comes first.
pub fn block_end(code: &str, place: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code[place..].char_indices() {
        match c {
            ';' if depth == 0 => return None,
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 && c == '}' {
                    return Some(place + at);
                }
            }
            _ => {}
        }
    }
    None
}

fn without_tests(code: &str) -> String {
    const GUARD: &str = "#[cfg(test)]";
    let mut shipped = code.to_owned();
    while let Some(from) = shipped.find(GUARD) {
        let body = from + GUARD.len();
        let end = block_end(&shipped, body)
            .or_else(|| shipped[body..].find(';').map(|at| body + at))
            .unwrap_or(shipped.len() - 1);
        shipped = blank(&shipped, from, end + 1);
    }
    shipped
}

/// `text` with blanks for what stands in `from..to`, line breaks aside; its length stays.
fn blank(text: &str, from: usize, to: usize) -> String {
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..from]);
    for c in text[from..to].chars() {
        out.extend(std::iter::repeat_n(' ', if c == '\n' { 0 } else { c.len_utf8() }));
        if c == '\n' {
            out.push('\n');
        }
    }
    out.push_str(&text[to..]);
    out
}

/// `text` with comments and the insides of texts and characters blanked out.
pub fn blanked(text: &str) -> String {
    let mut out = text.to_owned();
    let mut place = 0;
    while place < text.len() {
        let rest = &text[place..];
        let (skip, hide) = match rest.as_bytes()[0] {
            b'/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), true),
            b'/' if rest.starts_with("/*") => (comment(rest), true),
            b'"' => (quoted(rest), true),
            b'r' if is_border(text, place) && raw(rest) > 0 => (raw(rest), true),
            b'\'' if character(rest) > 0 => (character(rest), true),
            _ => (rest.chars().next().map_or(1, char::len_utf8), false),
        };
        if hide {
            out = blank(&out, place, place + skip);
        }
        place += skip;
    }
    out
}

fn comment(text: &str) -> usize {
    let (mut depth, mut place) = (0_usize, 0);
    while place < text.len() {
        if text[place..].starts_with("/*") {
            (depth, place) = (depth + 1, place + 2);
        } else if text[place..].starts_with("*/") {
            (depth, place) = (depth - 1, place + 2);
            if depth == 0 {
                return place;
            }
        } else {
            place += text[place..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// How long the raw text is that `text` begins with; 0 when it begins with none.
fn raw(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if text.as_bytes().get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let (open, close) = (2 + hashes, format!("\"{}", "#".repeat(hashes)));
    let end = text[open..].find(&close);
    end.map_or(text.len(), |at| open + at + close.len())
}

/// How long the character is that `text` begins with; 0 when it begins with a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => text[2..].find('\'').map_or(0, |at| {
            // An escaped quote is not the end.
            if at == 0 { 4 } else { at + 3 }
        }),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}
