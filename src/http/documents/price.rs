//! What an operation costs: one unit a value of its answer, with each page's rows multiplied in,
//! and what statements, searches and large texts cost besides. Each fragment is priced once and
//! added up wherever it is spread.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Schema,
    ast::Value,
    executable::{Field, Operation, Selection, SelectionSet},
    schema::ExtendedType,
};
use async_graphql::{Value as ConstValue, Variables};

use crate::graphql::price;

/// How long the lists of a schema's introspection are.
#[derive(Debug, Clone, Copy)]
pub struct Introspection {
    types: u64,
    /// Of a type, on average: of what most types have none or few.
    members: u64,
    /// What the introspection costs that tools ask for, before it is scaled.
    full: u64,
}

/// What the introspection costs that tools ask for. Nothing in it reads the database, and it is
/// as large as the schema: it is measured by itself.
const FULL_INTROSPECTION: u64 = 2_000;

impl Introspection {
    /// Of a schema, given what tools ask for.
    pub fn of(schema: &Schema, full: &ExecutableDocument) -> Self {
        let types = schema.types.len() as u64;
        let members = |of: &ExtendedType| match of {
            ExtendedType::Object(of) => of.fields.len() as u64,
            ExtendedType::Interface(of) => of.fields.len() as u64,
            ExtendedType::Enum(of) => of.values.len() as u64,
            ExtendedType::InputObject(of) => of.fields.len() as u64,
            ExtendedType::Scalar(_) | ExtendedType::Union(_) => 0,
        };
        let all: u64 = schema.types.values().map(members).sum();
        let mut lists = Self { types, members: all.div_ceil(types.max(1)), full: 1 };
        let whole = full.operations.iter().next().map(|operation| {
            Pricing::new(full, None, lists).set(&operation.selection_set).introspection
        });
        lists.full = whole.unwrap_or_default().max(1);
        lists
    }

    fn length(&self, field: &str) -> u64 {
        if field == "types" { self.types } else { self.members }
    }

    fn cost(&self, values: u64) -> u64 {
        values.saturating_mul(FULL_INTROSPECTION) / self.full
    }
}

/// What an operation costs: with these variables, or at most.
pub fn cost(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: Option<&Variables>,
    lists: Introspection,
) -> u64 {
    let cost = Pricing::new(document, variables, lists).set(&operation.selection_set);
    cost.fixed.saturating_add(lists.cost(cost.introspection))
}

/// What a set of selections costs.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    fixed: u64,
    /// Of a connection's: for each of its rows.
    row: u64,
    /// Values of the schema itself.
    introspection: u64,
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.row = self.row.saturating_add(other.row);
        self.introspection = self.introspection.saturating_add(other.introspection);
    }
}

struct Pricing<'a> {
    document: &'a ExecutableDocument,
    variables: Option<&'a Variables>,
    lists: Introspection,
    known: HashMap<&'a str, Cost>,
}

impl<'a> Pricing<'a> {
    fn new(
        document: &'a ExecutableDocument,
        variables: Option<&'a Variables>,
        lists: Introspection,
    ) -> Self {
        Self { document, variables, lists, known: HashMap::new() }
    }

    fn set(&mut self, set: &'a SelectionSet) -> Cost {
        let mut cost = Cost::default();
        for selection in &set.selections {
            cost.add(match selection {
                Selection::Field(field) => self.field(&set.ty, field),
                Selection::InlineFragment(inline) => self.set(&inline.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name),
            });
        }
        cost
    }

    fn fragment(&mut self, name: &str) -> Cost {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Cost::default();
        };
        if let Some(known) = self.known.get(name.as_str()) {
            return *known;
        }
        let cost = self.set(&fragment.selection_set);
        self.known.insert(name, cost);
        cost
    }

    fn field(&mut self, parent: &str, field: &'a Field) -> Cost {
        let (name, is_list) = (field.name.as_str(), field.ty().is_list());
        let inner = self.set(&field.selection_set);
        if parent.starts_with("__") || matches!(name, "__schema" | "__type") {
            let length = if is_list { self.lists.length(name) } else { 1 };
            let introspection = inner.introspection.saturating_mul(length).saturating_add(1);
            return Cost { introspection, ..Cost::default() };
        }
        if name == "__typename" && field.selection_set.is_empty() {
            return Cost { fixed: 1, introspection: 1, ..Cost::default() };
        }
        if parent.ends_with("Connection") && is_list {
            return Cost { row: inner.fixed.saturating_add(1), ..Cost::default() };
        }
        let is_page = field.ty().inner_named_type().ends_with("Connection");
        let (own, values) = if is_page {
            let rows = self.rows(field);
            (self.search(field), inner.fixed.saturating_add(inner.row.saturating_mul(rows)))
        } else if is_list {
            (0, inner.fixed.saturating_add(1).saturating_mul(price::length(parent, name)))
        } else {
            (0, inner.fixed)
        };
        let reading = price::reading(parent, name, is_page);
        let fixed = values.saturating_add(own).saturating_add(reading).saturating_add(1);
        Cost { fixed, row: 0, introspection: inner.introspection }
    }

    /// How many rows a page has: as its arguments say, or at most.
    fn rows(&self, field: &Field) -> u64 {
        let size = |name: &str| match &**field.specified_argument_by_name(name)? {
            Value::Null => None,
            Value::Variable(variable) => match self.variables {
                None => Some(price::LARGEST_PAGE),
                Some(variables) => match variables.get(variable.as_str()) {
                    Some(ConstValue::Number(rows)) => Some(rows.as_u64().unwrap_or(1)),
                    _ => None,
                },
            },
            value => Some(value.to_i32().map_or(1, |rows| rows.max(1).unsigned_abs().into())),
        };
        let rows = size("first").or_else(|| size("last")).unwrap_or(price::PAGE);
        rows.clamp(1, price::LARGEST_PAGE)
    }

    /// What a search by words costs, where the filter has words or may have.
    fn search(&self, field: &Field) -> u64 {
        let has_words = |argument: &str| {
            field.specified_argument_by_name(argument).is_some_and(|value| self.has_words(value))
        };
        if has_words("filter") || has_words("query") { price::SEARCH } else { 0 }
    }

    fn has_words(&self, value: &Value) -> bool {
        match value {
            Value::String(words) => !words.trim().is_empty(),
            Value::Object(fields) => {
                let mut words = fields.iter().filter(|(name, _)| *name == "query");
                words.any(|(_, value)| self.has_words(value))
            }
            Value::Variable(name) => match self.variables {
                None => true,
                Some(variables) => match variables.get(name.as_str()) {
                    Some(ConstValue::Object(fields)) => {
                        matches!(fields.get("query"), Some(ConstValue::String(_)))
                    }
                    Some(ConstValue::String(_)) => true,
                    _ => false,
                },
            },
            _ => false,
        }
    }
}
