//! GraphQL's request parameters, from a JSON body or a URL, each of its type.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use serde_json::{Map, Value};

use super::{
    documents::{Documents, Operation, OperationType},
    response::{Answer, refusal},
    variables,
};
use crate::graphql::Code;

/// The parameters of one request.
#[derive(Debug)]
pub struct Params {
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: Map<String, Value>,
}

impl Params {
    /// From a JSON object.
    ///
    /// # Errors
    /// With a sentence for the client.
    pub fn from_json(json: Value) -> Result<Self, String> {
        let Value::Object(mut fields) = json else {
            return Err("The request must be one JSON object; batches are off.".to_owned());
        };
        let query = match fields.remove("query") {
            Some(Value::String(query)) => query,
            Some(_) => return Err("query must be a string.".to_owned()),
            None => return Err("query is missing.".to_owned()),
        };
        let operation_name = match fields.remove("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err("operationName must be a string.".to_owned()),
        };
        let mut map = |name: &str| match fields.remove(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(format!("{name} must be an object.")),
        };
        let variables = map("variables")?;
        map("extensions")?;
        Ok(Self { query, operation_name, variables })
    }

    /// From a URL's query string.
    ///
    /// # Errors
    /// With a sentence for the client.
    pub fn from_url(pairs: Vec<(String, String)>) -> Result<Self, String> {
        let mut fields = Map::new();
        for (name, text) in pairs {
            let value = match name.as_str() {
                "query" | "operationName" => Value::String(text),
                "variables" | "extensions" => {
                    serde_json::from_str(&text).map_err(|_| format!("{name} must be JSON."))?
                }
                _ => continue,
            };
            fields.insert(name, value);
        }
        Self::from_json(Value::Object(fields))
    }

    /// The parsed request.
    ///
    /// # Errors
    /// With the answer for the client, when the document is not valid or asks for too much, does
    /// not say which of its operations is meant, or a variable is missing or not of its type.
    pub async fn into_request(self, documents: &Documents) -> Result<ParsedRequest, Answer> {
        let wrong = |why: &str| refusal(Code::BadUserInput, why);
        let document = documents.read(&self.query).await?;
        let operation = document
            .operation(self.operation_name.as_deref())
            .ok_or_else(|| wrong("It is not clear which operation is meant."))?;
        let given = Variables::from_json(Value::Object(self.variables));
        let declared = operation.definition().map_or(&[][..], |it| &it.variable_definitions);
        let variables = variables::complete(declared, given).map_err(|why| wrong(&why))?;
        let cost = documents.check_run(operation, &variables).map_err(|why| wrong(&why))?;
        Ok(ParsedRequest { operation: Arc::clone(operation), variables, cost })
    }
}

/// An operation that was checked, with variables that are of their types.
#[derive(Debug)]
pub struct ParsedRequest {
    pub operation: Arc<Operation>,
    pub variables: Variables,
    /// What it costs at most.
    pub cost: u64,
}

impl ParsedRequest {
    /// What it does.
    pub fn kind(&self) -> OperationType {
        self.operation.kind
    }

    /// As the schema library runs it.
    pub fn into_request(self) -> Request {
        self.operation.request(self.variables)
    }
}
