//! GraphQL's request parameters, from a JSON body or a URL, each of its type.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{
    documents::{Operation, OperationType},
    execution::Surroundings,
    json,
    response::{Answer, refusal},
    variables,
};
use crate::graphql::Code;

/// The parameters of one request.
#[derive(Debug)]
pub struct Params {
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: Variables,
}

/// The parameters as they stand in a body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<'a> {
    #[serde(borrow)]
    query: &'a RawValue,
    #[serde(borrow, default)]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    variables: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

impl Raw<'_> {
    /// The parameters, where each is of its type.
    fn read(&self) -> Option<Params> {
        if self.extensions.is_some_and(|json| !json.get().starts_with('{')) {
            return None;
        }
        let variables = match self.variables {
            None => Variables::default(),
            Some(json) if json.get().starts_with('{') => serde_json::from_str(json.get()).ok()?,
            Some(_) => return None,
        };
        let operation_name = self.operation_name.map(|json| serde_json::from_str(json.get()));
        let operation_name = operation_name.transpose().ok()?;
        let query = serde_json::from_str(self.query.get()).ok()?;
        Some(Params { query, operation_name, variables })
    }
}

impl Params {
    /// From a body of JSON. Most are read without a tree of values in between.
    ///
    /// # Errors
    /// With a sentence for the client.
    pub fn from_body(bytes: &[u8]) -> Result<Self, String> {
        let raw = serde_json::from_slice::<Raw<'_>>(bytes).ok();
        if let Some(params) = raw.and_then(|raw| raw.read()) {
            return Ok(params);
        }
        let json = json::read(bytes).map_err(|_| "The body is not JSON.")?;
        Self::from_json(json)
    }

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
        let variables = Variables::from_json(Value::Object(map("variables")?));
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
                    json::read(text.as_bytes()).map_err(|_| format!("{name} must be JSON."))?
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
    /// With the answer for the client, when they ask too often, the document is not valid or asks
    /// for too much, does not say which of its operations is meant, or a variable is missing or not
    /// of its type.
    pub async fn into_request(self, around: &Surroundings) -> Result<ParsedRequest, Answer> {
        let wrong = |why: &str| refusal(Code::BadUserInput, why);
        let documents = &around.documents;
        let document = documents.read(&self.query, |points| around.charge_check(points)).await?;
        let operation = document
            .operation(self.operation_name.as_deref())
            .ok_or_else(|| wrong("It is not clear which operation is meant."))?;
        let declared = operation.definition().map_or(&[][..], |it| &it.variable_definitions);
        let variables = variables::complete(declared, self.variables).map_err(|why| wrong(&why))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reads_the_same_with_and_without_a_tree_in_between() {
        for body in [
            r#"{"query":"{a}"}"#,
            r#"{"query":"{\"\u00e9\n\"}","operationName":"b","variables":{"c":[1,{"d":1.5e3}]}}"#,
            r#"{"query":"","operationName":null,"variables":null,"extensions":{"e":1},"f":[]}"#,
            r#" {"variables":{"a":18446744073709551615,"b":-1,"c":1,"c":true} , "query":""} "#,
            r#"{"query":"{a}","query":"{b}"}"#,
            r#"{"query":1}"#,
            r#"{"query":"a","variables":[]}"#,
            r#"{"query":"a","extensions":1}"#,
            r#"[{"query":"a"}]"#,
            r#"{"query":"a""#,
            "\u{feff}{}",
        ] {
            let shown = |params: Result<Params, String>| {
                params.map(|it| (it.query, it.operation_name, it.variables))
            };
            let json = serde_json::from_slice(body.as_bytes());
            let json = json.map_err(|_| "The body is not JSON.".to_owned());
            let due = shown(json.and_then(Params::from_json));
            assert_eq!(shown(Params::from_body(body.as_bytes())), due, "{body}");
        }
        let nested = format!(r#"{{"query":"a","variables":{{"a":{}1"#, "[".repeat(60_000));
        assert!(Params::from_body(nested.as_bytes()).is_err());
    }
}
