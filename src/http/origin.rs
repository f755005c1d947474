//! Which pages of other sites may talk to us: none, unless allowed. A WebSocket is not bound by
//! CORS, so its Origin is checked here.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

/// What pages may send besides what every page may: a token, and what tracing tools and clients of
/// GraphQL add by themselves. A name that were missing here would make a browser block the request.
const MAY_SEND: [&str; 14] = [
    "authorization",
    "content-type",
    "accept",
    "x-request-id",
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
    "apollographql-client-name",
    "apollographql-client-version",
    "apollo-require-preflight",
    "graphql-client-name",
    "graphql-client-version",
    "x-requested-with",
];

/// What pages may read of an answer's head.
const MAY_READ: [&str; 2] = ["x-request-id", "retry-after"];

/// An origin as browsers name it: a scheme, a host and maybe a port, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origin = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let wrong = || {
            format!(
                "{text:?} is no origin: a scheme, a host and maybe a port, as in \
                 https://shop.example; there is no wildcard"
            )
        };
        let (scheme, authority) = origin.split_once("://").ok_or_else(wrong)?;
        let usual = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(wrong()),
        };
        // A browser leaves out the port that its scheme has anyway.
        let authority = authority.strip_suffix(usual).unwrap_or(authority);
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_host = match authority.starts_with('[') {
            true => host.parse::<std::net::Ipv6Addr>().is_ok(),
            false => !host.is_empty() && host.chars().all(is_name),
        };
        let number = port.strip_prefix(':').map(str::parse::<u16>);
        let is_port = port.is_empty() || matches!(number, Some(Ok(_)));
        (is_host && is_port).then(|| Self(format!("{scheme}://{authority}"))).ok_or_else(wrong)
    }
}

/// The origins allowed besides our own.
#[derive(Debug, Clone, Default)]
pub struct Origins(pub Vec<Origin>);

impl Origins {
    /// Whether a browser page that names its origin in `headers` may open a WebSocket. Clients
    /// that are no browsers name none.
    pub fn may_connect(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let own = origin.split_once("://").map(|(_, authority)| authority);
        (own.is_some() && own == host) || self.0.iter().any(|allowed| allowed.0 == origin)
    }

    /// The headers that let allowed pages read our answers.
    pub fn cors(&self) -> CorsLayer {
        let allowed = self.0.iter().filter_map(|origin| HeaderValue::from_str(&origin.0).ok());
        CorsLayer::new()
            .allow_origin(allowed.collect::<Vec<_>>())
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(MAY_SEND.map(HeaderName::from_static))
            .expose_headers(MAY_READ.map(HeaderName::from_static))
            .max_age(std::time::Duration::from_secs(3_600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_pages_are_kept_out() {
        let origins = Origins(vec!["https://shop.example/".parse().unwrap()]);
        for (origin, may) in [
            (None, true),
            (Some("http://house.example:8000"), true),
            (Some("https://shop.example"), true),
            (Some("http://house.example"), false),
            (Some("https://evil.example"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("house.example:8000"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(origins.may_connect(&headers), may, "{origin:?}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, origin) in [
            ("http://shop.test/", "http://shop.test"),
            ("https://Shop.Test", "https://shop.test"),
            ("https://shop.test:443", "https://shop.test"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().0, origin);
        }
        for text in [
            "*",
            "",
            "null",
            "shop.test",
            "https://",
            "https://*.shop.test",
            "https://shop.test/path",
            "https://shop.test?",
            "https://user@shop.test",
            "https://shop.test:port",
            "https://shop.test:",
            "ftp://shop.test",
            "https://shop.test https://other.test",
        ] {
            assert!(text.parse::<Origin>().unwrap_err().contains("is no origin"), "{text}");
        }
    }
}
