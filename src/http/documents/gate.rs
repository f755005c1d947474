//! The gate: what a document must be before anything of it runs. A text that is too large is
//! refused in one look; what a parser then reads is counted before it is validated, so that
//! nothing costs more than its text.

use std::sync::Arc;

use apollo_compiler::{
    ExecutableDocument, Schema, ast,
    executable::Operation as Checked,
    parser::Parser,
    validation::{DiagnosticList, Valid},
};
use async_graphql::Variables;

use super::{
    convert, count,
    document::{Document, Operation, OperationType},
    input,
    limits::DocumentLimits,
    price::{self, Introspection},
    rules,
    scan::{Scan, scan},
    suggest::similar,
};

/// What tools ask a schema for, in the words of graphql-js.
const INTROSPECTION: &str = include_str!("introspection.graphql");

/// How many times the longest document all operations of one may come to, each counted as long as
/// the whole.
const TOKENS_OF_ALL_OPERATIONS: usize = 4;

/// How many errors are told of a document.
const ERRORS: usize = 20;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    /// Line and column, from 1.
    pub location: Option<(usize, usize)>,
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { message, location: None }
    }
}

/// The gate of one schema.
#[derive(Debug)]
pub struct Gate {
    schema: Valid<Schema>,
    pub limits: DocumentLimits,
    introspection: Introspection,
}

