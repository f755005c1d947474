//! Which pages of other sites may talk to us: none, unless allowed. A WebSocket is not bound by
//! CORS, so its Origin is checked here.

use axum::http::{HeaderMap, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

/// The origins allowed besides our own.
#[derive(Debug, Clone, Default)]
pub struct Origins(pub Vec<String>);

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
        (own.is_some() && own == host) || self.0.iter().any(|allowed| allowed == origin)
    }

    /// The headers that let allowed pages read our answers.
    pub fn cors(&self) -> CorsLayer {
        let allowed = self.0.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
        CorsLayer::new()
            .allow_origin(allowed.collect::<Vec<_>>())
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
            .max_age(std::time::Duration::from_secs(3_600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_pages_are_kept_out() {
        let origins = Origins(vec!["https://shop.example".to_owned()]);
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
}
