//! Entries for fuzzers: what clients send is read here as the server reads it, without a server
//! around it. They exist in tests, and where the feature `fuzzing` is on.

use async_graphql::Variables;
use axum::{extract::Query, http::Uri};
use serde_json::Value;

use super::{
    body::Params,
    documents::{Document, DocumentLimits, Operation, gate::Gate},
    json,
    message::{self, ClientMessage, Close},
    variables,
};
use crate::graphql::sdl;

/// How long the reason of a WebSocket's close may be, in bytes.
const REASON: usize = 123;

/// What reads the input of clients. Each method says whether an input would be acted upon; one
/// that is refused is no error.
#[derive(Debug)]
pub struct Readers {
    gate: Gate,
}

impl Readers {
    /// Readers with these limits.
    ///
    /// # Errors
    /// When the schema is none.
    pub fn new(limits: DocumentLimits) -> Result<Self, String> {
        Ok(Self { gate: Gate::new(&sdl(), limits)? })
    }

    /// A GraphQL document, of which every operation is then prepared to run without variables.
    #[must_use]
    pub fn document(&self, text: &str) -> bool {
        let Some(document) = self.check(text) else { return false };
        for operation in &document.operations {
            self.is_prepared(operation, Variables::default());
        }
        true
    }

    /// A text message of a WebSocket.
    ///
    /// # Panics
    /// When what answers it would be no JSON, or too long a reason to close.
    #[must_use]
    pub fn socket_message(&self, text: &str) -> bool {
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Init(_) | ClientMessage::Pong) => true,
            Ok(ClientMessage::Ping(payload)) => is_answer(message::pong(payload).as_bytes()),
            Ok(ClientMessage::Complete { id }) => is_answer(message::complete(&id).as_bytes()),
            Ok(ClientMessage::Subscribe { id, params }) => {
                is_answer(&message::next(&message::next_head(&id), b"null"));
                is_answer(message::error(&id, &Value::Null).as_bytes());
                is_reason(&Close::already_exists(&id));
                Params::from_json(params).is_ok_and(|params| self.is_run(params))
            }
            Err(close) => {
                is_reason(&close);
                false
            }
        }
    }

    /// The parameters of a request: as the body of a POST, and as the query of a URL.
    ///
    /// # Panics
    /// When the quick way to read a body does not read what the plain one does.
    #[must_use]
    pub fn http_parameters(&self, bytes: &[u8]) -> bool {
        let body = Params::from_body(bytes);
        let plain = json::read(bytes).ok().map(Params::from_json);
        if let (Ok(quick), Some(Ok(plain))) = (&body, &plain) {
            assert_eq!(quick.query, plain.query);
            assert_eq!(quick.operation_name, plain.operation_name);
            assert_eq!(quick.variables, plain.variables);
        }
        let from_body = body.is_ok_and(|params| self.is_run(params));
        let from_url = from_url(bytes).is_some_and(|params| self.is_run(params));
        from_body || from_url
    }

    fn check(&self, text: &str) -> Option<Document> {
        let scan = self.gate.look(text).ok()?;
        self.gate.check(text, scan).ok()
    }

    fn is_run(&self, params: Params) -> bool {
        let document = self.check(&params.query);
        let operation =
            document.as_ref().and_then(|it| it.operation(params.operation_name.as_deref()));
        operation.is_some_and(|operation| self.is_prepared(operation, params.variables))
    }

    fn is_prepared(&self, operation: &Operation, given: Variables) -> bool {
        let declared = operation.definition().map_or(&[][..], |it| &it.variable_definitions);
        let Ok(variables) = variables::complete(declared, given) else { return false };
        let fits = self.gate.check_run(operation, &variables).is_ok();
        if fits {
            drop(operation.request(variables));
        }
        fits
    }
}

fn from_url(bytes: &[u8]) -> Option<Params> {
    let query = std::str::from_utf8(bytes).ok()?;
    let uri = Uri::builder().path_and_query(format!("/graphql?{query}")).build().ok()?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    Params::from_url(pairs).ok()
}

fn is_answer(frame: &[u8]) -> bool {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(frame).is_ok();
    assert!(is_json, "an answer that is no JSON");
    is_json
}

fn is_reason(close: &Close) {
    assert!(close.reason.len() <= REASON, "too long a reason to close");
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::config::DocumentConfig;

    fn readers() -> Readers {
        let flags = DocumentConfig::augment_args(Command::new("test")).get_matches_from(["test"]);
        Readers::new(DocumentConfig::from_arg_matches(&flags).unwrap().gate()).unwrap()
    }

    /// Reads each input of a target; its file's name says what becomes of it.
    fn replay(target: &str, reads: impl Fn(&[u8]) -> bool) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_taken = reads(&fs::read(&path).unwrap());
            // A fuzzer's own finds are named by their sums.
            match name.split_once('-') {
                Some(("taken", _)) if is_taken => taken += 1,
                Some(("refused", _)) if !is_taken => refused += 1,
                Some(("taken" | "refused", _)) => wrong.push(name),
                _ => {}
            }
        }
        assert!(wrong.is_empty(), "{target}: {wrong:?}");
        assert!(taken >= 3 && refused >= 5, "{target}: {taken} taken, {refused} refused");
    }

    #[test]
    fn every_input_of_the_corpus_is_answered_or_refused() {
        let readers = readers();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        replay("document", |bytes| readers.document(&text(bytes)));
        replay("socket_message", |bytes| readers.socket_message(&text(bytes)));
        replay("http_parameters", |bytes| readers.http_parameters(bytes));
    }
}
