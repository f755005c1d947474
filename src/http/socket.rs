//! One WebSocket's loop: graphql-transport-ws over the one schema.
//!
//! Nothing queues here. While a client does not take what it is sent, its operations are not
//! polled, so its feeds fall behind and conflate; and a client that takes nothing for long enough
//! is left.

use std::{ops::ControlFlow, pin::pin, sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{FutureExt, SinkExt};
use serde_json::{Map, Value};
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    execution::Surroundings,
    message::{self, ClientMessage, Close},
    operations::{Frame, Operations},
    response::{Answer, refusal},
    sign_in,
};
use crate::{
    engine::{Engine, Session, SessionWatch},
    graphql::{Code, RequestId},
};

/// How many frames one write carries at most.
const TOGETHER: usize = 32;

/// How long mutations that run may take to be answered when the session is over.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long the closing handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// How long a peer that is too slow may take to hear so.
pub const LAST_WORDS: Duration = Duration::from_secs(5);

/// A socket's bounds.
#[derive(Debug, Clone, Copy)]
pub struct SocketSettings {
    /// How long to wait for `connection_init`.
    pub init_timeout: Duration,
    /// How often to ask whether the peer lives; silent twice, it is dead.
    pub ping_interval: Duration,
    /// How long the peer may take nothing.
    pub write_timeout: Duration,
    /// The largest message, in bytes.
    pub message_bytes: usize,
    /// How many operations may run at once.
    pub operations: usize,
}

/// A socket and what runs on it.
pub struct Socket {
    pub socket: WebSocket,
    pub engine: Arc<Engine>,
    pub around: Surroundings,
    pub settings: SocketSettings,
    pub stop: CancellationToken,
}

/// Why a socket is left.
enum Left {
    /// We close it, saying why.
    Closing(Close),
    /// The session is over: what runs is ended, and we close it.
    SessionOver,
    /// The peer closed it, and is to be answered.
    Closed,
    /// The peer is gone.
    Gone,
}

/// Who asked, since `connection_init`.
struct Signed {
    /// The `authorization` that came along: looked up again for each operation.
    authorization: Option<String>,
    /// Ends the socket with the session; None for somebody who is not signed in.
    session: Option<SessionWatch>,
}

impl Socket {
    /// Serves the socket until it closes.
    pub async fn run(mut self) {
        let mut operations = Operations::default();
        match self.serve(&mut operations).await {
            ControlFlow::Break(Left::Closing(close)) => self.refuse(close).await,
            ControlFlow::Break(Left::SessionOver) => {
                operations.end_reads();
                let _ = timeout(LAST_ANSWERS, self.finish(&mut operations)).await;
                self.refuse(Close::FORBIDDEN).await;
            }
            ControlFlow::Break(Left::Closed) => self.answer_close().await,
            ControlFlow::Break(Left::Gone) => {}
            // The server shuts down: queries and mutations that run are let end, subscriptions
            // are not.
            ControlFlow::Continue(()) => {
                operations.end_subscriptions();
                self.finish(&mut operations).await;
                self.refuse(Close::GOING_AWAY).await;
            }
        }
    }

    /// Closes the socket, and gives the peer a moment to answer so that it reads the code.
    pub async fn refuse(mut self, close: Close) {
        let frame = CloseFrame { code: close.code, reason: close.reason.into_owned().into() };
        let told = self.socket.send(Message::Close(Some(frame)));
        if let Ok(Ok(())) = timeout(LAST_WORDS, told).await {
            self.answer_close().await;
        }
    }

    /// Reads to the end of the closing handshake: the close that answers the peer's leaves with
    /// it, with the peer's own code, and the peer waits for us to end the connection.
    async fn answer_close(&mut self) {
        let answered = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        let _ = timeout(HANDSHAKE, answered).await;
    }

