//! The id of a request, by tower-http: made here or given by a trusted proxy, told in the answer's
//! `x-request-id`, in the log, and in the error of whoever met a fault of ours. Where the log is to
//! tell of requests, each has a span with it.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    http::{Extensions, HeaderValue, Response},
    middleware,
};
use tower_http::{
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId as Header, SetRequestIdLayer},
    trace::TraceLayer,
};
use tracing::{Level, Span};

use super::router::App;
use crate::graphql::RequestId;

const NAME: &str = "x-request-id";

/// What the log knows requests by: `--log info,neighborbid::request=debug`.
macro_rules! target {
    () => {
        "neighborbid::request"
    };
}

/// The longest id that is taken from a proxy: it is in every answer and line of the log.
const LONGEST: usize = 128;

/// Gives each request of the routes an id, which its answer carries, and, where the log tells of
/// requests, a span.
pub fn identified(router: Router<App>, app: &App) -> Router<App> {
    // Asked once: a span that nobody reads costs nothing.
    let router = match tracing::enabled!(target: target!(), Level::DEBUG) {
        true => router.layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(told)
                .on_body_chunk(())
                .on_eos(())
                .on_failure(()),
        ),
        false => router,
    };
    router
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(Made))
        .layer(middleware::map_request_with_state(app.clone(), forget_untrusted))
}

/// The id of a request.
pub fn of(extensions: &Extensions) -> RequestId {
    let id = extensions.get::<Header>().and_then(|id| id.header_value().to_str().ok());
    RequestId(id.unwrap_or_default().to_owned())
}

#[derive(Clone)]
struct Made;

impl MakeRequestId for Made {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<Header> {
        HeaderValue::from_str(&RequestId::new().0).ok().map(Header::new)
    }
}

/// An id that a client made up is none, and neither is one that would not be safe in a log.
async fn forget_untrusted(State(app): State<App>, mut request: Request) -> Request {
    let headers = request.headers_mut();
    let is_kept = |id: &HeaderValue| app.http.trust_proxy && is_id(id.as_bytes());
    if headers.get(NAME).is_some_and(|id| !is_kept(id)) {
        headers.remove(NAME);
    }
    request
}

fn is_id(text: &[u8]) -> bool {
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    (1..=LONGEST).contains(&text.len()) && text.iter().all(is_safe)
}

/// Without the URL's query, which may hold what is nobody else's.
fn span(request: &Request) -> Span {
    let id = of(request.extensions()).0;
    let (method, path) = (request.method(), request.uri().path());
    tracing::debug_span!(target: target!(), "request", id, %method, path)
}

fn told<B>(response: &Response<B>, latency: Duration, _: &Span) {
    let (status, micros) = (response.status().as_u16(), latency.as_micros());
    tracing::debug!(target: target!(), status, micros, "answered");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_safe_in_a_log() {
        let longest = "a".repeat(LONGEST);
        for id in ["1", "0199-aB_c.d", "Root=1-67891233-abc/=+:", longest.as_str()] {
            assert!(is_id(id.as_bytes()), "{id}");
        }
        let too_long = format!("{longest}a");
        for text in ["", "a b", "a\tb", "\"", "한", "a\u{1b}[31m", too_long.as_str()] {
            assert!(!is_id(text.as_bytes()), "{text:?}");
        }
    }
}
