//! When a request's loads begin: as soon as every field that can be reached has said what it needs.
//!
//! Nothing is timed. A request's fields are futures of one task; once none of them has woken the
//! task they have all said what they wait for, and what they wait for is loaded. Loads run in
//! rounds, the next one when the last has ended: how many statements a page costs is a matter of
//! its document alone, not of how busy the machine is or which load ends first.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

use super::batches::{Batches, Loading};

/// Polls what resolves a request's fields, and runs what they ask to be loaded.
pub struct Gathering {
    batches: Arc<Batches>,
    /// This round's loads.
    running: Vec<Loading>,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Gathering {
    /// For a new request.
    pub fn new() -> Self {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        Self { batches: Arc::default(), running: Vec::new(), signal, waker }
    }

    /// Where its fields ask.
    pub fn batches(&self) -> Arc<Batches> {
        Arc::clone(&self.batches)
    }

    /// Polls the fields by `resolve`, and the loads that they wait for.
    pub fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        mut resolve: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.signal.task.register(context.waker());
        loop {
            if self.signal.begin() {
                if let Poll::Ready(answer) = resolve(&mut Context::from_waker(&self.waker)) {
                    self.signal.begin_anew();
                    return Poll::Ready(answer);
                }
                // There is more to resolve; other tasks have their turn before that.
                if self.signal.is_woken() {
                    self.signal.end();
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if self.running.is_empty() {
                self.running = self.batches.close();
            }
            self.running.retain_mut(|load| load.as_mut().poll(context).is_pending());
            if !self.signal.end() {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gathering")
    }
}

/// Wakes the task of a request for its fields, and remembers that it was they who were woken.
struct Signal {
    state: AtomicU8,
    task: AtomicWaker,
}

/// A field has something to do.
const WOKEN: u8 = 1;
/// The task runs, and looks by itself who was woken.
const RUNNING: u8 = 2;

impl Default for Signal {
    fn default() -> Self {
        Self { state: AtomicU8::new(WOKEN), task: AtomicWaker::new() }
    }
}

impl Signal {
    /// The task runs; whether the fields have something to do.
    fn begin(&self) -> bool {
        self.state.swap(RUNNING, Ordering::AcqRel) & WOKEN != 0
    }

    fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) & WOKEN != 0
    }

    /// The task runs no more; whether the fields have something to do.
    fn end(&self) -> bool {
        self.state.fetch_and(!RUNNING, Ordering::AcqRel) & WOKEN != 0
    }

    /// The fields have answered, and may be asked for the next answer of a stream.
    fn begin_anew(&self) {
        self.state.store(WOKEN, Ordering::Release);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) & RUNNING == 0 {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, poll_fn},
        sync::{Mutex, atomic::AtomicBool},
    };

    use futures_util::future::join_all;
    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;

    /// Runs what asks `Batches`, as a request's task does.
    async fn gathered<F: Future>(resolve: impl FnOnce(Arc<Batches>) -> F) -> F::Output {
        let mut gathering = Gathering::new();
        let mut resolving = Box::pin(resolve(gathering.batches()));
        poll_fn(|context| gathering.poll(context, |context| resolving.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn a_load_begins_when_no_field_has_anything_left_to_ask() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = |what: &'static str| told.lock().unwrap().push(what);
        gathered(async |batches| {
            let field = async |yields: usize| {
                for _ in 0..yields {
                    yield_once().await;
                }
                let (done, is_done) = oneshot::channel();
                tell("asked");
                let told = Arc::clone(&told);
                batches.add(Box::pin(async move {
                    told.lock().unwrap().push("loaded");
                    let _ = done.send(());
                }));
                is_done.await.unwrap();
            };
            join_all([0, 3, 40, 1].map(field)).await;
        })
        .await;
        let told = told.lock().unwrap().clone();
        assert_eq!(told, [["asked"; 4], ["loaded"; 4]].concat());
    }

    /// Woken at once, by nobody but itself.
    async fn yield_once() {
        let mut is_over = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            match std::mem::replace(&mut is_over, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    #[tokio::test]
    async fn loads_run_in_rounds_whichever_ends_first() {
        let slow_ended = Arc::new(AtomicBool::new(false));
        let seen = gathered(async |batches| {
            let (quick, is_quick) = oneshot::channel();
            let (slow, is_slow) = oneshot::channel();
            batches.add(Box::pin(async move { quick.send(()).unwrap() }));
            let ended = Arc::clone(&slow_ended);
            batches.add(Box::pin(async move {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                ended.store(true, Ordering::Relaxed);
                slow.send(()).unwrap();
            }));
            is_quick.await.unwrap();
            // The next round's, though the first still runs.
            let (next, is_next) = oneshot::channel();
            let ended = Arc::clone(&slow_ended);
            let begins = async move { next.send(ended.load(Ordering::Relaxed)).unwrap() };
            batches.add(Box::pin(begins));
            is_slow.await.unwrap();
            is_next.await.unwrap()
        })
        .await;
        assert!(seen, "the second round began before the first had ended");
    }

    #[tokio::test]
    async fn a_load_ends_with_its_request() {
        let (held, mut is_over) = oneshot::channel::<()>();
        let request = tokio::spawn(gathered(async move |batches| {
            batches.add(Box::pin(async move {
                let _held = held;
                pending::<()>().await
            }));
            pending::<()>().await
        }));
        tokio::task::yield_now().await;
        assert_eq!(is_over.try_recv(), Err(TryRecvError::Empty));
        request.abort();
        assert!(is_over.await.is_err());
    }
}
