//! `GET /graphql`: the WebSocket's handshake, or a query in the URL.

use axum::{
    extract::{FromRequestParts, Request, State, ws::WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    client_address,
    execution::Surroundings,
    message::{Close, PROTOCOL},
    router::{self, App},
    socket::Socket,
};
use crate::{
    graphql::ClientAddress,
    telemetry::security::{About, Event, record},
};

/// Upgrades to a WebSocket where that is asked for; else answers the query in the URL.
pub async fn get(State(app): State<App>, address: ClientAddress, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let wants_socket = parts
        .headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !wants_socket {
        return router::get(app, address, Request::from_parts(parts, body)).await;
    }
    if !app.http.origins.may_connect(&parts.headers) {
        record(Event::OriginRefused, &About::of(address.0));
        return (StatusCode::FORBIDDEN, "this origin may not connect\n").into_response();
    }
    match WebSocketUpgrade::from_request_parts(&mut parts, &app).await {
        Ok(upgrade) => accept(app, address, upgrade, &parts.headers),
        Err(refused) => refused.into_response(),
    }
}

fn accept(
    app: App,
    address: ClientAddress,
    mut upgrade: WebSocketUpgrade,
    headers: &HeaderMap,
) -> Response {
    let Some(place) = app.sockets.enter(address) else {
        record(Event::SocketsOfAddress, &About::of(address.network().address()));
        return client_address::too_many("Too many sockets from this address.");
    };
    let spoken = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == PROTOCOL);
    if spoken {
        upgrade.set_selected_protocol(HeaderValue::from_static(PROTOCOL));
    }
    let settings = app.http.socket;
    // Somewhat more than is allowed, so that a message too big is answered and not just cut off.
    let most = settings.message_bytes.saturating_mul(2);
    let upgrade = upgrade
        // Cleared at each look for what came, and held by each idle watcher.
        .read_buffer_size(512)
        .write_buffer_size(4 * 1024)
        .max_message_size(most)
        .max_frame_size(most);
    let tasks = app.tasks.clone();
    upgrade.on_upgrade(move |socket| {
        let around = Surroundings::of(&app, address);
        let stop = app.stop.clone();
        let socket = Socket { socket, engine: app.engine.clone(), around, settings, stop };
        tasks.track_future(async move {
            match spoken {
                true => socket.run().await,
                false => socket.refuse(Close::NOT_ACCEPTABLE).await,
            }
            drop(place);
        })
    })
}
