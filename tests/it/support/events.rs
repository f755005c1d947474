//! GraphQL over server-sent events, as a plain HTTP client reads it.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

/// A guard against hanging, not a measure.
const HANGS: Duration = Duration::from_secs(60);

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    response: reqwest::Response,
    /// What came and is not a whole event yet.
    rest: String,
}

/// How an operation is sent.
#[derive(Debug, Clone, Copy)]
pub enum Method {
    Get,
    Post,
}

impl Events {
    /// Asks; the answer must be a stream.
    pub async fn open(
        address: SocketAddr,
        token: Option<&str>,
        method: Method,
        query: &str,
        variables: Value,
    ) -> Self {
        let http = reqwest::Client::builder().timeout(HANGS).no_proxy().build().unwrap();
        let url = format!("http://{address}/graphql");
        let mut request = match method {
            Method::Get => {
                let variables = variables.to_string();
                let pairs = [("query", query), ("variables", &variables)];
                http.get(reqwest::Url::parse_with_params(&url, pairs).unwrap())
            }
            Method::Post => {
                let body = json!({ "query": query, "variables": variables }).to_string();
                http.post(url).header("content-type", "application/json").body(body)
            }
        };
        request = request.header("accept", "text/event-stream");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, rest: String::new() }
    }

    /// The next event's name and data; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| {
                    let of = |line: &str| Some(line.strip_prefix(name)?.trim_start().to_owned());
                    event.lines().find_map(of)
                };
                let data = field("data:").and_then(|data| serde_json::from_str(&data).ok());
                let event = field("event:").map(|name| (name, data.unwrap_or_default()));
                self.rest = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    // A comment.
                    None => continue,
                }
            }
            let more = self.response.chunk().await.expect("the stream broke")?;
            self.rest += std::str::from_utf8(&more).unwrap();
        }
    }
}
