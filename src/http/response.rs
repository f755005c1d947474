//! GraphQL's answers: errors made safe to show, request errors told from field errors, and the
//! bytes that leave, which are bounded.

use std::io::{self, Write};

use async_graphql::{Response, ServerError, Value};
use serde_json::{Map, Value as Json, json};

use crate::graphql::{Code, Limited, RequestId, code_of, retry_after_seconds};

/// An answer, ready to be sent.
#[derive(Debug)]
pub struct Answer {
    /// The whole body.
    pub body: Vec<u8>,
    /// The errors alone, when the request was refused before anything ran: there is no `data`.
    pub errors: Option<Json>,
    /// The code of the refusal.
    pub code: Code,
    /// How long the client is asked to wait before it tries again, in seconds.
    pub retry_after: Option<u64>,
}

/// What the schema library says when an argument or a variable is not of its type.
const INPUT_FAULTS: [&str; 4] =
    ["Failed to parse \"", "Expected input type \"", "Invalid value for argument", "Variable "];

/// How many errors are told.
const ERRORS: usize = 20;

/// How much is told of an error, in bytes: what a client sent may be part of it.
const MESSAGE_BYTES: usize = 1_000;

/// Dresses the library's answer. One of more than so many bytes is not written to its end.
pub fn answer(mut response: Response, request: &RequestId, most: usize) -> Answer {
    response.errors.truncate(ERRORS);
    for error in &mut response.errors {
        dress(error, request);
        shorten(&mut error.message);
    }
    let retry_after = retry_after_seconds(&response.errors);
    let before_running = |error: &ServerError| {
        error.path.is_empty()
            || (code_of(error) == Some(Code::BadUserInput.as_str()) && is_input_fault(error))
    };
    let is_request_error = response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(before_running);
    if is_request_error {
        let errors = serde_json::to_value(&response.errors).unwrap_or_default();
        return refusal_of(errors, Code::BadUserInput, retry_after);
    }
    let mut body = Bounded { bytes: Vec::with_capacity(512), most };
    match serde_json::to_writer(&mut body, &response) {
        Ok(()) => Answer { body: body.bytes, errors: None, code: Code::BadUserInput, retry_after },
        Err(_) => {
            let message = format!("The answer is larger than {most} bytes: ask for less.");
            failure(Code::BadUserInput, &message)
        }
    }
}

/// An answer that refuses a request before anything ran.
pub fn refusal(code: Code, message: &str) -> Answer {
    refusal_to_retry(code, message, code.retry_after_seconds())
}

/// The same, with how long to wait before the next try.
pub fn refusal_to_retry(code: Code, message: &str, retry_after: Option<u64>) -> Answer {
    let error = error(code, message, retry_after);
    refusal_of(json!([error]), code, retry_after)
}

/// A refusal of whoever asks too often.
pub fn limited(limit: &Limited) -> Answer {
    let (code, wait) = (Code::RateLimited, Some(limit.retry_after_seconds));
    refusal_to_retry(code, &limit.message(), wait)
}

fn extensions(code: Code, retry_after: Option<u64>) -> Json {
    let mut extensions = json!({ "code": code.as_str() });
    if let (Some(seconds), Some(extensions)) = (retry_after, extensions.as_object_mut()) {
        extensions.insert("retryAfterSeconds".to_owned(), seconds.into());
    }
    extensions
}

/// An answer that refuses a request for several faults, each with its line and column.
pub fn faults<'a>(
    code: Code,
    found: impl Iterator<Item = (&'a str, Option<(usize, usize)>)>,
) -> Answer {
    let each = found.map(|(message, place)| {
        let mut message = message.to_owned();
        shorten(&mut message);
        let extensions = extensions(code, code.retry_after_seconds());
        let mut error = json!({ "message": message, "extensions": extensions });
        if let (Some((line, column)), Some(error)) = (place, error.as_object_mut()) {
            error.insert("locations".to_owned(), json!([{ "line": line, "column": column }]));
        }
        error
    });
    refusal_of(each.collect(), code, code.retry_after_seconds())
}

/// An answer to an operation that ran, but has nothing to show for it.
pub fn failure(code: Code, message: &str) -> Answer {
    let retry_after = code.retry_after_seconds();
    let error = error(code, message, retry_after);
    let body = json!({ "data": null, "errors": [error] }).to_string().into_bytes();
    Answer { body, errors: None, code, retry_after }
}

fn error(code: Code, message: &str, retry_after: Option<u64>) -> Json {
    let mut message = message.to_owned();
    shorten(&mut message);
    json!({ "message": message, "extensions": extensions(code, retry_after) })
}

/// An answer for a fault of ours, which the log tells under the request's number.
pub fn internal(request: &RequestId) -> Answer {
    let code = Code::Internal;
    let extensions = json!({ "code": code.as_str(), "requestId": request.0 });
    let message = "Something went wrong on our side.";
    refusal_of(json!([{ "message": message, "extensions": extensions }]), code, None)
}

fn refusal_of(errors: Json, code: Code, retry_after: Option<u64>) -> Answer {
    let body = Map::from_iter([("errors".to_owned(), errors.clone())]);
    let body = serde_json::to_vec(&body).unwrap_or_default();
    Answer { body, errors: Some(errors), code, retry_after }
}

fn is_input_fault(error: &ServerError) -> bool {
    INPUT_FAULTS.iter().any(|start| error.message.starts_with(start))
}

/// Gives every error a code. What a resolver let slip without one is a fault of ours: it is
/// logged, and the client is told its number only.
fn dress(error: &mut ServerError, request: &RequestId) {
    if code_of(error).is_some() {
        return;
    }
    let extensions = error.extensions.get_or_insert_with(Default::default);
    if error.path.is_empty() || INPUT_FAULTS.iter().any(|s| error.message.starts_with(s)) {
        extensions.set("code", Code::BadUserInput.as_str());
        return;
    }
    tracing::error!(error = %error.message, request = request.0, "an error without a code");
    extensions.set("code", Code::Internal.as_str());
    extensions.set("requestId", request.0.as_str());
    error.message = "Something went wrong on our side.".to_owned();
}

fn shorten(message: &mut String) {
    if message.len() > MESSAGE_BYTES {
        let end = (0..=MESSAGE_BYTES).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or_default());
        message.push('…');
    }
}

/// Takes so many bytes, and no more.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.most.saturating_sub(self.bytes.len()) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
