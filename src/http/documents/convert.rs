//! From the tree that was validated to the one that the schema library runs. Nothing is parsed
//! twice, so nothing runs that was understood otherwise than when it was checked.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    ast::{Argument, DirectiveList, OperationType, Type, Value},
    executable::{self, Operation, Selection, SelectionSet},
    parser::SourceSpan,
};
use async_graphql::{
    Name as Named, Pos, Positioned, Value as ConstValue,
    parser::types::{self, DocumentOperations},
};
use async_graphql_value::{Number, Value as Given};

/// One operation with the fragments that it spreads.
pub fn operation(
    document: &ExecutableDocument,
    operation: &Operation,
    text: &str,
) -> types::ExecutableDocument {
    let mut convert = Convert { document, lines: Lines::of(text), fragments: HashMap::new() };
    let ty = kind(operation.operation_type);
    let set = match ty {
        // The library looks for a subscription's root field nowhere else.
        types::OperationType::Subscription => convert.root(operation),
        _ => convert.set(&operation.selection_set, Pos::default()),
    };
    let definition = types::OperationDefinition {
        ty,
        variable_definitions: convert.variables(operation),
        directives: convert.directives(&operation.directives),
        selection_set: set,
    };
    let single = Positioned::new(definition, Pos { line: 1, column: 1 });
    let operations = DocumentOperations::Single(single);
    types::ExecutableDocument { operations, fragments: convert.fragments }
}

/// What an operation does.
pub fn kind(of: OperationType) -> types::OperationType {
    match of {
        OperationType::Query => types::OperationType::Query,
        OperationType::Mutation => types::OperationType::Mutation,
        OperationType::Subscription => types::OperationType::Subscription,
    }
}

/// A value without variables.
pub fn constant(value: &Value) -> Option<ConstValue> {
    given(value).into_const()
}

fn given(value: &Value) -> Given {
    match value {
        Value::Null => Given::Null,
        Value::Enum(name) => Given::Enum(named(name)),
        Value::Variable(name) => Given::Variable(named(name)),
        Value::String(text) => Given::String(text.clone()),
        Value::Float(number) => number_of(number.as_str()),
        Value::Int(number) => number_of(number.as_str()),
        Value::Boolean(truth) => Given::Boolean(*truth),
        Value::List(values) => Given::List(values.iter().map(|value| given(value)).collect()),
        Value::Object(fields) => {
            Given::Object(fields.iter().map(|(name, value)| (named(name), given(value))).collect())
        }
    }
}

/// A number as JSON would read it. One beyond every type of number is the largest of all, which
/// fits no type of the schema: as a null it would pass for a value that was left out.
fn number_of(text: &str) -> Given {
    let number = text.parse().ok().or_else(|| Number::from_f64(f64::MAX));
    number.map_or(Given::Null, Given::Number)
}

fn named(name: &Name) -> Named {
    Named::new(name.as_str())
}

struct Convert<'a> {
    document: &'a ExecutableDocument,
    lines: Lines,
    fragments: HashMap<Named, Positioned<types::FragmentDefinition>>,
}

