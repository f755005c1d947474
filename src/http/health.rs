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

/// Able to serve, without a word of why not: that is for operators.
pub async fn readyz(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.stop.is_cancelled() || app.engine.trouble().is_some() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        false => (StatusCode::OK, "ready\n"),
    }
}

/// Able to serve: the database answers and takes writes, deadlines are kept, and the server is not
/// closing; else it says why not. It waits for nobody. Without the bus it still serves, and says
/// so.
pub async fn readyz_in_full(State(app): State<App>) -> (StatusCode, String) {
    if app.stop.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "closing\n".to_owned())
    } else if let Some(why) = app.engine.trouble() {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
    } else if app.engine.is_bus_up() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::OK, "ready; the bus is down: updates come from the log\n".to_owned())
    }
}

/// The numbers, in Prometheus's text format.
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics.render())
}
