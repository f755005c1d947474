//! Variables as an operation declares them: what it has defaults for is filled in, what it needs
//! must be there, and what it does not know is left out.

use async_graphql::{
    Name, Positioned, Value as ConstValue, Variables,
    parser::types::{
        Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet,
        VariableDefinition,
    },
};
use async_graphql_value::Value;

/// The variables of an operation, of those that were given. A null that was given stays.
///
/// # Errors
/// With a sentence for the client, when one that must have a value has none.
pub fn complete(
    declared: &[Positioned<VariableDefinition>],
    mut given: Variables,
) -> Result<Variables, String> {
    let mut variables = Variables::default();
    for definition in declared {
        let VariableDefinition { name, var_type, default_value, .. } = &definition.node;
        let default = || default_value.as_ref().map(|value| value.node.clone());
        let value = given.remove(&name.node).or_else(default);
        if !var_type.node.nullable && matches!(value, None | Some(ConstValue::Null)) {
            let (name, of) = (&name.node, &var_type.node);
            return Err(format!("Variable ${name} of type {of} needs a value."));
        }
        if let Some(value) = value {
            variables.insert(name.node.clone(), value);
        }
    }
    Ok(variables)
}

/// How often a variable is used by an operation and by the document's fragments.
pub fn uses(document: &ExecutableDocument, operation: &OperationDefinition, name: &Name) -> usize {
    let fragments = document.fragments.values().map(|fragment| {
        let fragment = &fragment.node;
        in_directives(&fragment.directives, name) + in_set(&fragment.selection_set.node, name)
    });
    in_directives(&operation.directives, name)
        + in_set(&operation.selection_set.node, name)
        + fragments.sum::<usize>()
}

fn in_set(set: &SelectionSet, name: &Name) -> usize {
    let of = |selection: &Positioned<Selection>| match &selection.node {
        Selection::Field(field) => {
            let field = &field.node;
            let arguments = field.arguments.iter().map(|(_, value)| in_value(&value.node, name));
            arguments.sum::<usize>()
                + in_directives(&field.directives, name)
                + in_set(&field.selection_set.node, name)
        }
        Selection::InlineFragment(inline) => {
            let inline = &inline.node;
            in_directives(&inline.directives, name) + in_set(&inline.selection_set.node, name)
        }
        Selection::FragmentSpread(spread) => in_directives(&spread.node.directives, name),
    };
    set.items.iter().map(of).sum()
}

fn in_directives(directives: &[Positioned<Directive>], name: &Name) -> usize {
    let arguments = directives.iter().flat_map(|directive| &directive.node.arguments);
    arguments.map(|(_, value)| in_value(&value.node, name)).sum()
}

fn in_value(value: &Value, name: &Name) -> usize {
    match value {
        Value::Variable(variable) => usize::from(variable == name),
        Value::List(values) => values.iter().map(|value| in_value(value, name)).sum(),
        Value::Object(fields) => fields.values().map(|value| in_value(value, name)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::{Value as Json, json};

    use super::*;

    fn operation(document: &ExecutableDocument) -> &OperationDefinition {
        &document.operations.iter().next().unwrap().1.node
    }

    #[test]
    fn defaults_count_where_nothing_was_given_and_nulls_stay() {
        for (declared, given, due) in [
            ("$a: Int = 1", json!({}), Ok(json!({ "a": 1 }))),
            ("$a: Int = 1", json!({ "a": 2 }), Ok(json!({ "a": 2 }))),
            ("$a: Int = 1", json!({ "a": null }), Ok(json!({ "a": null }))),
            ("$a: Int", json!({}), Ok(json!({}))),
            ("$a: Int", json!({ "b": 1 }), Ok(json!({}))),
            ("$a: [Int!]! = [1]", json!({}), Ok(json!({ "a": [1] }))),
            ("$a: [Int!]!", json!({}), Err("Variable $a of type [Int!]! needs a value.")),
            ("$a: Int! = 1", json!({ "a": null }), Err("Variable $a of type Int! needs a value.")),
        ] {
            let document = parse_query(format!("query({declared}) {{ x(a: $a) }}")).unwrap();
            let operation = operation(&document);
            let variables = complete(&operation.variable_definitions, Variables::from_json(given));
            let variables = variables.map(|all| serde_json::to_value(&all).unwrap());
            assert_eq!(variables, due.map_err(str::to_owned) as Result<Json, _>, "{declared}");
        }
    }

    #[test]
    fn a_use_is_found_wherever_it_stands_and_a_mention_is_none() {
        for (text, due) in [
            ("query($a: Int) { x(a: $a) } # $a", 1),
            ("query($a: Int) { x(a: $ab, b: \"$a\") }", 0),
            ("query($a: Int) { x(a: [{ b: $a }]) y @skip(if: $a) { z(c: $a) } }", 3),
            ("query($a: Int) @d(if: $a) { ... @skip(if: $a) { x(a: $a) } ...f @skip(if: $a) }", 4),
            ("query($a: Int) { ...f } fragment f on Query @d(a: $a) { x(a: $a) }", 2),
        ] {
            let document = parse_query(text).unwrap();
            let operation = operation(&document);
            assert_eq!(uses(&document, operation, &Name::new("a")), due, "{text}");
        }
    }
}
