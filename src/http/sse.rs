//! GraphQL over server-sent events, for networks where WebSockets die: a connection an operation.
//!
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md> (distinct connections mode)

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, Interval, interval_at};
use tokio_util::sync::CancellationToken;

use super::{
    body::ParsedRequest,
    execution::{self, Answers, Surroundings},
    response::refusal,
    router::App,
    sign_in,
    sockets::Place,
};
use crate::{
    engine::{Engine, Session},
    graphql::{ClientAddress, Code, RequestId},
};

/// The last event. Without its empty data, browsers would not tell it.
const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata:\n\n");

/// A comment, so that whoever stands between knows that the stream lives.
const PING: Bytes = Bytes::from_static(b":\n\n");

/// Who asks.
pub struct Asker {
    /// The header: looked up again now and then, so that a token dies when it is signed out.
    pub authorization: Option<String>,
    pub session: Option<Arc<Session>>,
    pub address: ClientAddress,
}

/// A running stream.
struct Running {
    /// None when only `complete` is left.
    answers: Option<Answers>,
    authorization: Option<String>,
    engine: Arc<Engine>,
    stop: CancellationToken,
    pings: Interval,
    _place: Place,
}

/// The answers of an operation as a stream of events. What is refused before it runs is an event
/// too: a browser's own client would take a status for the connection's fault.
pub fn respond(app: &App, parsed: Result<ParsedRequest, String>, asker: Asker) -> Response {
    let Some(place) = app.sockets.enter(asker.address.0) else {
        let why = "too many sockets from this address\n";
        return (StatusCode::TOO_MANY_REQUESTS, why).into_response();
    };
    let answers: Answers = match parsed {
        Ok(parsed) => {
            let around = Surroundings::of(app, asker.address);
            execution::run(parsed, asker.session, &around)
        }
        Err(why) => {
            let answer = Arc::new(refusal(Code::BadUserInput, &why));
            Box::pin(stream::once(async move { answer }))
        }
    };
    let every = app.http.socket.ping_interval;
    let running = Running {
        answers: Some(answers),
        authorization: asker.authorization,
        engine: Arc::clone(&app.engine),
        stop: app.stop.clone(),
        pings: interval_at(Instant::now() + every, every),
        _place: place,
    };
    let events = stream::unfold(running, Running::next);
    // A proxy that gathers what it passes on would make live updates late.
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(events)).into_response()
}

impl Running {
    /// The next event. Ends with `complete` where the operation does; without it where the house
    /// closes or the token is dead, so that the client comes back.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let answers = self.answers.as_mut()?;
        let event = tokio::select! {
            answer = answers.next() => match answer {
                Some(answer) => next(&answer.body),
                None => {
                    self.answers = None;
                    COMPLETE
                }
            },
            _ = self.pings.tick() => {
                let number = RequestId(uuid::Uuid::now_v7().simple().to_string());
                let authorization = self.authorization.as_deref();
                let session = sign_in::session(&self.engine, authorization, &number).await;
                if session.is_err_and(|answer| answer.code == Code::Unauthenticated) {
                    return None;
                }
                PING
            }
            () = self.stop.cancelled() => return None,
        };
        Some((Ok(event), self))
    }
}

/// An answer as an event. JSON has no line breaks of its own.
fn next(json: &[u8]) -> Bytes {
    [b"event: next\ndata: ", json, b"\n\n"].concat().into()
}
