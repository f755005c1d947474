//! JSON from clients, as a tree that is no deeper than the parser allows.

use async_graphql::Value as Plain;
use serde_json::{Error, Value};

/// Reads JSON. The JSON library's own tree takes an object with one private key for a text of more
/// JSON, which it reads at once and counts brackets anew in: with such texts within each other, a
/// message of 40 KB nests 1,700 deep, which a thread's stack may not bear. In the schema library's
/// tree an object is an object.
///
/// # Errors
/// When it is no JSON, or nests too deep.
pub fn read(bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice::<Plain>(bytes)?.into_json()
}

#[cfg(test)]
mod tests {
    use super::{super::body::Params, super::message::ClientMessage, *};

    #[test]
    fn json_within_json_is_a_text_and_nests_no_deeper() {
        let key = "$serde_json::private::RawValue";
        let mut json = "1".to_owned();
        while json.len() < 1 << 19 {
            let unread = Value::from(json).to_string();
            let (open, close) = ("[".repeat(100), "]".repeat(100));
            json = format!(r#"{open}{{"{key}":{unread}}}{close}"#);
        }
        let params = format!(r#"{{"query":"{{a}}","variables":{{"a":{json}}}}}"#);
        // With what the quick way does not read, too.
        let odd = params.replacen('{', r#"{"query":"{a}","#, 1);
        for body in [&params, &odd] {
            assert!(Params::from_body(body.as_bytes()).is_ok());
        }
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let pairs = vec![pair("query", "{a}"), pair("variables", &format!(r#"{{"a":{json}}}"#))];
        assert!(Params::from_url(pairs).is_ok());
        for (kind, payload) in [("subscribe", &params), ("ping", &params)] {
            let message = format!(r#"{{"type":"{kind}","id":"1","payload":{payload}}}"#);
            assert!(ClientMessage::parse(&message).is_ok());
        }
        let read = read(br#"{"$serde_json::private::RawValue":"[1]"}"#).unwrap();
        assert_eq!(read.get(key), Some(&Value::from("[1]")));
        assert!(super::read("[".repeat(1_000).as_bytes()).is_err());
    }
}
