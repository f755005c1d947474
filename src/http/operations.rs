//! The operations that run on a socket, each by its id.

use std::{pin::Pin, sync::Arc};

use async_graphql::parser::types::OperationType;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio_stream::StreamMap;

use super::{
    body::Params,
    execution::{self, Answers, Surroundings},
    message,
    response::{Answer, refusal},
};
use crate::{engine::Session, graphql::Code};

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
        session: Option<Arc<Session>>,
        around: &Surroundings,
    ) -> Result<(), Frame> {
        let parsed = Params::from_json(params).and_then(|p| p.into_request(&around.documents));
        let parsed = parsed.map_err(|why| error_frame(&id, &refusal(Code::BadUserInput, &why)))?;
        let running = match parsed.kind {
            OperationType::Subscription => &mut self.subscriptions,
            _ => &mut self.single,
        };
        let answers = execution::run(parsed, session, around);
        running.insert(id.clone(), Box::pin(frames(answers, id)));
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

fn error_frame(id: &str, answer: &Answer) -> Frame {
    message::error(id, answer.errors.as_ref().unwrap_or(&Value::Null)).into_bytes()
}

/// The frames of an operation, then `complete`; but nothing more after an `error`.
fn frames(answers: Answers, id: String) -> impl Stream<Item = Frame> + Send + 'static {
    stream::unfold(Some((answers, id)), async |running| {
        let (mut answers, id) = running?;
        Some(match answers.next().await {
            None => (message::complete(&id).into_bytes(), None),
            Some(answer) if answer.errors.is_some() => (error_frame(&id, &answer), None),
            Some(answer) => (message::next(&id, &answer.body), Some((answers, id))),
        })
    })
}
