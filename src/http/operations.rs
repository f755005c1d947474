//! The operations that run on a socket, each by its id.

use std::pin::Pin;

use async_graphql::parser::types::OperationType;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio_stream::StreamMap;

use super::{
    body::{Params, ParsedRequest},
    document::DocumentLimits,
    message,
    response::{Answer, answer, refusal},
};
use crate::{
    engine::Session,
    graphql::{ClientAddress, Code, RequestId, Schema},
};

/// A frame's text, ready to be sent.
type Frame = Vec<u8>;

type Running = Pin<Box<dyn Stream<Item = Frame> + Send>>;

/// The operations that run on a socket.
#[derive(Default)]
pub struct Operations {
    subscriptions: StreamMap<String, Running>,
    /// Queries and mutations: they end by themselves, and are let end when the house closes.
    single: StreamMap<String, Running>,
}

/// What every operation of a socket is run with.
#[derive(Clone)]
pub struct Surroundings {
    pub schema: Schema,
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
        let ParsedRequest { request, kind } =
            parsed.map_err(|why| error_frame(&id, &refusal(Code::BadUserInput, &why)))?;
        let number = RequestId(uuid::Uuid::now_v7().simple().to_string());
        let mut request = request.data(number.clone()).data(around.address);
        if let Some(session) = session {
            request = request.data(session);
        }
        let schema = around.schema.clone();
        let finish = id.clone();
        let complete = stream::once(async move { message::complete(&finish).into_bytes() });
        let name = id.clone();
        if kind == OperationType::Subscription {
            let responses = schema.execute_stream(request);
            let frames = responses.map(move |response| frame(&name, &answer(response, &number)));
            self.subscriptions.insert(id, Box::pin(until_error(frames, complete)));
        } else {
            let frames = stream::once(async move {
                let response = schema.execute(request).await;
                frame(&name, &answer(response, &number))
            });
            self.single.insert(id, Box::pin(until_error(frames, complete)));
        }
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
    complete: impl Stream<Item = Frame> + Send + 'static,
) -> impl Stream<Item = Frame> + Send + 'static {
    let complete = complete.map(|frame| (frame, true));
    stream::unfold((Box::pin(frames.chain(complete)), false), |(mut frames, over)| async move {
        if over {
            return None;
        }
        let (frame, over) = frames.next().await?;
        Some((frame, (frames, over)))
    })
}
