//! How the schema is run: whatever a request's fields ask to be loaded is gathered.

use std::{any::Any, future::poll_fn, pin::pin, sync::Arc};

use async_graphql::{Data, Executor, Request, Response};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::{Mutation, Query, Subscription, loaders::Gathering};

/// The schema, ready to be run. It is an [`Executor`] for whoever serves it.
#[derive(Clone)]
pub struct Schema(async_graphql::Schema<Query, Mutation, Subscription>);

impl Schema {
    pub(super) const fn new(schema: async_graphql::Schema<Query, Mutation, Subscription>) -> Self {
        Self(schema)
    }

    /// What it was built with, of this type.
    #[must_use]
    pub fn data<D: Any + Send + Sync>(&self) -> Option<&D> {
        self.0.data()
    }

    /// The answer to a query or a mutation.
    pub async fn execute(&self, request: impl Into<Request>) -> Response {
        let mut gathering = Gathering::new();
        let request = request.into().data(gathering.batches());
        let mut running = pin!(self.0.execute(request));
        poll_fn(|context| gathering.poll(context, |context| running.as_mut().poll(context))).await
    }

    /// The answers to a subscription, or the one to another operation.
    pub fn execute_stream(&self, request: impl Into<Request>) -> BoxStream<'static, Response> {
        self.stream(request.into(), Arc::default())
    }

    fn stream(&self, request: Request, session: Arc<Data>) -> BoxStream<'static, Response> {
        let mut gathering = Gathering::new();
        let request = request.data(gathering.batches());
        let mut answers = self.0.execute_stream_with_session_data(request, session);
        let answers = stream::poll_fn(move |context| {
            gathering.poll(context, |context| answers.poll_next_unpin(context))
        });
        answers.boxed()
    }
}

impl Executor for Schema {
    async fn execute(&self, request: Request) -> Response {
        Self::execute(self, request).await
    }

    fn execute_stream(
        &self,
        request: Request,
        session_data: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        self.stream(request, session_data.unwrap_or_default())
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}
