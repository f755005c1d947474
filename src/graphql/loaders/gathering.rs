//! How a request's loads are gathered: by the task that resolves its fields, so that a load begins
//! when every field that can be reached has said what it needs. In a task of its own a load would
//! begin while a large page is still being walked, and such a page would be loaded bit by bit.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use async_graphql::dataloader::DataLoader;
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use super::Loader;
use crate::engine::Engine;

type Load = BoxFuture<'static, ()>;

/// The loaders of one request, made when the first of them is needed.
#[derive(Default)]
pub struct Loaders {
    loaders: OnceLock<DataLoader<Loader>>,
    /// Loads that nobody drives yet.
    begun: Arc<Mutex<Vec<Load>>>,
    /// Loads whose field has ended, and which others may wait for. They end with the request.
    left: Mutex<JoinSet<()>>,
}

/// How many different keys are gathered at most: more than the fields of a document may ask for.
const MOST_KEYS: usize = 100_000;

/// How long keys are gathered: longer than a page is walked, which takes a build that is not
/// optimised some twenty times as long.
const GATHERING: Duration = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1 });

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
            DataLoader::new(Loader(Arc::clone(engine)), begin)
                .max_batch_size(MOST_KEYS)
                .delay(GATHERING)
        });
        let mut answer = pin!(ask(loaders));
        let mut driven = Driven { loads: Vec::new(), left: &self.left };
        poll_fn(|context| {
            loop {
                if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
                driven.loads.append(&mut begun);
                drop(begun);
                if !driven.ends_any(context) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// Loads that a field drives, of its own keys and others'.
struct Driven<'a> {
    loads: Vec<Load>,
    left: &'a Mutex<JoinSet<()>>,
}

impl Driven<'_> {
    /// Goes on with each; whether any has ended.
    fn ends_any(&mut self, context: &mut Context<'_>) -> bool {
        let before = self.loads.len();
        self.loads.retain_mut(|load| load.as_mut().poll(context).is_pending());
        self.loads.len() < before
    }
}

impl Drop for Driven<'_> {
    /// Others wait for what is left: their fields need not end with this one.
    fn drop(&mut self) {
        if self.loads.is_empty() {
            return;
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        // A subscription's request lasts: what has ended is not kept.
        while left.try_join_next().is_some() {}
        for load in self.loads.drain(..) {
            left.spawn(load);
        }
    }
}

impl fmt::Debug for Loaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loaders")
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;

    #[tokio::test]
    async fn a_load_outlives_its_field_and_not_its_request() {
        let loaders = Loaders::default();
        let (held, mut is_over) = oneshot::channel::<()>();
        let load = async move {
            let _held = held;
            pending::<()>().await
        };
        drop(Driven { loads: vec![Box::pin(load)], left: &loaders.left });
        tokio::task::yield_now().await;
        assert_eq!(is_over.try_recv(), Err(TryRecvError::Empty));
        drop(loaders);
        assert!(is_over.await.is_err());
    }
}
