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
    operations::Operations,
    response::refusal,
    sign_in,
};
use crate::{
    engine::{Engine, Session},
    graphql::{Code, RequestId},
};

/// How many frames one write carries at most.
const TOGETHER: usize = 32;

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
    /// The peer closed it, and is to be answered.
    Closed,
    /// The peer is gone.
    Gone,
}

/// Who asked, since `connection_init`.
struct Signed {
    /// The `authorization` that came along: looked up again for each operation, so that a token
    /// is dead the moment it is signed out.
    authorization: Option<String>,
}

impl Socket {
    /// Serves the socket until it closes.
    pub async fn run(mut self) {
        let mut operations = Operations::default();
        let left = match self.serve(&mut operations).await {
            ControlFlow::Break(left) => left,
            ControlFlow::Continue(()) => Left::Closing(self.finish(&mut operations).await),
        };
        match left {
            Left::Closing(close) => self.refuse(close).await,
            Left::Closed => self.answer_close().await,
            Left::Gone => {}
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

    /// Handles what comes and sends what is ready. Continues when the house closes.
    async fn serve(&mut self, operations: &mut Operations) -> ControlFlow<Left> {
        let Clocks { init_by, mut pings } = self.clocks();
        let mut signed = None;
        let mut silent = 0;
        // Made once: each would take its turn at a lock that all sockets share.
        let stop = self.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        let mut turns = 0;
        loop {
            // What is to be sent comes first, for looking whether anything came costs as much as
            // sending; but only so many times in a row.
            tokio::select! {
                biased;
                Some(frame) = operations.next(), if turns < TOGETHER => {
                    turns += 1;
                    self.send_ready(frame, operations).await?;
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
                    self.check_token(signed.as_ref()).await?;
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

    /// The house closes: queries and mutations that run are let end, subscriptions are not.
    async fn finish(&mut self, operations: &mut Operations) -> Close {
        operations.end_subscriptions();
        while let Some(frame) = operations.next().await {
            if self.send_text(frame).await.is_break() {
                break;
            }
        }
        Close::GOING_AWAY
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
        match self.session(authorization.as_deref()).await {
            Ok(_) => ControlFlow::Continue(Signed { authorization }),
            Err(close) => ControlFlow::Break(Left::Closing(close)),
        }
    }

    /// The session of an `authorization`, or the close for one that is dead.
    async fn session(
        &mut self,
        authorization: Option<&str>,
    ) -> Result<Option<Arc<Session>>, Close> {
        let number = RequestId(uuid::Uuid::now_v7().simple().to_string());
        let session = sign_in::session(&self.engine, authorization, &number).await;
        session.map_err(|answer| match answer.code {
            Code::Unauthenticated => Close::FORBIDDEN,
            _ => Close::INTERNAL,
        })
    }

    async fn check_token(&mut self, signed: Option<&Signed>) -> ControlFlow<Left> {
        let authorization = signed.and_then(|signed| signed.authorization.as_deref());
        match self.session(authorization).await {
            Err(close) if close == Close::FORBIDDEN => closing(close),
            _ => ControlFlow::Continue(()),
        }
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
            Err(close) => return closing(close),
        };
        match operations.begin(id, params, session, &self.around) {
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
        frame: Vec<u8>,
        operations: &mut Operations,
    ) -> ControlFlow<Left> {
        let socket = &mut self.socket;
        let sent = async {
            let mut next = Some(frame);
            for place in 1..=TOGETHER {
                let Some(frame) = next.take() else { break };
                let Ok(text) = Utf8Bytes::try_from(frame) else { return closing(Close::INTERNAL) };
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
        timeout(self.settings.write_timeout, sent).await.unwrap_or_else(|_| too_slow())
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

/// What the peer does not take would wait for ever.
fn too_slow<T>() -> ControlFlow<Left, T> {
    metrics::counter!("neighborbid_slow_sockets_total").increment(1);
    closing(Close::TOO_SLOW)
}

fn closing<T>(close: Close) -> ControlFlow<Left, T> {
    ControlFlow::Break(Left::Closing(close))
}
