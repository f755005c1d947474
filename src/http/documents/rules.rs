//! Rules of our own for documents that are valid: introspection may be off, and its lists may not
//! nest deep; and literals of our own scalars must be of their form. Each definition is walked
//! once.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Node, Schema,
    ast::{Argument, InputValueDefinition, Value},
    executable::{Selection, SelectionSet},
};

use super::{convert, input, limits::DocumentLimits};

/// The lists of introspection that lead from types to more types.
const LISTS: [&str; 4] = ["fields", "interfaces", "possibleTypes", "inputFields"];

/// Checks a valid document.
///
/// # Errors
/// With a sentence for the client.
pub fn check(
    schema: &Schema,
    document: &ExecutableDocument,
    limits: &DocumentLimits,
) -> Result<(), String> {
    let mut rules = Rules { schema, document, limits, lists: HashMap::new() };
    for operation in document.operations.iter() {
        rules.lists(&operation.selection_set)?;
    }
    Ok(())
}

struct Rules<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    limits: &'a DocumentLimits,
    /// How many lists nest in each fragment that is walked already.
    lists: HashMap<&'a str, usize>,
}

impl<'a> Rules<'a> {
    /// How many lists of introspection nest in a set, at most.
    fn lists(&mut self, set: &'a SelectionSet) -> Result<usize, String> {
        let mut most = 0;
        for selection in &set.selections {
            let nested = match selection {
                Selection::Field(field) => {
                    let name = field.name.as_str();
                    if matches!(name, "__schema" | "__type") && !self.limits.introspection {
                        return Err("Introspection is off.".to_owned());
                    }
                    self.literals(&field.arguments, &field.definition.arguments)?;
                    let is_list = set.ty.starts_with("__") && LISTS.contains(&name);
                    self.lists(&field.selection_set)? + usize::from(is_list)
                }
                Selection::InlineFragment(inline) => self.lists(&inline.selection_set)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name)?,
            };
            if nested >= self.limits.introspection_lists {
                return Err("Lists of introspection nest too deep.".to_owned());
            }
            most = most.max(nested);
        }
        Ok(most)
    }

    fn fragment(&mut self, name: &str) -> Result<usize, String> {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(0);
        };
        if let Some(known) = self.lists.get(name.as_str()) {
            return Ok(*known);
        }
        let lists = self.lists(&fragment.selection_set)?;
        self.lists.insert(name, lists);
        Ok(lists)
    }

    fn literals(
        &self,
        given: &[Node<Argument>],
        known: &[Node<InputValueDefinition>],
    ) -> Result<(), String> {
        for argument in given {
            let Some(of) = known.iter().find(|known| known.name == argument.name) else {
                continue;
            };
            if has_variable(&argument.value) {
                continue;
            }
            let Some(value) = convert::constant(&argument.value) else { continue };
            input::check(self.schema, &of.ty, &value).map_err(|misfit| {
                let path: Vec<_> =
                    [argument.name.to_string()].into_iter().chain(misfit.path).collect();
                format!("Invalid value for argument \"{}\": {}.", path.join("."), misfit.what)
            })?;
        }
        Ok(())
    }
}

/// Whether a variable stands in a value: then its type is checked at each run.
fn has_variable(value: &Value) -> bool {
    match value {
        Value::Variable(_) => true,
        Value::List(values) => values.iter().any(|value| has_variable(value)),
        Value::Object(fields) => fields.iter().any(|(_, value)| has_variable(value)),
        _ => false,
    }
}
