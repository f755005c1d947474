//! Whether a value is of its type: variables before an operation runs, so that nothing of it runs
//! when one is not, and the literals of our own scalars, of which a validator knows nothing.

use apollo_compiler::{Schema, ast::Type, schema::ExtendedType};
use async_graphql::Value;

use crate::graphql::scalar_fault;

/// Where in an input something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Fields and indices, from the outside in.
    pub path: Vec<String>,
    pub what: String,
}

fn misfit<T>(what: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit { path: Vec::new(), what: what.into() })
}

fn inside(mut misfit: Misfit, part: impl ToString) -> Misfit {
    misfit.path.insert(0, part.to_string());
    misfit
}

/// Looks through a value once.
///
/// # Errors
/// With the first place that is not of its type.
pub fn check(schema: &Schema, of: &Type, value: &Value) -> Result<(), Misfit> {
    if *value == Value::Null {
        return if of.is_non_null() { misfit(format!("null is no {of}")) } else { Ok(()) };
    }
    if of.is_list() {
        // One value stands for a list of one.
        let Value::List(values) = value else { return check(schema, of.item_type(), value) };
        let mut each = values.iter().enumerate();
        return each.try_for_each(|(at, value)| {
            check(schema, of.item_type(), value).map_err(|m| inside(m, at))
        });
    }
    let name = of.inner_named_type();
    match schema.types.get(name) {
        Some(ExtendedType::Scalar(_)) => scalar(name, value),
        Some(ExtendedType::Enum(all)) => match value {
            Value::Enum(given) if all.values.contains_key(given.as_str()) => Ok(()),
            Value::String(given) if all.values.contains_key(given.as_str()) => Ok(()),
            _ => misfit(format!("it is none of the values of {name}")),
        },
        Some(ExtendedType::InputObject(all)) => {
            let Value::Object(given) = value else { return misfit(format!("it is no {name}")) };
            for (field, value) in given {
                let Some(definition) = all.fields.get(field.as_str()) else {
                    return Err(inside(
                        Misfit { path: Vec::new(), what: format!("{name} has no such field") },
                        field,
                    ));
                };
                check(schema, &definition.ty, value).map_err(|m| inside(m, field))?;
            }
            let missing = all.fields.iter().find(|(field, definition)| {
                definition.is_required() && !given.contains_key(field.as_str())
            });
            match missing {
                Some((field, _)) => {
                    misfit::<()>(format!("{name} needs it")).map_err(|m| inside(m, field))
                }
                None => Ok(()),
            }
        }
        _ => misfit(format!("{name} is no type of an input")),
    }
}

fn scalar(name: &str, value: &Value) -> Result<(), Misfit> {
    let fits = match (name, value) {
        ("Int", Value::Number(number)) => {
            number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
        }
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Boolean(_)) => true,
        ("ID", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        // What the scalar itself says.
        _ => return scalar_fault(name, value).map_or(Ok(()), misfit),
    };
    if fits { Ok(()) } else { misfit(format!("it is no {name}")) }
}
