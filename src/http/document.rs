//! What a document may look like, checked before it is validated: the schema library's own limits
//! do not count aliases, `__typename`, or what fragments multiply.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::{
        parse_query,
        types::{
            DocumentOperations, ExecutableDocument, FragmentDefinition, OperationDefinition,
            Selection, SelectionSet,
        },
    },
};

/// How much a document may ask for.
#[derive(Debug, Clone, Copy)]
pub struct DocumentLimits {
    /// Aliases, each counted where it stands.
    pub aliases: usize,
    /// Fields, after fragments are spread.
    pub fields: usize,
}

/// How deep brackets may nest: the parser recurses, and a stack is finite.
const NESTING: usize = 64;

/// Parses a document within its limits.
///
/// # Errors
/// With a sentence for the client.
pub fn parse(text: &str, limits: DocumentLimits) -> Result<ExecutableDocument, String> {
    if nesting(text) > NESTING {
        return Err(format!("The document nests deeper than {NESTING} brackets."));
    }
    let document = parse_query(text).map_err(|error| error.to_string())?;
    let mut count = Count { fragments: &document.fragments, known: HashMap::new(), aliases: 0 };
    let mut fields = 0_usize;
    for (_, operation) in document.operations.iter() {
        fields = fields.saturating_add(count.fields(&operation.node.selection_set.node, 0));
    }
    for fragment in document.fragments.values() {
        count.aliases_in(&fragment.node.selection_set.node);
    }
    for (_, operation) in document.operations.iter() {
        count.aliases_in(&operation.node.selection_set.node);
    }
    if count.aliases > limits.aliases {
        return Err(format!("The document has more than {} aliases.", limits.aliases));
    }
    if fields > limits.fields {
        return Err(format!("The document asks for more than {} fields.", limits.fields));
    }
    Ok(document)
}

/// The operation that is meant, if it is clear.
pub fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name).map(|o| &o.node),
        (DocumentOperations::Multiple(all), None) => {
            let mut all = all.values();
            all.next().filter(|_| all.next().is_none()).map(|operation| &operation.node)
        }
    }
}

/// The deepest nesting of brackets outside of strings and comments.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = match c {
            '{' | '[' | '(' => {
                depth += 1;
                deepest = deepest.max(depth);
                1
            }
            '}' | ']' | ')' => {
                depth = depth.saturating_sub(1);
                1
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' if rest.starts_with("\"\"\"") => block_string(rest),
            '"' => string(rest),
            other => other.len_utf8(),
        };
        rest = rest.get(skip..).unwrap_or_default();
    }
    deepest
}

/// How long the string is that `text` begins with, quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return at + 1,
            '\n' => return at,
            _ => escaped = false,
        }
    }
    text.len()
}

/// How long the block string is that `text` begins with, quotes included.
fn block_string(text: &str) -> usize {
    let mut from = 3;
    while let Some(end) = text.get(from..).and_then(|rest| rest.find("\"\"\"")) {
        let end = from + end;
        if !text[..end].ends_with('\\') {
            return end + 3;
        }
        from = end + 3;
    }
    text.len()
}

struct Count<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// The fields of fragments that are counted already; one being counted holds 0, so that a
    /// cycle (which validation refuses) ends.
    known: HashMap<&'a Name, usize>,
    aliases: usize,
}

impl<'a> Count<'a> {
    fn fields(&mut self, set: &'a SelectionSet, depth: usize) -> usize {
        if depth > NESTING {
            return usize::MAX;
        }
        let mut sum = 0_usize;
        for item in &set.items {
            let more = match &item.node {
                Selection::Field(field) => {
                    1_usize.saturating_add(self.fields(&field.node.selection_set.node, depth + 1))
                }
                Selection::InlineFragment(inline) => {
                    self.fields(&inline.node.selection_set.node, depth + 1)
                }
                Selection::FragmentSpread(spread) => {
                    self.spread(&spread.node.fragment_name.node, depth)
                }
            };
            sum = sum.saturating_add(more);
        }
        sum
    }

    fn spread(&mut self, name: &Name, depth: usize) -> usize {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return 0;
        };
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        self.known.insert(name, 0);
        let fields = self.fields(&fragment.node.selection_set.node, depth + 1);
        self.known.insert(name, fields);
        fields
    }

    fn aliases_in(&mut self, set: &SelectionSet) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.node.alias.is_some());
                    self.aliases_in(&field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => {
                    self.aliases_in(&inline.node.selection_set.node);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::OperationType;

    use super::*;

    const LIMITS: DocumentLimits = DocumentLimits { aliases: 3, fields: 50 };

    #[test]
    fn what_multiplies_is_counted_as_often_as_it_is_spread() {
        let mut bomb = "{...f0} fragment f9 on Query {a b}".to_owned();
        for n in 0..9 {
            let next = n + 1;
            bomb += &format!(" fragment f{n} on Query {{...f{next} ...f{next}}}");
        }
        assert!(parse(&bomb, LIMITS).is_err());
        assert!(parse("{...a} fragment a on Query {b ...a}", LIMITS).is_ok());
        assert!(parse(&format!("{{{}}}", "a ".repeat(51)), LIMITS).is_err());
        assert!(parse("{a: x b: x c: x d: x}", LIMITS).is_err());
        assert!(parse("{a: x b: x c: x}", LIMITS).is_ok());
    }

    #[test]
    fn depth_is_bounded_before_the_parser_recurses() {
        let deep = |n: usize| format!("{}a{}", "{a".repeat(n), "}".repeat(n));
        assert!(parse(&deep(40), LIMITS).is_ok());
        assert!(parse(&deep(30_000), LIMITS).is_err());
        assert!(parse(&format!("{{a(b: {}1)}}", "[".repeat(30_000)), LIMITS).is_err());
        let quoted =
            format!("{{a(b: \"{0}\\\"{0}\", c: \"\"\"{0}\"\"\") # {0}\n}}", "{".repeat(99));
        assert!(parse(&quoted, LIMITS).is_ok());
    }

    #[test]
    fn the_operation_meant_must_be_clear() {
        let document = parse("query a {x} mutation b {y}", LIMITS).unwrap();
        let kind = |name| operation(&document, name).map(|operation| operation.ty);
        assert_eq!(kind(Some("b")), Some(OperationType::Mutation));
        assert_eq!(kind(Some("c")), None);
        assert_eq!(kind(None), None);
    }
}
