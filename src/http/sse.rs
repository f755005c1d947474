//! GraphQL over server-sent events, for networks where WebSockets die: a connection an operation.
//!
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md> (distinct connections mode)

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, Interval, interval_at};
use tokio_util::sync::CancellationToken;

use super::{
    body::ParsedRequest,
    client_address,
    documents::OperationType,
    execution::{self, Answers, Surroundings},
    response::Answer,
    router::App,
    sign_in,
    sockets::Place,
};
use crate::{
    engine::{Session, SessionWatch},
    graphql::ClientAddress,
    telemetry::security::{About, Event, record},
};

/// The last event. Without its empty data, browsers would not tell it.
const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata:\n\n");

/// A comment, so that whoever stands between knows that the stream lives.
const PING: Bytes = Bytes::from_static(b":\n\n");

/// A running stream.
struct Running {
    /// None when only `complete` is left.
    answers: Option<Answers>,
    /// Ends the stream with the session; None for somebody who is not signed in.
    session: Option<SessionWatch>,
    stop: CancellationToken,
    pings: Interval,
    _place: Place,
}

/// The answers of an operation as a stream of events. What is refused before it runs is an event
/// too: a browser's own client would take a status for the connection's fault.
pub fn respond(
    app: &App,
    parsed: Result<ParsedRequest, Answer>,
    signed_in: Option<(Arc<Session>, SessionWatch)>,
    address: ClientAddress,
) -> Response {
    let Some(place) = app.sockets.enter(address) else {
        record(Event::SocketsOfAddress, &About::of(address.network().address()));
        return client_address::too_many("Too many sockets from this address.");
    };
    let (session, watch) = signed_in.unzip();
    // A mutation is answered whatever becomes of the session: it may be what ends it.
    let is_mutation = parsed.as_ref().is_ok_and(|it| it.kind() == OperationType::Mutation);
    let answers: Answers = match parsed {
        Ok(parsed) => execution::run(parsed, session, &Surroundings::of(app, address)),
        Err(answer) => only(answer),
    };
    let every = app.http.socket.ping_interval;
    let running = Running {
        answers: Some(answers),
        session: watch.filter(|_| !is_mutation),
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

/// One answer.
fn only(answer: Answer) -> Answers {
    let answer = Arc::new(answer);
    Box::pin(stream::once(async move { answer }))
}

impl Running {
    /// The next event. Ends with `complete` where the operation does, and after an error where the
    /// session does; without it where the server shuts down, so that the client comes back.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let answers = self.answers.as_mut()?;
        let event = tokio::select! {
            biased;
            () = sign_in::ended(self.session.as_ref()) => self.end(),
            () = self.stop.cancelled() => return None,
            _ = self.pings.tick() => PING,
            answer = answers.next() => match answer {
                // Told before it was made, perhaps.
                _ if self.session.as_ref().is_some_and(SessionWatch::is_over) => self.end(),
                Some(answer) => next(&answer.body),
                None => {
                    self.answers = None;
                    COMPLETE
                }
            },
        };
        Some((Ok(event), self))
    }

    /// The session is over: the error that says so, and then `complete`.
    fn end(&mut self) -> Bytes {
        self.session = None;
        self.answers = Some(Box::pin(stream::empty()));
        next(&sign_in::dead().body)
    }
}

/// An answer as an event. JSON has no line breaks of its own.
fn next(json: &[u8]) -> Bytes {
    [b"event: next\ndata: ", json, b"\n\n"].concat().into()
}
