//! GraphQL's request parameters, from a JSON body or a URL, each of its type.

use async_graphql::{Request, Variables};
use serde_json::{Map, Value};

use super::{document, documents::Documents, variables};

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
    /// With a sentence for the client, when the document is no document, asks for too much, does
    /// not say which of its operations is meant, or lacks a variable.
    pub fn into_request(self, documents: &Documents) -> Result<ParsedRequest, String> {
        let document = documents.read(&self.query)?;
        let name = self.operation_name.as_deref();
        let operation = document::operation(&document, name)
            .ok_or("It is not clear which operation is meant.")?;
        let kind = operation.ty;
        let given = Variables::from_json(Value::Object(self.variables));
        let variables = variables::complete(operation, given)?;
        let mut request = Request::new(self.query).variables(variables);
        if let Some(name) = self.operation_name {
            request = request.operation_name(name);
        }
        request.set_parsed_query(document.as_ref().clone());
        Ok(ParsedRequest { request, kind })
    }
}

/// A request whose document is parsed, with the kind of the operation that is meant.
pub struct ParsedRequest {
    pub request: Request,
    pub kind: async_graphql::parser::types::OperationType,
}
