//! What a document asks for, counted before it is validated. Each definition is walked once: what
//! a fragment holds is remembered, and added up wherever it is spread. So the work is linear in
//! the text, however spreads multiply.

use std::collections::HashMap;

use apollo_compiler::{
    Node,
    ast::{Definition, Document, FragmentDefinition, Selection},
};

use super::limits::DocumentLimits;

/// What a set of selections holds, after its fragments are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    fields: usize,
    aliases: usize,
    /// How deep fields nest.
    depth: usize,
    /// How deep selections nest, fragments included.
    levels: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.depth = self.depth.max(other.depth);
        self.levels = self.levels.max(other.levels);
    }
}

/// Counts a document. Answers with the steps that it took: one a definition and a selection.
///
/// # Errors
/// With a sentence for the client, when it asks for too much.
pub fn count(document: &Document, limits: &DocumentLimits) -> Result<usize, String> {
    let most = limits.definitions;
    if document.definitions.len() > most {
        return Err(format!("The document has more than {most} operations and fragments."));
    }
    let mut count = Count {
        limits,
        fragments: HashMap::new(),
        known: HashMap::new(),
        spreads: 0,
        steps: document.definitions.len(),
    };
    for definition in &document.definitions {
        if let Definition::FragmentDefinition(fragment) = definition {
            count.fragments.insert(&fragment.name, fragment);
        }
    }
    let mut total = Size::default();
    for definition in &document.definitions {
        let size = match definition {
            Definition::OperationDefinition(operation) => {
                count.directives(operation.directives.len())?;
                count.size(&operation.selection_set, 0)?
            }
            Definition::FragmentDefinition(fragment) => {
                count.directives(fragment.directives.len())?;
                // Of two with one name, which validation refuses, each is walked.
                let is_known = count.fragments.get(fragment.name.as_str());
                match is_known.is_some_and(|known| known.ptr_eq(fragment)) {
                    true => count.fragment(&fragment.name, 0)?,
                    false => count.size(&fragment.selection_set, 0)?,
                };
                continue;
            }
            _ => continue,
        };
        total.add(size);
        count.check(total)?;
    }
    Ok(count.steps)
}

struct Count<'a> {
    limits: &'a DocumentLimits,
    fragments: HashMap<&'a str, &'a Node<FragmentDefinition>>,
    /// What is counted already; `None` while it is being counted.
    known: HashMap<&'a str, Option<Size>>,
    spreads: usize,
    steps: usize,
}

impl<'a> Count<'a> {
    fn size(&mut self, set: &'a [Selection], level: usize) -> Result<Size, String> {
        self.check_level(level)?;
        let mut size = Size::default();
        for selection in set {
            self.steps += 1;
            let (directives, more) = match selection {
                Selection::Field(field) => {
                    let inner = self.size(&field.selection_set, level + 1)?;
                    let more = Size {
                        fields: inner.fields.saturating_add(1),
                        aliases: inner.aliases.saturating_add(field.alias.is_some().into()),
                        depth: inner.depth + 1,
                        levels: inner.levels + 1,
                    };
                    (field.directives.len(), more)
                }
                Selection::InlineFragment(inline) => {
                    let mut more = self.size(&inline.selection_set, level + 1)?;
                    more.levels += 1;
                    (inline.directives.len(), more)
                }
                Selection::FragmentSpread(spread) => {
                    self.spreads += 1;
                    if self.spreads > self.limits.spreads {
                        let most = self.limits.spreads;
                        return Err(format!("The document spreads fragments over {most} times."));
                    }
                    let more = self.fragment(&spread.fragment_name, level + 1)?;
                    (spread.directives.len(), more)
                }
            };
            self.directives(directives)?;
            size.add(more);
            self.check(size)?;
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a str, level: usize) -> Result<Size, String> {
        match self.known.get(name) {
            Some(Some(size)) => {
                self.check_level(level + size.levels)?;
                return Ok(*size);
            }
            Some(None) => return Err(format!("The fragment {name} spreads itself.")),
            None => {}
        }
        // One that does not exist is refused by validation.
        let Some(fragment) = self.fragments.get(name).copied() else {
            return Ok(Size::default());
        };
        self.known.insert(name, None);
        let mut size = self.size(&fragment.selection_set, level)?;
        size.levels += 1;
        self.known.insert(name, Some(size));
        Ok(size)
    }

    fn directives(&self, directives: usize) -> Result<(), String> {
        let most = self.limits.directives;
        if directives > most {
            return Err(format!("More than {most} directives stand in one place."));
        }
        Ok(())
    }

    fn check_level(&self, level: usize) -> Result<(), String> {
        let most = self.limits.nesting;
        if level > most {
            return Err(format!("The document nests deeper than {most} selections."));
        }
        Ok(())
    }

    fn check(&self, size: Size) -> Result<(), String> {
        let DocumentLimits { fields, aliases, depth, .. } = self.limits;
        if size.fields > *fields {
            return Err(format!("The document asks for more than {fields} fields."));
        }
        if size.aliases > *aliases {
            return Err(format!("The document has more than {aliases} aliases."));
        }
        if size.depth > *depth {
            return Err(format!("The document nests fields deeper than {depth}."));
        }
        Ok(())
    }
}
