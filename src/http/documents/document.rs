//! A document that was checked: its operations, each ready to be run.

use std::sync::Arc;

use apollo_compiler::{ExecutableDocument, ast::Type, validation::Valid};
pub use async_graphql::parser::types::OperationType;
use async_graphql::{
    Request, Variables,
    parser::types::{DocumentOperations, ExecutableDocument as Runnable, OperationDefinition},
};

/// A checked document.
#[derive(Debug)]
pub struct Document {
    pub operations: Vec<Arc<Operation>>,
    /// What it takes to keep it, roughly, in bytes.
    pub weight: u64,
}

/// An operation, with the fragments that it spreads.
#[derive(Debug)]
pub struct Operation {
    pub name: Option<String>,
    pub kind: OperationType,
    pub(super) runnable: Runnable,
    /// The types of its variables.
    pub(super) variables: Vec<(async_graphql::Name, Type)>,
    /// What it costs at most, if it may run at all.
    pub(super) cost: u64,
    /// What to price at each run, where the cost is too much for some variables.
    pub(super) priced: Option<Arc<Valid<ExecutableDocument>>>,
    /// A subscription's text without what means nothing: comments, white space and operations
    /// that are not meant.
    pub meaning: Arc<str>,
}

impl Document {
    /// The operation that is meant, if it is clear.
    pub fn operation(&self, name: Option<&str>) -> Option<&Arc<Operation>> {
        match (name, self.operations.as_slice()) {
            (None, [single]) => Some(single),
            (None, _) => None,
            (name, all) => all.iter().find(|operation| operation.name.as_deref() == name),
        }
    }
}

impl Operation {
    /// The tree that the schema library runs.
    pub fn document(&self) -> &Runnable {
        &self.runnable
    }

    /// Its definition.
    pub fn definition(&self) -> Option<&OperationDefinition> {
        match &self.runnable.operations {
            DocumentOperations::Single(operation) => Some(&operation.node),
            DocumentOperations::Multiple(_) => None,
        }
    }

    /// A request to run it.
    pub fn request(&self, variables: Variables) -> Request {
        let mut request = Request::new("").variables(variables);
        request.set_parsed_query(self.runnable.clone());
        request
    }
}