    /// Handles what comes and sends what is ready. Continues when the server shuts down.
    async fn serve(&mut self, operations: &mut Operations) -> ControlFlow<Left> {
        let Clocks { init_by, mut pings } = self.clocks();
        let mut signed = None::<Signed>;
        let mut silent = 0;
        // Made once: each would take its turn at a lock that all sockets share.
        let stop = self.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        let mut turns = 0;
        loop {
            let session = signed.as_ref().and_then(|signed| signed.session.as_ref());
            // The session's end comes before all that is ready. Then what is to be sent, for
            // looking whether anything came costs as much as sending; but only so many times in a
            // row.
            tokio::select! {
                biased;
                () = sign_in::ended(session) => return ControlFlow::Break(Left::SessionOver),
                Some(frame) = operations.next(), if turns < TOGETHER => {
                    turns += 1;
                    self.send_ready(frame, operations, session).await?;
                }
                incoming = self.socket.recv() => {
                    (silent, turns) = (0, 0);
                    let Some(Ok(incoming)) = incoming else {
                        return ControlFlow::Break(Left::Gone);
                    };
                    self.handle(incoming, &mut signed, operations).await?;
                }
                _ = pings.tick() => {
                    silent += 1;
                    if silent > 2 {
                        return ControlFlow::Break(Left::Gone);
                    }
                    self.send(Message::Ping(Default::default())).await?;
                }
                () = sleep_until(init_by), if signed.is_none() => {
                    return ControlFlow::Break(Left::Closing(Close::INIT_TIMEOUT));
                }
                () = &mut stopped => return ControlFlow::Continue(()),
                () = std::future::ready(()), if turns >= TOGETHER => turns = 0,
            }
        }
    }

    fn clocks(&self) -> Clocks {
        let now = Instant::now();
        let every = self.settings.ping_interval;
        Clocks { init_by: now + self.settings.init_timeout, pings: interval_at(now + every, every) }
    }

    /// Lets what still runs end, and answers it.
    async fn finish(&mut self, operations: &mut Operations) {
        while let Some(frame) = operations.next().await {
            if self.send_text(frame.text).await.is_break() {
                break;
            }
        }
    }

    async fn handle(
        &mut self,
        incoming: Message,
        signed: &mut Option<Signed>,
        operations: &mut Operations,
    ) -> ControlFlow<Left> {
        let text = match incoming {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return ControlFlow::Continue(()),
            Message::Close(_) => return ControlFlow::Break(Left::Closed),
            Message::Binary(_) => return closing(Close::INVALID),
        };
        if text.len() > self.settings.message_bytes {
            return closing(Close::TOO_BIG);
        }
        match (ClientMessage::parse(&text), signed.as_ref()) {
            (Err(close), _) => closing(close),
            (Ok(ClientMessage::Init(_)), Some(_)) => closing(Close::TOO_MANY_INITS),
            (Ok(ClientMessage::Init(payload)), None) => {
                *signed = Some(self.sign_in(payload).await?);
                self.send_text(message::ACK.as_bytes().to_vec()).await
            }
            (Ok(ClientMessage::Ping(payload)), _) => {
                self.send_text(message::pong(payload).into_bytes()).await
            }
            (Ok(ClientMessage::Pong), _) => ControlFlow::Continue(()),
            (Ok(ClientMessage::Subscribe { .. }), None) => closing(Close::UNAUTHORIZED),
            (Ok(ClientMessage::Subscribe { id, params }), Some(signed)) => {
                self.begin(id, params, signed, operations).await
            }
            (Ok(ClientMessage::Complete { id }), _) => {
                operations.cancel(&id);
                ControlFlow::Continue(())
            }
        }
    }

    async fn sign_in(&mut self, payload: Map<String, Value>) -> ControlFlow<Left, Signed> {
        let authorization = match payload.get("authorization") {
            None | Some(Value::Null) => None,
            Some(Value::String(value)) => Some(value.clone()),
            Some(_) => return ControlFlow::Break(Left::Closing(Close::FORBIDDEN)),
        };
        let watched =
            sign_in::watch(&self.engine, authorization.as_deref(), &RequestId::new()).await;
        match watched.map_err(|answer| close_of(&answer)) {
            Ok(watched) => {
                let session = watched.map(|(_, session)| session);
                ControlFlow::Continue(Signed { authorization, session })
            }
            Err(close) => ControlFlow::Break(Left::Closing(close)),
        }
    }

