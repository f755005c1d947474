//! How the engine is: whether anything can be written, whether its long-lived tasks live and keep
//! up. What fails is found by those who try; what works again, too, and by the monitor.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    store::{DbErr, fault::Fault},
    telemetry::Seldom,
};

/// How often somebody may try to write while nothing can be written.
const TRY_EVERY: Duration = Duration::from_millis(250);

/// After how long without a pass a task that keeps deadlines counts as behind.
const BEHIND: Duration = Duration::from_secs(10);

/// For how long after a write failed for want of room a small one proves nothing.
const FULL: Duration = Duration::from_secs(5);

/// How the engine is.
#[derive(Debug)]
pub(super) struct Health {
    /// Whether the state says that writing works: what every bid asks.
    can_write: AtomicBool,
    state: Mutex<State>,
    outage: Seldom,
}

#[derive(Debug)]
struct State {
    /// Why nothing can be written.
    unwritable: Option<String>,
    /// When somebody tried last, since then.
    tried: Instant,
    /// When a write last failed for want of room.
    full: Option<Instant>,
    /// Why nothing can be read.
    unreadable: Option<String>,
    /// When something was last written.
    written: Instant,
    /// The long-lived tasks: when each was last seen to have done its work, or that it is dead.
    tasks: BTreeMap<&'static str, Task>,
}

#[derive(Debug, Clone, Copy)]
enum Task {
    /// It only has to live.
    Alive,
    /// It passes now and then.
    Passed(Instant),
    /// It ended badly, and is about to be begun again.
    Dead,
}

impl State {
    fn can_write(&self) -> bool {
        self.unwritable.is_none() && self.unreadable.is_none()
    }
}

impl Health {
    pub fn new() -> Self {
        let state = State {
            unwritable: None,
            tried: Instant::now(),
            full: None,
            unreadable: None,
            written: Instant::now(),
            tasks: BTreeMap::new(),
        };
        Self { can_write: AtomicBool::new(true), state: Mutex::new(state), outage: Seldom::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is worth a try to write: while nothing can be written, only now and then, so
    /// that nobody waits for what will fail.
    pub fn may_write(&self) -> bool {
        if self.can_write.load(Ordering::Relaxed) {
            return true;
        }
        let mut state = self.state();
        if state.can_write() {
            return true;
        }
        let is_time = state.tried.elapsed() >= TRY_EVERY;
        if is_time {
            state.tried = Instant::now();
        }
        is_time
    }

    /// Whether the database answers, and writing worked when it was last tried.
    pub fn can_write(&self) -> bool {
        self.can_write.load(Ordering::Relaxed)
    }

    /// Something was written.
    pub fn has_written(&self) {
        let mut state = self.state();
        (state.written, state.full) = (Instant::now(), None);
        let was_unwritable = state.unwritable.take().is_some();
        self.can_write.store(state.can_write(), Ordering::Relaxed);
        if was_unwritable {
            metrics::gauge!("neighborbid_database_writable").set(1.0);
            tracing::info!("the database takes writes again");
        }
    }

    /// Something small was written: the disk may still be too full for a bid. So where the last
    /// real write failed for want of room just now, those who try have the say.
    pub fn has_probed(&self) {
        let is_recent = self.state().full.is_some_and(|failed| failed.elapsed() < FULL);
        if !is_recent {
            self.has_written();
        }
    }

    /// Something could not be written, and neither will anything else.
    pub fn cannot_write(&self, error: &DbErr) {
        let why = match Fault::of(error) {
            Fault::Unwritable => format!("the database takes no writes: {error}"),
            Fault::Contention => "another process holds the database's write lock".to_owned(),
            _ => format!("the database does not answer: {error}"),
        };
        metrics::gauge!("neighborbid_database_writable").set(0.0);
        if let Some(unsaid) = self.outage.now() {
            tracing::error!(why, unsaid, "nothing can be written");
        }
        let now = Instant::now();
        let mut state = self.state();
        state.full = (Fault::of(error) == Fault::Unwritable).then_some(now);
        (state.unwritable, state.tried) = (Some(why), now);
        self.can_write.store(false, Ordering::Relaxed);
    }

    /// How long nothing was written; `None` while nothing can be.
    pub fn quiet_for(&self) -> Option<Duration> {
        let state = self.state();
        state.unwritable.is_none().then(|| state.written.elapsed())
    }

    /// Whether the database can be read, and if not why.
    pub fn can_read(&self, can: Result<(), String>) {
        let mut state = self.state();
        state.unreadable = can.err();
        self.can_write.store(state.can_write(), Ordering::Relaxed);
    }

    /// Whether the database answered when the monitor asked last.
    pub fn is_readable(&self) -> bool {
        self.can_write() || self.state().unreadable.is_none()
    }

    /// A long-lived task lives.
    pub fn is_alive(&self, task: &'static str) {
        let mut state = self.state();
        let known = state.tasks.entry(task).or_insert(Task::Alive);
        if matches!(known, Task::Dead) {
            *known = Task::Alive;
        }
    }

    /// A long-lived task has done its work once more.
    pub fn has_passed(&self, task: &'static str) {
        self.state().tasks.insert(task, Task::Passed(Instant::now()));
    }

    /// A long-lived task ended badly.
    pub fn is_dead(&self, task: &'static str) {
        self.state().tasks.insert(task, Task::Dead);
    }

    /// Why this node cannot serve, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state();
        let of_task = state.tasks.iter().find_map(|(name, task)| match task {
            Task::Dead => Some(format!("the task {name} ended badly and is begun again")),
            Task::Passed(last) if last.elapsed() > BEHIND => {
                Some(format!("the task {name} is {} s behind", last.elapsed().as_secs()))
            }
            _ => None,
        });
        let unwritable = || state.unwritable.clone();
        state.unreadable.clone().or_else(unwritable).or(of_task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_nothing_can_be_written_somebody_tries_now_and_then() {
        let health = Health::new();
        assert!(health.may_write() && health.may_write());
        health.cannot_write(&DbErr::Custom("full".to_owned()));
        assert!(!health.may_write(), "it was tried just now");
        assert!(health.trouble().is_some());
        std::thread::sleep(TRY_EVERY);
        assert!(health.may_write(), "one may try");
        assert!(!health.may_write(), "and nobody else");
        health.has_written();
        assert!(health.may_write() && health.trouble().is_none());
    }

    #[test]
    fn a_dead_task_is_trouble_until_it_lives_again() {
        let health = Health::new();
        health.is_alive("lane 0");
        assert_eq!(health.trouble(), None);
        health.is_dead("lane 0");
        assert!(health.trouble().is_some());
        health.is_alive("lane 0");
        assert_eq!(health.trouble(), None);
    }
}