impl Convert<'_> {
    fn at<T>(&self, node: T, span: Option<SourceSpan>) -> Positioned<T> {
        Positioned::new(node, self.lines.position(span))
    }

    fn name(&self, name: &Name) -> Positioned<Named> {
        self.at(named(name), name.location())
    }

    fn set(&mut self, set: &SelectionSet, pos: Pos) -> Positioned<types::SelectionSet> {
        let items = set.selections.iter().map(|selection| self.selection(selection)).collect();
        Positioned::new(types::SelectionSet { items }, pos)
    }

    fn root(&mut self, operation: &Operation) -> Positioned<types::SelectionSet> {
        let fields = operation.root_fields(self.document).map(|field| self.field(field));
        let items = fields.collect();
        Positioned::new(types::SelectionSet { items }, Pos { line: 1, column: 1 })
    }

    fn selection(&mut self, selection: &Selection) -> Positioned<types::Selection> {
        match selection {
            Selection::Field(field) => self.field(field),
            Selection::InlineFragment(inline) => {
                let pos = self.lines.position(inline.location());
                let on = inline.type_condition.as_ref();
                let converted = types::InlineFragment {
                    type_condition: on.map(|on| self.condition(on)),
                    directives: self.directives(&inline.directives),
                    selection_set: self.set(&inline.selection_set, pos),
                };
                let inline = types::Selection::InlineFragment(Positioned::new(converted, pos));
                Positioned::new(inline, pos)
            }
            Selection::FragmentSpread(spread) => {
                self.fragment(&spread.fragment_name);
                let pos = self.lines.position(spread.location());
                let converted = types::FragmentSpread {
                    fragment_name: self.name(&spread.fragment_name),
                    directives: self.directives(&spread.directives),
                };
                let spread = types::Selection::FragmentSpread(Positioned::new(converted, pos));
                Positioned::new(spread, pos)
            }
        }
    }

    fn field(&mut self, field: &Node<executable::Field>) -> Positioned<types::Selection> {
        let pos = self.lines.position(field.location());
        let converted = types::Field {
            alias: field.alias.as_ref().map(|alias| self.name(alias)),
            name: self.name(&field.name),
            arguments: self.arguments(&field.arguments),
            directives: self.directives(&field.directives),
            selection_set: self.set(&field.selection_set, pos),
        };
        Positioned::new(types::Selection::Field(Positioned::new(converted, pos)), pos)
    }

    fn fragment(&mut self, name: &Name) {
        let known = named(name);
        let Some(fragment) = self.document.fragments.get(name) else { return };
        if self.fragments.contains_key(&known) {
            return;
        }
        let pos = self.lines.position(fragment.location());
        let converted = types::FragmentDefinition {
            type_condition: self.condition(fragment.type_condition()),
            directives: self.directives(&fragment.directives),
            selection_set: self.set(&fragment.selection_set, pos),
        };
        self.fragments.insert(known, Positioned::new(converted, pos));
    }

    fn condition(&self, on: &Name) -> Positioned<types::TypeCondition> {
        let on = self.name(on);
        Positioned::new(types::TypeCondition { on: on.clone() }, on.pos)
    }

    fn arguments(
        &self,
        arguments: &[Node<Argument>],
    ) -> Vec<(Positioned<Named>, Positioned<Given>)> {
        let each = arguments.iter();
        let pair = |argument: &Node<Argument>| {
            let value = self.at(given(&argument.value), argument.value.location());
            (self.name(&argument.name), value)
        };
        each.map(pair).collect()
    }

    fn directives(&self, directives: &DirectiveList) -> Vec<Positioned<types::Directive>> {
        let each = directives.iter();
        let convert = |directive: &Node<apollo_compiler::ast::Directive>| {
            let converted = types::Directive {
                name: self.name(&directive.name),
                arguments: self.arguments(&directive.arguments),
            };
            self.at(converted, directive.location())
        };
        each.map(convert).collect()
    }

    fn variables(&self, operation: &Operation) -> Vec<Positioned<types::VariableDefinition>> {
        let each = operation.variables.iter();
        let convert = |variable: &Node<apollo_compiler::ast::VariableDefinition>| {
            let default = variable.default_value.as_ref();
            let converted = types::VariableDefinition {
                name: self.name(&variable.name),
                var_type: self.at(type_of(&variable.ty), variable.ty.location()),
                directives: Vec::new(),
                default_value: default
                    .and_then(|value| Some(self.at(constant(value)?, value.location()))),
            };
            self.at(converted, variable.location())
        };
        each.map(convert).collect()
    }
}

fn type_of(of: &Type) -> types::Type {
    let base = match of {
        Type::Named(name) | Type::NonNullNamed(name) => types::BaseType::Named(named(name)),
        Type::List(of) | Type::NonNullList(of) => types::BaseType::List(Box::new(type_of(of))),
    };
    types::Type { base, nullable: !of.is_non_null() }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect())
    }

    /// Line and column, in bytes, from 1.
    fn position(&self, span: Option<SourceSpan>) -> Pos {
        let Some(span) = span else { return Pos { line: 1, column: 1 } };
        let line = self.0.partition_point(|start| *start <= span.offset());
        let start = line.checked_sub(1).and_then(|line| self.0.get(line)).copied();
        Pos { line: line.max(1), column: span.offset() - start.unwrap_or_default() + 1 }
    }
}
