//! A subscription has exactly one root field, by the specification. The schema library takes
//! several, and ends the stream of one that stands in a fragment: so the root is flattened here.

use std::collections::HashSet;

use async_graphql::{
    Name, Positioned,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, OperationType, Selection, SelectionSet,
    },
};

/// Puts each subscription's root field where the library finds it.
///
/// # Errors
/// With a sentence for the client, when there is not exactly one.
pub fn flatten(document: &mut ExecutableDocument) -> Result<(), String> {
    let fragments = &document.fragments;
    let body = |name: &str| fragments.get(name).map(|f| &f.node.selection_set.node);
    let mut opened = HashSet::new();
    let operations = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(all) => all.values_mut().collect(),
    };
    for operation in operations {
        if operation.node.ty != OperationType::Subscription {
            continue;
        }
        let root = &mut operation.node.selection_set.node;
        let mut found = Found { fields: Vec::new(), opened: HashSet::new() };
        found.collect(root, &body, 0);
        let [field] = found.fields.as_slice() else {
            return Err("A subscription has exactly one root field.".to_owned());
        };
        opened.extend(found.opened);
        root.items = vec![Positioned::new(Selection::Field(field.clone()), field.pos)];
    }
    // What only the roots used would now be refused as unused.
    let mut used = HashSet::new();
    for (_, operation) in document.operations.iter() {
        spreads(&operation.node.selection_set.node, &mut used);
    }
    for fragment in document.fragments.values() {
        spreads(&fragment.node.selection_set.node, &mut used);
    }
    document.fragments.retain(|name, _| !opened.contains(name) || used.contains(name));
    Ok(())
}

/// How deep fragments at the root may nest: more is a cycle.
const FRAGMENTS: usize = 16;

/// The root's fields, and the fragments that were opened to find them.
struct Found {
    fields: Vec<Positioned<Field>>,
    opened: HashSet<Name>,
}

impl Found {
    fn collect<'a>(
        &mut self,
        set: &SelectionSet,
        body: &impl Fn(&str) -> Option<&'a SelectionSet>,
        depth: usize,
    ) {
        if depth > FRAGMENTS || self.fields.len() > 1 {
            return;
        }
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => self.fields.push(field.clone()),
                Selection::InlineFragment(inline) => {
                    self.collect(&inline.node.selection_set.node, body, depth + 1);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    // Once each: spread again it brings nothing new, and a cycle of spreads would
                    // be walked as often as its spreads multiply.
                    if let Some(set) = body(name)
                        && self.opened.insert(name.clone())
                    {
                        self.collect(set, body, depth + 1);
                    }
                }
            }
        }
    }
}

fn spreads(set: &SelectionSet, used: &mut HashSet<Name>) {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => spreads(&field.node.selection_set.node, used),
            Selection::InlineFragment(inline) => {
                spreads(&inline.node.selection_set.node, used);
            }
            Selection::FragmentSpread(spread) => {
                used.insert(spread.node.fragment_name.node.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn each_fragment_is_walked_once_however_its_spreads_multiply() {
        let spreads = "...f ".repeat(6);
        let cycle = format!("subscription{{...f}} fragment f on Subscription{{{spreads}}}");
        let mut chain = "subscription{...f0}".to_owned();
        for n in 0..15 {
            let spreads = format!("...f{} ", n + 1).repeat(10);
            chain += &format!(" fragment f{n} on Subscription{{{spreads}}}");
        }
        chain += " fragment f15 on Subscription{a}";
        // Walked as often as they multiply, neither would ever end.
        assert!(flatten(&mut parse_query(cycle).unwrap()).is_err());
        assert!(flatten(&mut parse_query(chain).unwrap()).is_ok());
    }

    #[test]
    fn a_subscription_has_one_root_field_wherever_it_stands() {
        for (text, fits) in [
            ("subscription {a {b c}}", true),
            ("subscription {...f} fragment f on Subscription {a {b}}", true),
            ("subscription {... on Subscription {a}}", true),
            ("subscription {a b}", false),
            ("subscription {a ...f} fragment f on Subscription {b}", false),
            ("subscription {...f} fragment f on Subscription {...f}", false),
            ("subscription {...f ...f} fragment f on Subscription {a}", true),
            ("query {a b}", true),
        ] {
            let mut document = parse_query(text).unwrap();
            assert_eq!(flatten(&mut document).is_ok(), fits, "{text}");
        }
    }
}