    /// The session of an `authorization`, or the answer to one that is dead.
    async fn session(
        &mut self,
        authorization: Option<&str>,
    ) -> Result<Option<Arc<Session>>, Answer> {
        sign_in::session(&self.engine, authorization, &RequestId::new()).await
    }

    async fn begin(
        &mut self,
        id: String,
        params: Value,
        signed: &Signed,
        operations: &mut Operations,
    ) -> ControlFlow<Left> {
        if operations.contains(&id) {
            return closing(Close::already_exists(&id));
        }
        if !params.get("query").is_some_and(Value::is_string)
            || !params.get("variables").is_none_or(|v| v.is_object() || v.is_null())
        {
            return closing(Close::INVALID);
        }
        if operations.len() >= self.settings.operations {
            let answer = refusal(Code::RateLimited, "Too many operations run on this socket.");
            let errors = answer.errors.unwrap_or_default();
            return self.send_text(message::error(&id, &errors).into_bytes()).await;
        }
        let session = match self.session(signed.authorization.as_deref()).await {
            Ok(session) => session,
            // Only this operation is refused: what runs, runs on.
            Err(answer) if answer.code == Code::Overloaded => {
                let errors = answer.errors.unwrap_or_default();
                return self.send_text(message::error(&id, &errors).into_bytes()).await;
            }
            Err(answer) => return closing(close_of(&answer)),
        };
        match operations.begin(id, params, session, &self.around).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(frame) => self.send_text(frame).await,
        }
    }

    async fn send_text(&mut self, frame: Vec<u8>) -> ControlFlow<Left> {
        match Utf8Bytes::try_from(frame) {
            Ok(text) => self.send(Message::Text(text)).await,
            Err(_) => closing(Close::INTERNAL),
        }
    }

    /// Sends a frame together with those that are ready too: one write for all.
    async fn send_ready(
        &mut self,
        frame: Frame,
        operations: &mut Operations,
        session: Option<&SessionWatch>,
    ) -> ControlFlow<Left> {
        let socket = &mut self.socket;
        let sent = async {
            let mut next = Some(frame);
            for place in 1..=TOGETHER {
                let Some(frame) = next.take() else { break };
                // Looked at after the frame was made: what happened since the end is in none.
                if session.is_some_and(SessionWatch::is_over) && !frame.is_of_mutation {
                    return ControlFlow::Break(Left::SessionOver);
                }
                let text = Utf8Bytes::try_from(frame.text);
                let Ok(text) = text else { return closing(Close::INTERNAL) };
                if socket.feed(Message::Text(text)).await.is_err() {
                    return ControlFlow::Break(Left::Gone);
                }
                if place < TOGETHER {
                    next = operations.next().now_or_never().flatten();
                }
            }
            match socket.flush().await {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(Left::Gone),
            }
        };
        tokio::select! {
            biased;
            sent = timeout(self.settings.write_timeout, sent) => {
                sent.unwrap_or_else(|_| too_slow())
            }
            // A peer that takes nothing is not waited for.
            () = sign_in::ended(session) => ControlFlow::Break(Left::SessionOver),
        }
    }

    async fn send(&mut self, message: Message) -> ControlFlow<Left> {
        match timeout(self.settings.write_timeout, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(Left::Gone),
            Err(_) => too_slow(),
        }
    }
}

struct Clocks {
    init_by: Instant,
    pings: tokio::time::Interval,
}

/// The close for one whose token is dead, or cannot be looked up.
fn close_of(refused: &Answer) -> Close {
    match refused.code {
        Code::Unauthenticated => Close::FORBIDDEN,
        Code::Overloaded => Close::OVERLOADED,
        _ => Close::INTERNAL,
    }
}

/// What the peer does not take would wait for ever.
fn too_slow<T>() -> ControlFlow<Left, T> {
    metrics::counter!("neighborbid_slow_sockets_total").increment(1);
    closing(Close::TOO_SLOW)
}

fn closing<T>(close: Close) -> ControlFlow<Left, T> {
    ControlFlow::Break(Left::Closing(close))
}
