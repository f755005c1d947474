//! What stock GraphQL services let in and must not: bodies that a page of another site may send
//! without asking, and sockets that such a page opens.

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{media::is_json, origin::Origins};
use crate::telemetry::security::{About, Event, record};

/// Middleware before a stock service: a POST brings `application/json`, which browsers send to
/// other sites only where those allow it, and a WebSocket comes from an origin of our own or an
/// allowed one. Mount it with `axum::middleware::from_fn_with_state`.
pub async fn guard(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if request.method() == Method::POST && !is_json(headers) {
        let why = "the body must be application/json in UTF-8\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    }
    if headers.contains_key(header::UPGRADE) && !origins.may_connect(headers) {
        record(Event::OriginRefused, &About::default());
        return (StatusCode::FORBIDDEN, "this origin may not connect\n").into_response();
    }
    next.run(request).await
}