impl Gate {
    /// Of a schema, in the schema definition language.
    ///
    /// # Errors
    /// When that is no schema.
    pub fn new(sdl: &str, limits: DocumentLimits) -> Result<Self, String> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql");
        let schema = schema.map_err(|invalid| invalid.errors.to_string())?;
        let full = ExecutableDocument::parse_and_validate(&schema, INTROSPECTION, "tools");
        let full = full.map_err(|invalid| invalid.errors.to_string())?;
        let introspection = Introspection::of(&schema, &full);
        Ok(Self { schema, limits, introspection })
    }

    /// A first look at a text.
    ///
    /// # Errors
    /// When it is too large for the second.
    pub fn look(&self, text: &str) -> Result<Scan, Fault> {
        let DocumentLimits { bytes, tokens, nesting, .. } = self.limits;
        let too_much = |what: String| Err(Fault::from(format!("The document {what}.")));
        if text.len() > bytes {
            return too_much(format!("is longer than {bytes} bytes"));
        }
        let scan = scan(text);
        if scan.tokens > tokens {
            return too_much(format!("has more than {tokens} tokens"));
        }
        if scan.nesting > nesting {
            return too_much(format!("nests deeper than {nesting} brackets"));
        }
        Ok(scan)
    }

    /// Checks a text that passed the first look.
    ///
    /// # Errors
    /// With what is wrong with it: the first few faults.
    pub fn check(&self, text: &str, scan: Scan) -> Result<Document, Vec<Fault>> {
        let one = |message: String| vec![Fault::from(message)];
        // White space is a token of the parser's, and every kind of nesting a recursion.
        let mut parser =
            Parser::new().token_limit(2 * scan.tokens + 2).recursion_limit(8 * self.limits.nesting);
        let parsed = parser.parse_ast(text, "document");
        let parsed = parsed.map_err(|invalid| self.faults(&invalid.errors))?;
        count::count(&parsed, &self.limits).map_err(one)?;
        self.count_operations(&parsed, scan.tokens).map_err(one)?;
        let document = parsed.to_executable_validate(&self.schema);
        let document = Arc::new(document.map_err(|invalid| self.faults(&invalid.errors))?);
        if document.operations.is_empty() {
            return Err(one("The document has no operation.".to_owned()));
        }
        rules::check(&self.schema, &document, &self.limits).map_err(one)?;
        let operations = document.operations.iter();
        let operations: Result<Vec<_>, _> =
            operations.map(|operation| self.operation(&document, operation, text)).collect();
        let operations = operations.map_err(one)?;
        let is_priced = operations.iter().any(|operation| operation.priced.is_some());
        let each = if is_priced { 1_024 } else { 256 };
        let weight = text.len() + 1_024 + each * scan.tokens;
        Ok(Document { operations, weight: weight as u64 })
    }

    /// Each operation is checked and kept with the fragments that it spreads, so that many over the
    /// same large ones are many times their text.
    fn count_operations(&self, document: &ast::Document, tokens: usize) -> Result<(), String> {
        let is_operation =
            |it: &&ast::Definition| matches!(it, ast::Definition::OperationDefinition(_));
        let operations = document.definitions.iter().filter(is_operation).count();
        let most = self.limits.tokens.saturating_mul(TOKENS_OF_ALL_OPERATIONS);
        match operations > 1 && operations.saturating_mul(tokens) > most {
            true => Err("The document has too many operations for its length.".to_owned()),
            false => Ok(()),
        }
    }

    fn operation(
        &self,
        document: &Arc<Valid<ExecutableDocument>>,
        operation: &Checked,
        text: &str,
    ) -> Result<Arc<Operation>, String> {
        let kind = convert::kind(operation.operation_type);
        if kind == OperationType::Subscription && operation.root_fields(document).count() != 1 {
            return Err("A subscription has exactly one root field.".to_owned());
        }
        let at_most = price::cost(document, operation, None, self.introspection);
        let is_dear = at_most > self.limits.cost;
        if is_dear && operation.variables.is_empty() {
            return Err(self.too_dear());
        }
        let runnable = convert::operation(document, operation, text);
        let meaning = match kind {
            OperationType::Subscription => {
                let mut anonymous = operation.clone();
                anonymous.name = None;
                let mut meaning = anonymous.to_string();
                let spread = |name: &&str| runnable.fragments.contains_key(*name);
                let mut fragments: Vec<_> =
                    document.fragments.keys().map(|name| name.as_str()).filter(spread).collect();
                fragments.sort_unstable();
                for name in fragments {
                    meaning.extend(document.fragments.get(name).map(|it| it.to_string()));
                }
                meaning
            }
            _ => String::new(),
        };
        let variables = operation.variables.iter();
        let variables = variables.map(|variable| {
            (async_graphql::Name::new(variable.name.as_str()), (*variable.ty).clone())
        });
        Ok(Arc::new(Operation {
            name: operation.name.as_ref().map(ToString::to_string),
            kind,
            variables: variables.collect(),
            cost: at_most,
            priced: is_dear.then(|| Arc::clone(document)),
            meaning: meaning.into(),
            runnable,
        }))
    }

    /// Checks what differs from run to run: each variable is of its type, and the cost, which it
    /// answers with: at most so much.
    ///
    /// # Errors
    /// With a sentence for the client.
    pub fn check_run(&self, operation: &Operation, variables: &Variables) -> Result<u64, String> {
        for (name, of) in &operation.variables {
            let Some(value) = variables.get(name) else { continue };
            input::check(&self.schema, of, value).map_err(|misfit| {
                let path: Vec<_> = [name.to_string()].into_iter().chain(misfit.path).collect();
                format!("Variable ${} of type {of}: {}.", path.join("."), misfit.what)
            })?;
        }
        let Some(document) = &operation.priced else {
            return Ok(operation.cost);
        };
        let checked = document.operations.get(operation.name.as_deref());
        let cost = checked.map_or(u64::MAX, |checked| {
            price::cost(document, checked, Some(variables), self.introspection)
        });
        if cost > self.limits.cost { Err(self.too_dear()) } else { Ok(cost) }
    }

    fn too_dear(&self) -> String {
        let most = self.limits.cost;
        format!("The operation costs more than {most}: ask for fewer rows, fields or long texts.")
    }

    fn faults(&self, errors: &DiagnosticList) -> Vec<Fault> {
        let first = errors.iter().take(ERRORS).map(|found| {
            let place = found.line_column_range().map(|range| range.start);
            let mut message = found.error.to_string();
            if self.limits.suggestions {
                message += &self.suggestion(&message);
            }
            Fault { message, location: place.map(|place| (place.line, place.column)) }
        });
        first.collect()
    }

    /// The fields that are meant, perhaps, where one is unknown.
    fn suggestion(&self, message: &str) -> String {
        let mut quoted = message.split('`').skip(1).step_by(2);
        let (Some(of), Some(wrong)) = (quoted.next(), quoted.next()) else {
            return String::new();
        };
        let Some(of) = self.schema.get_object(of) else { return String::new() };
        match similar(wrong, of.fields.keys().map(|name| name.as_str())).join(", ") {
            names if names.is_empty() => names,
            names => format!(". Did you mean {names}?"),
        }
    }
}
