//! How a request's loads are gathered: by the task that resolves its fields, so that a load begins
//! when every field that can be reached has said what it needs. In a task of its own a load would
//! begin while a large page is still being walked, and such a page would be loaded bit by bit.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
};

use async_graphql::dataloader::DataLoader;
use futures_util::future::BoxFuture;

use super::Loader;
use crate::engine::Engine;

type Load = BoxFuture<'static, ()>;

/// The loaders of one request, made when the first of them is needed.
#[derive(Default)]
pub struct Loaders {
    loaders: OnceLock<DataLoader<Loader>>,
    /// Loads that nobody drives yet.
    begun: Arc<Mutex<Vec<Load>>>,
}

/// How many different keys are gathered at most: more than the fields of a document may ask for.
const MOST_KEYS: usize = 100_000;

impl Loaders {
    /// What `ask` loads through this engine.
    pub async fn load<'a, T, F: Future<Output = T>>(
        &'a self,
        engine: &Arc<Engine>,
        ask: impl FnOnce(&'a DataLoader<Loader>) -> F,
    ) -> T {
        let loaders = self.loaders.get_or_init(|| {
            let begun = Arc::clone(&self.begun);
            let begin = move |load| begun.lock().unwrap_or_else(PoisonError::into_inner).push(load);
            DataLoader::new(Loader(Arc::clone(engine)), begin).max_batch_size(MOST_KEYS)
        });
        let mut answer = pin!(ask(loaders));
        let mut driven = Driven(Vec::new());
        poll_fn(|context| {
            loop {
                if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                driven.0.append(&mut self.begun.lock().unwrap_or_else(PoisonError::into_inner));
                if !driven.ends_any(context) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// Loads that a field drives, of its own keys and others'.
struct Driven(Vec<Load>);

impl Driven {
    /// Goes on with each; whether any has ended.
    fn ends_any(&mut self, context: &mut Context<'_>) -> bool {
        let before = self.0.len();
        self.0.retain_mut(|load| load.as_mut().poll(context).is_pending());
        self.0.len() < before
    }
}

impl Drop for Driven {
    /// Others wait for what is left: their fields need not end with this one.
    fn drop(&mut self) {
        for load in self.0.drain(..) {
            tokio::spawn(load);
        }
    }
}

impl fmt::Debug for Loaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loaders")
    }
}
