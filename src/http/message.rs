//! graphql-transport-ws: its messages and close codes.
//!
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>

use std::borrow::Cow;

use async_graphql::Value as Plain;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The subprotocol's name.
pub const PROTOCOL: &str = "graphql-transport-ws";

/// The longest id of an operation, in bytes: it is kept while the operation runs, and sent with
/// each of its answers. Clients number them, or use UUIDs.
const LONGEST_ID: usize = 128;

/// What a client may send.
#[derive(Debug, PartialEq)]
pub enum ClientMessage {
    /// The first message; it may carry a token.
    Init(Map<String, Value>),
    /// The client asks whether we live.
    Ping(Option<Value>),
    /// The client lives.
    Pong,
    /// Begin an operation.
    Subscribe { id: String, params: Value },
    /// The client wants no more of an operation.
    Complete { id: String },
}

/// A reason to close a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The close code.
    pub code: u16,
    /// The reason, short enough for a close frame.
    pub reason: Cow<'static, str>,
}

impl Close {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    pub const GOING_AWAY: Self = Self::new(1001, "Going away");
    pub const TOO_BIG: Self = Self::new(1009, "Message too big");
    /// What the peer does not take cannot wait for ever; clients come back by themselves on this
    /// code, and resume.
    pub const TOO_SLOW: Self = Self::new(1013, "Too slow: connect and subscribe again");
    /// Clients come back by themselves on this code, too.
    pub const OVERLOADED: Self = Self::new(1013, "Try again later");
    pub const INVALID: Self = Self::new(4400, "Invalid message");
    pub const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    pub const NOT_ACCEPTABLE: Self = Self::new(4406, "Subprotocol not acceptable");
    pub const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub const TOO_MANY_INITS: Self = Self::new(4429, "Too many initialisation requests");
    pub const INTERNAL: Self = Self::new(4500, "Internal server error");

    /// An operation of that id runs already. The id is cut: a close frame holds 123 bytes.
    pub fn already_exists(id: &str) -> Self {
        let mut id = id.to_owned();
        id.truncate(id.floor_char_boundary(60));
        Self { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
    }
}

/// Not of the JSON library's own trees: see [`super::json`].
#[derive(Deserialize)]
struct Raw {
    r#type: String,
    id: Option<Plain>,
    payload: Option<Plain>,
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// With the close that answers anything else.
    pub fn parse(text: &str) -> Result<Self, Close> {
        let raw: Raw = serde_json::from_str(text).map_err(|_| Close::INVALID)?;
        let id = |id| match id {
            Some(Plain::String(id)) if !id.is_empty() && id.len() <= LONGEST_ID => Ok(id),
            _ => Err(Close::INVALID),
        };
        let payload = raw.payload.map(Plain::into_json).transpose().map_err(|_| Close::INVALID)?;
        match (raw.r#type.as_str(), payload) {
            ("connection_init", None | Some(Value::Null)) => Ok(Self::Init(Map::new())),
            ("connection_init", Some(Value::Object(payload))) => Ok(Self::Init(payload)),
            ("ping", payload @ (None | Some(Value::Null | Value::Object(_)))) => {
                Ok(Self::Ping(payload))
            }
            ("pong", None | Some(Value::Null | Value::Object(_))) => Ok(Self::Pong),
            ("subscribe", Some(params @ Value::Object(_))) => {
                Ok(Self::Subscribe { id: id(raw.id)?, params })
            }
            ("complete", _) => Ok(Self::Complete { id: id(raw.id)? }),
            _ => Err(Close::INVALID),
        }
    }
}

/// `connection_ack`.
pub const ACK: &str = r#"{"type":"connection_ack"}"#;

/// `pong`, with the ping's payload.
pub fn pong(payload: Option<Value>) -> String {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{payload}}}"#),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// What the `next` messages of an operation begin with.
pub fn next_head(id: &str) -> Vec<u8> {
    format!(r#"{{"type":"next","id":{},"payload":"#, Value::from(id)).into_bytes()
}

/// `next`, around a payload that is JSON already.
pub fn next(head: &[u8], payload: &[u8]) -> Vec<u8> {
    [head, payload, b"}"].concat()
}

/// `error`, with the list of errors.
pub fn error(id: &str, errors: &Value) -> String {
    format!(r#"{{"type":"error","id":{},"payload":{errors}}}"#, Value::from(id))
}

/// `complete`.
pub fn complete(id: &str) -> String {
    format!(r#"{{"type":"complete","id":{}}}"#, Value::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_malformed_closes_with_4400() {
        for text in [
            "",
            "{",
            "[]",
            "1",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"unknown"}"#,
            r#"{"type":"connection_init","payload":[]}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{}}"#,
            r#"{"type":"subscribe","id":"","payload":{}}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"ping","payload":1}"#,
            r#"{"type":"connection_ack"}"#,
        ] {
            assert_eq!(ClientMessage::parse(text), Err(Close::INVALID), "{text}");
        }
    }

    #[test]
    fn a_close_reason_fits_its_frame() {
        assert!(Close::already_exists(&"한".repeat(500)).reason.len() <= 123);
    }

    #[test]
    fn a_payload_is_spliced_in_as_it_is() {
        let text = String::from_utf8(next(&next_head("a\"b"), br#"{"data":1}"#)).unwrap();
        assert_eq!(text, r#"{"type":"next","id":"a\"b","payload":{"data":1}}"#);
    }
}
