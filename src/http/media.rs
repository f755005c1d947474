//! What a request accepts and what it brings, by its headers.

use axum::http::{HeaderMap, header};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    Json,
    GraphqlResponse,
}

/// What `Accept` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The best way to write a single answer, if any is accepted.
    pub single: Option<MediaType>,
    /// Whether answers may come as a stream of events.
    pub events: bool,
}

impl Accepted {
    /// Reads it; without the header, JSON.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(header::ACCEPT).iter().peekable();
        if accepted.peek().is_none() {
            return Self { single: Some(MediaType::Json), events: false };
        }
        let list = accepted.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
        let (mut json, mut graphql, mut events) = (0, 0, 0);
        for range in list.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, weight);
            match name.as_str() {
                "application/graphql-response+json" => graphql = graphql.max(weight),
                "application/json" | "application/*" | "*/*" | "" => json = json.max(weight),
                "text/event-stream" => events = events.max(weight),
                _ => {}
            }
        }
        let single = match (graphql, json) {
            (0, 0) => None,
            (graphql, json) if graphql >= json => Some(MediaType::GraphqlResponse),
            _ => Some(MediaType::Json),
        };
        Self { single, events: events > 0 }
    }
}

impl MediaType {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// A quality value, in thousandths: `0.8` is 800.
fn weight(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let thousandths = digits.parse().unwrap_or(0);
    whole.parse::<u32>().map_or(0, |whole| (whole.min(1) * 1_000 + thousandths).min(1_000))
}

/// Whether a body is said to be JSON in UTF-8.
pub fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = text.unwrap_or_default().split(';').map(|part| part.trim().to_lowercase());
    let is_json = parts.next().as_deref() == Some("application/json");
    let is_utf8 = parts
        .filter_map(|part| part.strip_prefix("charset=").map(|c| c.trim_matches('"').to_owned()))
        .all(|charset| charset == "utf-8");
    is_json && is_utf8
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_media_type_is_the_best_that_is_accepted() {
        use MediaType::{GraphqlResponse as Graphql, Json};
        for (accept, media) in [
            (None, Some(Json)),
            (Some(""), Some(Json)),
            (Some("*/*"), Some(Json)),
            (Some("application/json"), Some(Json)),
            (Some("application/graphql-response+json"), Some(Graphql)),
            (Some("application/graphql-response+json, application/json"), Some(Graphql)),
            (Some("application/json, application/graphql-response+json;q=0.9"), Some(Json)),
            (Some("application/graphql-response+json,application/json;q=0.9"), Some(Graphql)),
            (Some("Application/GraphQL-Response+JSON; q=1"), Some(Graphql)),
            (Some("text/html"), None),
            (Some("text/event-stream"), None),
            (Some("text/event-stream, application/json"), Some(Json)),
            (Some("application/json;q=0"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            let found = Accepted::of(&headers);
            assert_eq!(found.single, media, "{accept:?}");
            let events = accept.is_some_and(|accept| accept.contains("event-stream"));
            assert_eq!(found.events, events, "{accept:?}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_a_body() {
        for (kind, fits) in [
            ("application/json", true),
            ("application/json; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("text/plain", false),
            ("application/json; charset=iso-8859-1", false),
            ("", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_json(&headers), fits, "{kind}");
        }
    }
}
