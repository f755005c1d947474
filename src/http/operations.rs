//! The operations that run on a socket, each by its id.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{Stream, StreamExt};
use serde_json::Value;
use tokio_stream::StreamMap;

use super::{
    body::{Params, ParsedRequest},
    documents::OperationType,
    execution::{self, Answers, Surroundings},
    message,
    response::{Answer, refusal},
};
use crate::{engine::Session, graphql::Code};

/// A frame, ready to be sent.
#[derive(Debug)]
pub struct Frame {
    pub text: Vec<u8>,
    /// Whether it answers a mutation: that is told even to one whose session it ended.
    pub is_of_mutation: bool,
}

/// The operations that run on a socket.
#[derive(Default)]
pub struct Operations {
    /// By an id that costs nothing to copy: with each frame comes its own.
    running: StreamMap<Arc<str>, Operation>,
}

/// One operation: its answers as frames, then `complete`; but nothing more after an `error`.
struct Operation {
    id: Arc<str>,
    /// What each `next` frame begins with.
    head: Vec<u8>,
    /// `None` once it is over.
    answers: Option<Answers>,
    /// A subscription ends by the client or by its final event alone, others by themselves.
    kind: OperationType,
}

impl Operations {
    pub fn len(&self) -> usize {
        self.running.len()
    }

    pub fn contains(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    /// Ends an operation; its caller wants no more of it.
    pub fn cancel(&mut self, id: &str) {
        self.running.remove(id);
    }

    /// Ends what would not end by itself.
    pub fn end_subscriptions(&mut self) {
        self.end_unless(|kind| kind != OperationType::Subscription);
    }

    /// Ends all but the mutations, which are to be answered.
    pub fn end_reads(&mut self) {
        self.end_unless(|kind| kind == OperationType::Mutation);
    }

    fn end_unless(&mut self, stays: impl Fn(OperationType) -> bool) {
        for operation in self.running.values_mut() {
            operation.answers = operation.answers.take().filter(|_| stays(operation.kind));
        }
    }

    /// Begins an operation, as the one who is signed in. What is refused is a frame to send.
    ///
    /// # Errors
    /// With the `error` frame for the client.
    pub async fn begin(
        &mut self,
        id: String,
        params: Value,
        session: Option<Arc<Session>>,
        around: &Surroundings,
    ) -> Result<(), Vec<u8>> {
        let parsed = parse(params, around).await.map_err(|answer| error_frame(&id, &answer))?;
        let kind = parsed.kind();
        let answers = Some(execution::run(parsed, session, around));
        let head = message::next_head(&id);
        let id = Arc::<str>::from(id);
        let operation = Operation { id: Arc::clone(&id), head, answers, kind };
        self.running.insert(id, operation);
        Ok(())
    }

    /// The next frame to send; `None` when nothing runs.
    pub async fn next(&mut self) -> Option<Frame> {
        self.running.next().await.map(|(_, frame)| frame)
    }
}

impl Stream for Operation {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let Some(answers) = &mut self.answers else { return Poll::Ready(None) };
        let answer = ready!(answers.as_mut().poll_next(cx));
        let text = match answer {
            Some(answer) if answer.errors.is_none() => message::next(&self.head, &answer.body),
            Some(answer) => {
                self.answers = None;
                error_frame(&self.id, &answer)
            }
            None => {
                self.answers = None;
                message::complete(&self.id).into_bytes()
            }
        };
        let is_of_mutation = self.kind == OperationType::Mutation;
        Poll::Ready(Some(Frame { text, is_of_mutation }))
    }
}

async fn parse(params: Value, around: &Surroundings) -> Result<ParsedRequest, Answer> {
    let params = Params::from_json(params).map_err(|why| refusal(Code::BadUserInput, &why))?;
    params.into_request(around).await
}

fn error_frame(id: &str, answer: &Answer) -> Vec<u8> {
    message::error(id, answer.errors.as_ref().unwrap_or(&Value::Null)).into_bytes()
}
