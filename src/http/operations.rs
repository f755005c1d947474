//! The operations that run on a socket, each by its id.

use std::{pin::Pin, sync::Arc};

use async_graphql::{Request, parser::types::OperationType};
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio_stream::StreamMap;

use super::{
    body::{Params, ParsedRequest},
    document::DocumentLimits,
    message,
    response::{Answer, answer, refusal},
    shared::{Shared, Wish},
};
use crate::{
    engine::{Engine, Session},
    graphql::{ClientAddress, Code, RequestId, Schema},
};

/// A frame's text, ready to be sent.
type Frame = Vec<u8>;

type Running<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// The operations that run on a socket.
#[derive(Default)]
pub struct Operations {
    subscriptions: StreamMap<String, Running<Frame>>,
    /// Queries and mutations: they end by themselves, and are let end when the house closes.
    single: StreamMap<String, Running<Frame>>,
}

/// What every operation of a socket is run with.
#[derive(Clone)]
pub struct Surroundings {
    pub schema: Schema,
    pub engine: Arc<Engine>,
    pub shared: Arc<Shared>,
    pub limits: DocumentLimits,
    pub address: ClientAddress,
}

impl Operations {
    pub fn len(&self) -> usize {
        self.subscriptions.len() + self.single.len()
    }

    pub fn contains(&self, id: &str) -> bool {
        self.subscriptions.contains_key(id) || self.single.contains_key(id)
    }

    /// Ends an operation; its caller wants no more of it.
    pub fn cancel(&mut self, id: &str) {
        self.subscriptions.remove(id);
        self.single.remove(id);
    }

    /// Ends what would not end by itself.
    pub fn end_subscriptions(&mut self) {
        self.subscriptions.clear();
    }

    /// Begins an operation, as the one who is signed in. What is refused is a frame to send.
    ///
    /// # Errors
    /// With the `error` frame for the client.
    pub fn begin(
        &mut self,
        id: String,
        params: Value,
        session: Option<Session>,
        around: &Surroundings,
    ) -> Result<(), Frame> {
        let parsed = Params::from_json(params).and_then(|p| p.into_request(around.limits));
        let ParsedRequest { mut request, kind } =
            parsed.map_err(|why| error_frame(&id, &refusal(Code::BadUserInput, &why)))?;
        if kind != OperationType::Subscription {
            let frames = stream::once(single(id.clone(), request, session, around.clone()));
            self.single.insert(id.clone(), Box::pin(until_error(frames, id)));
            return Ok(());
        }
        let wish = around.shared.wish(&mut request, session.as_ref());
        let frames: Running<(Frame, bool)> = match wish {
            Some(wish) => {
                let begun = begin_shared(id.clone(), wish, request, session, around.clone());
                Box::pin(stream::once(begun).flatten())
            }
            None => Box::pin(own(id.clone(), request, session, around)),
        };
        self.subscriptions.insert(id.clone(), Box::pin(until_error(frames, id)));
        Ok(())
    }

    /// The next frame to send; `None` when nothing runs.
    pub async fn next(&mut self) -> Option<Frame> {
        tokio::select! {
            Some((_, frame)) = self.single.next() => Some(frame),
            Some((_, frame)) = self.subscriptions.next() => Some(frame),
            else => None,
        }
    }
}

/// A query or a mutation.
async fn single(
    id: String,
    request: Request,
    session: Option<Session>,
    around: Surroundings,
) -> (Frame, bool) {
    let (request, number) = with_asker(request, session, &around);
    frame(&id, &answer(around.schema.execute(request).await, &number))
}

/// A subscription that the schema answers by itself.
fn own(
    id: String,
    request: Request,
    session: Option<Session>,
    around: &Surroundings,
) -> impl Stream<Item = (Frame, bool)> + Send + 'static {
    let (request, number) = with_asker(request, session, around);
    let responses = around.schema.execute_stream(request);
    responses.map(move |response| {
        metrics::counter!("neighborbid_deliveries_total").increment(1);
        frame(&id, &answer(response, &number))
    })
}

/// A subscription that shares its answers with those who asked the same. What cannot be watched
/// is left to the schema to refuse.
async fn begin_shared(
    id: String,
    wish: Wish,
    request: Request,
    session: Option<Session>,
    around: Surroundings,
) -> Running<(Frame, bool)> {
    let Wish { auction, after, group } = wish;
    let Ok(Some(feed)) = around.engine.watch(auction, after).await else {
        return Box::pin(own(id, request, session, &around));
    };
    let schema = around.schema;
    Box::pin(stream::unfold((feed, group, schema, id), async |(mut feed, group, schema, id)| {
        let update = feed.next().await?;
        metrics::counter!("neighborbid_deliveries_total").increment(1);
        let frame = frame(&id, group.answer(&schema, &update).await.as_ref());
        Some((frame, (feed, group, schema, id)))
    }))
}

fn with_asker(
    request: Request,
    session: Option<Session>,
    around: &Surroundings,
) -> (Request, RequestId) {
    let number = RequestId(uuid::Uuid::now_v7().simple().to_string());
    let request = request.data(number.clone()).data(around.address);
    match session {
        Some(session) => (request.data(session), number),
        None => (request, number),
    }
}

/// A frame, and whether it ends its operation by itself.
fn frame(id: &str, answer: &Answer) -> (Frame, bool) {
    match &answer.errors {
        Some(_) => (error_frame(id, answer), true),
        None => (message::next(id, &answer.body), false),
    }
}

fn error_frame(id: &str, answer: &Answer) -> Frame {
    message::error(id, answer.errors.as_ref().unwrap_or(&Value::Null)).into_bytes()
}

/// The frames, then `complete`; but nothing more after an `error`.
fn until_error(
    frames: impl Stream<Item = (Frame, bool)> + Send + 'static,
    id: String,
) -> impl Stream<Item = Frame> + Send + 'static {
    let complete = stream::once(async move { (message::complete(&id).into_bytes(), true) });
    stream::unfold((Box::pin(frames.chain(complete)), false), |(mut frames, over)| async move {
        if over {
            return None;
        }
        let (frame, over) = frames.next().await?;
        Some((frame, (frames, over)))
    })
}
