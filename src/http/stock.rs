//! The schema served by stock async-graphql-axum, for programs that embed the marketplace: its
//! request and response types and its WebSocket loop, over [`super::Executor`], with what they
//! leave open closed before them.
//!
//! What cannot be closed from outside, so that our own endpoints use none of it, is said in
//! `examples/embed.rs` and in `docs/architecture.md`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use async_graphql::{Executor as _, ParseRequestError};
use async_graphql_axum::{GraphQLBatchRequest, GraphQLProtocol, GraphQLResponse, GraphQLWebSocket};
use axum::{
    Router,
    extract::{
        ConnectInfo, FromRequest, FromRequestParts, Request, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::{Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing,
};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{sleep, timeout};
use tower_http::{limit::RequestBodyLimitLayer, timeout::RequestBodyTimeoutLayer};

use super::{executor::Executor, guard::guard, message::PROTOCOL, router::App, socket::LAST_WORDS};
use crate::telemetry::security::{About, Event, record};

/// `/graphql` over stock services: POST, queries over GET, and the WebSocket.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: clients are limited by the
/// address of their connection.
pub fn stock_routes(app: App) -> Router {
    let http = Arc::clone(&app.http);
    Router::new()
        .route("/graphql", routing::post(single).get(get))
        .layer(middleware::from_fn_with_state(http.origins.clone(), guard))
        .layer(RequestBodyLimitLayer::new(http.body_bytes))
        .layer(RequestBodyTimeoutLayer::new(http.body_timeout))
        .with_state(app)
}

/// What cannot be read, without a word of what the library makes of it.
struct Unreadable;

impl From<ParseRequestError> for Unreadable {
    fn from(_: ParseRequestError) -> Self {
        Self
    }
}

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        let why = "this is no GraphQL request in JSON, or larger than it may be\n";
        (StatusCode::BAD_REQUEST, why).into_response()
    }
}

/// A query or a mutation.
async fn single(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let executor = app.executor(peer.ip()).authorized_by(authorization);
    let executor = match *request.method() {
        Method::POST => executor,
        _ => executor.read_only(),
    };
    match GraphQLBatchRequest::<Unreadable>::from_request(request, &()).await {
        Ok(batch) => {
            GraphQLResponse(executor.execute_batch(batch.into_inner()).await).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// A socket, or a query in the URL.
async fn get(state: State<App>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    if !request.headers().contains_key(header::UPGRADE) {
        return single(state, peer, request).await;
    }
    let State(app) = state;
    match upgrade(app, peer.ip(), request).await {
        Ok(response) | Err(response) => response,
    }
}

async fn upgrade(app: App, address: IpAddr, request: Request) -> Result<Response, Response> {
    let (mut parts, _) = request.into_parts();
    let protocol = GraphQLProtocol::from_request_parts(&mut parts, &()).await;
    let protocol = protocol.map_err(IntoResponse::into_response)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    // The older subprotocol is not offered.
    let upgrade = upgrade.map_err(IntoResponse::into_response)?.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err((StatusCode::BAD_REQUEST, "speak graphql-transport-ws\n").into_response());
    }
    let executor = app.executor(address);
    let Some(place) = executor.enter_socket() else {
        record(Event::SocketsOfAddress, &About::of(address));
        return Err((StatusCode::TOO_MANY_REQUESTS, "too many sockets\n").into_response());
    };
    let bytes = app.http.socket.message_bytes;
    let upgrade = upgrade.max_message_size(bytes).max_frame_size(bytes);
    let tasks = app.tasks.clone();
    Ok(upgrade.on_upgrade(move |socket| {
        tasks.track_future(async move {
            serve(&app, executor, protocol, socket).await;
            drop(place);
        })
    }))
}

/// Serves a socket by the stock loop, until the client goes, says nothing at first, or the server
/// closes.
async fn serve(app: &App, executor: Executor, protocol: GraphQLProtocol, socket: WebSocket) {
    let settings = app.http.socket;
    let (mut sink, stream) = socket.split();
    let has_begun = Arc::new(AtomicBool::new(false));
    let sign_in = {
        let (executor, has_begun) = (executor.clone(), Arc::clone(&has_begun));
        move |payload| {
            has_begun.store(true, Relaxed);
            executor.sign_in(payload)
        }
    };
    let serving = GraphQLWebSocket::new_with_pair(&mut sink, stream, executor, protocol)
        .on_connection_init(sign_in)
        .serve();
    let silent = async {
        sleep(settings.init_timeout).await;
        if has_begun.load(Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let (code, reason) = tokio::select! {
        () = serving => return,
        () = silent => (4408, "Connection initialisation timeout"),
        () = app.stop.cancelled() => (1001, "Going away"),
    };
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let _ = timeout(LAST_WORDS, sink.send(close)).await;
}
