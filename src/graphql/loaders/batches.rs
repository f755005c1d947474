//! The keys that the fields of a request have asked for and that are not loaded yet: a batch for
//! each kind of key, which many fields wait for and one load answers.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet},
    fmt,
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::future::BoxFuture;

use super::{Failure, Key, Load, Loader, Value};
use crate::engine::Engine;

/// A load that has not begun, or has not ended.
pub type Loading = BoxFuture<'static, ()>;

/// The batches of one request. Nothing is loaded twice at once, and nothing is kept: a mutation
/// may follow.
#[derive(Default)]
pub struct Batches(Mutex<Open>);

#[derive(Default)]
struct Open {
    /// Those that still take keys, by the type of the key.
    batches: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    /// Their loads.
    loads: Vec<Loading>,
}

impl Batches {
    /// What is found for these keys, once the batch that they join is loaded.
    ///
    /// # Errors
    /// When it cannot be loaded: the same for all who wait for it.
    pub async fn load<K: Key>(
        &self,
        engine: &Arc<Engine>,
        keys: Vec<K>,
    ) -> Result<HashMap<K, Value<K>>, Failure>
    where
        Loader: Load<K>,
    {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let batch = self.join(engine, &keys);
        let mut place = None;
        poll_fn(|context| batch.answer(&keys, &mut place, context)).await
    }

    fn join<K: Key>(&self, engine: &Arc<Engine>, keys: &[K]) -> Arc<Batch<K>>
    where
        Loader: Load<K>,
    {
        let mut open = lock(&self.0);
        let joined = open.batches.get(&TypeId::of::<K>()).map(Arc::clone);
        let batch = joined.and_then(|batch| batch.downcast().ok()).unwrap_or_else(|| {
            let batch = Arc::new(Batch::new());
            open.batches.insert(TypeId::of::<K>(), Arc::clone(&batch) as _);
            open.loads.push(Box::pin(Arc::clone(&batch).load(Loader(Arc::clone(engine)))));
            batch
        });
        lock(&batch.0).keys.extend(keys.iter().cloned());
        batch
    }

    /// Closes every batch, and gives their loads to whoever runs them.
    pub fn close(&self) -> Vec<Loading> {
        let mut open = lock(&self.0);
        open.batches.clear();
        mem::take(&mut open.loads)
    }

    #[cfg(test)]
    pub fn add(&self, load: Loading) {
        lock(&self.0).loads.push(load);
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batches")
    }
}

/// What one load is asked for, and what it found.
struct Batch<K: Key>(Mutex<State<K>>)
where
    Loader: Load<K>;

struct State<K: Key>
where
    Loader: Load<K>,
{
    keys: HashSet<K>,
    waiting: Vec<Waker>,
    found: Option<Result<HashMap<K, Value<K>>, Failure>>,
}

impl<K: Key> Batch<K>
where
    Loader: Load<K>,
{
    fn new() -> Self {
        Self(Mutex::new(State { keys: HashSet::new(), waiting: Vec::new(), found: None }))
    }

    /// Loads all keys that came until this is polled first.
    async fn load(self: Arc<Self>, loader: Loader) {
        let keys: Vec<K> = mem::take(&mut lock(&self.0).keys).into_iter().collect();
        let found = loader.load(&keys).await;
        let mut state = lock(&self.0);
        state.found = Some(found);
        state.waiting.drain(..).for_each(Waker::wake);
    }

    /// What was found for these keys; who waits for it has one place, however often it asks.
    fn answer(
        &self,
        keys: &[K],
        place: &mut Option<usize>,
        context: &Context<'_>,
    ) -> Poll<Result<HashMap<K, Value<K>>, Failure>> {
        let mut state = lock(&self.0);
        match &state.found {
            Some(Ok(found)) => {
                let value = |key: &K| found.get(key).map(|value| (key.clone(), value.clone()));
                return Poll::Ready(Ok(keys.iter().filter_map(value).collect()));
            }
            Some(Err(failure)) => return Poll::Ready(Err(Arc::clone(failure))),
            None => {}
        }
        match place.and_then(|place| state.waiting.get_mut(place)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                *place = Some(state.waiting.len());
                state.waiting.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
