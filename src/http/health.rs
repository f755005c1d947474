//! What operators ask: alive, ready, and the numbers.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

use super::router::App;

/// Alive: the process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Able to serve: the database answers, and the house is not closing. Without the bus it still
/// serves, and says so.
pub async fn readyz(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.stop.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "closing\n")
    } else if app.engine.is_ready().await {
        match app.engine.is_bus_up() {
            true => (StatusCode::OK, "ready\n"),
            false => (StatusCode::OK, "ready; the bus is down: updates come from the log\n"),
        }
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
    }
}

/// The numbers, in Prometheus's text format.
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics.render())
}
