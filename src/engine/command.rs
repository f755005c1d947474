//! The one way to write. A command runs in a task of its own and is only awaited from outside:
//! whoever hangs up changes nothing. Here it begins, is tried again where that may help, commits,
//! is looked up when its COMMIT was not answered, and is told; nothing else writes.

use std::{
    fmt::Display,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use entity::{Time, ids::UserId};
use futures_util::FutureExt;
use sea_orm::DbErr;
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::task::TaskTracker;

use super::{Core, Error, tries::Tries, work::Work};
use crate::{
    live::bus::News,
    store::{
        commit_marker::{self, CommitMarker},
        fault::Fault,
        transaction::{self, CommitError, Transaction},
    },
};

/// Something that writes.
pub(super) trait Command: Send + Sync + 'static {
    /// What its caller is told.
    type Answer: Send + 'static;

    /// For the log and the metrics.
    const NAME: &'static str;

    /// One try, in a transaction of its own. It may be called again: ids of new rows are the
    /// same at each try, so that one whose COMMIT was not answered is known again.
    fn attempt(
        &self,
        attempt: &Attempt<'_>,
    ) -> impl Future<Output = Result<Decision<Self::Answer>, Error>> + Send;
}

/// What a command decided, inside its transaction.
pub(super) enum Decision<T> {
    /// Nothing is to be written.
    Nothing(T),
    /// What was written is to be committed, and then told.
    Commit(T, Effects),
}

/// What follows a commit.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// By which the transaction is known again; `None` where doing it twice changes nothing.
    pub marker: Option<CommitMarker>,
    /// Who is told what.
    pub news: Vec<News>,
    /// Whether a deadline may be earlier now.
    pub moves_deadline: bool,
}

/// One try of a command.
pub(super) struct Attempt<'a> {
    pub core: &'a Core,
    pub tx: &'a Transaction,
    /// Of an earlier try whose COMMIT was not answered.
    doubtful: Option<CommitMarker>,
    has_happened: AtomicBool,
    has_not_happened: AtomicBool,
}

impl Attempt<'_> {
    /// Now by the clock that all nodes share. To be asked once all locks are held.
    pub async fn now(&self) -> Result<Time, DbErr> {
        self.core.now(self.tx).await
    }

    /// Locks auctions ascending, then the wallets of `people` and of those who lead, ascending.
    pub async fn lock(
        &self,
        auctions: &[entity::ids::AuctionId],
        people: impl IntoIterator<Item = UserId>,
    ) -> Result<Work<'_>, Error> {
        let work = Work::lock(self.core, self.tx, auctions, people).await?;
        self.settle().await?;
        Ok(work)
    }

    /// Whether an earlier try's COMMIT was not answered.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful.is_some()
    }

    /// Under the locks, an earlier COMMIT that was not answered has either happened or cannot
    /// any more: in the first case this try ends here.
    pub async fn settle(&self) -> Result<(), Error> {
        let Some(marker) = self.doubtful else { return Ok(()) };
        if commit_marker::is_committed(self.tx, marker).await? {
            self.has_happened.store(true, Ordering::Relaxed);
            return Err(Error::Fault("it had happened already".to_owned()));
        }
        self.has_not_happened.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The commands that run, and the only way to run one.
#[derive(Debug)]
pub(super) struct Commands {
    running: TaskTracker,
    is_closed: AtomicBool,
    /// Turns of all but bids: these have connections that nobody else takes.
    turns: Semaphore,
}

impl Commands {
    /// None runs yet; so many may be in their transactions at once, besides bids.
    pub fn new(most: usize) -> Self {
        let (running, is_closed) = (TaskTracker::new(), AtomicBool::new(false));
        Self { running, is_closed, turns: Semaphore::new(most.max(1)) }
    }

    /// Whether new commands may begin.
    pub fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    /// Lets no new command begin, and waits for those that run.
    pub async fn drain(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.running.close();
        self.running.wait().await;
    }
}

/// Runs a command to its end, whatever becomes of the caller.
///
/// # Errors
/// What the command refuses; that nothing can be written; or that the database failed.
pub(super) async fn run<C: Command>(core: &Arc<Core>, command: C) -> Result<C::Answer, Error> {
    core.takes_commands()?;
    let running = Arc::clone(core);
    let task = core.commands.running.spawn(async move {
        let _turn = running.commands.turns.acquire().await;
        execute(&running, &command).await
    });
    task.await.unwrap_or_else(|panicked| Err(ended_badly::<C>(&panicked)))
}

/// The same for what is done at its deadline, which waits for no caller's turn.
///
/// # Errors
/// As for [`run`].
pub(super) async fn run_on_time<C: Command>(
    core: &Arc<Core>,
    command: C,
) -> Result<C::Answer, Error> {
    core.takes_commands()?;
    let running = Arc::clone(core);
    let task = core.commands.running.spawn(async move { execute(&running, &command).await });
    task.await.unwrap_or_else(|panicked| Err(ended_badly::<C>(&panicked)))
}

/// The same for bids, which were let in already and wait for no other command's turn. It runs in
/// its caller's task, a lane's, which nobody cancels.
///
/// # Errors
/// As for [`run`].
pub(super) async fn run_admitted<C: Command>(
    core: &Arc<Core>,
    command: C,
) -> Result<C::Answer, Error> {
    let running = core.commands.running.track_future(execute(core, &command));
    let ended = AssertUnwindSafe(running).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(ended_badly::<C>(&"it panicked")))
}

fn ended_badly<C: Command>(why: &dyn Display) -> Error {
    metrics::counter!("neighborbid_panics_total", "task" => C::NAME).increment(1);
    tracing::error!(command = C::NAME, error = %why, "a command ended badly");
    Error::Fault(format!("{} ended badly", C::NAME))
}

/// A try whose COMMIT was not answered.
struct Doubt<T> {
    marker: CommitMarker,
    answer: T,
    effects: Effects,
}

/// How a try ended.
enum Ended<T> {
    /// It is in the database, or there was nothing to write.
    Done(T, Option<Effects>),
    /// The earlier try, whose COMMIT was not answered, had happened.
    HadHappened,
    /// It is not; the earlier one's fate may be known by now.
    Failed { error: Error, has_not_happened: bool },
    /// Nobody knows.
    Unanswered { answer: T, effects: Effects, error: DbErr },
}

async fn execute<C: Command>(core: &Core, command: &C) -> Result<C::Answer, Error> {
    let mut tries = Tries::new(C::NAME, core.db.lookup_timeout);
    let mut doubt: Option<Doubt<C::Answer>> = None;
    loop {
        let error = match once(core, command, doubt.as_ref().map(|doubt| doubt.marker)).await {
            Ended::Done(answer, None) => return Ok(answer),
            Ended::Done(answer, Some(effects)) => return Ok(finish(core, answer, effects)),
            Ended::HadHappened => match doubt.take() {
                Some(Doubt { answer, effects, .. }) => return Ok(finish(core, answer, effects)),
                None => return Err(Error::Fault("a doubt without a cause".to_owned())),
            },
            Ended::Failed { error, has_not_happened } => {
                if has_not_happened {
                    doubt = None;
                    tries.is_certain();
                }
                error
            }
            Ended::Unanswered { answer, effects, error } => {
                tries.is_doubtful();
                doubt = effects.marker.map(|marker| Doubt { marker, answer, effects });
                error.into()
            }
        };
        // SQLite's file says at once what became of a COMMIT that failed for want of room.
        let is_known = core.db.is_sqlite() && tries.are_doubtful();
        if !is_known && tries.again(&error).await {
            continue;
        }
        // What is refused now may be refused because it had happened before.
        let Some(Doubt { marker, answer, effects }) = doubt.take() else {
            return Err(give_up::<C>(core, error));
        };
        match commit_marker::is_committed(&core.db.reserved, marker).await {
            Ok(true) => return Ok(finish(core, answer, effects)),
            // Without its locks that says nothing, but where the same row was there already.
            Ok(false) if is_known || !may_pass(&error) => return Err(give_up::<C>(core, error)),
            Ok(false) => return Err(Error::Unanswered(error.to_string())),
            Err(unknown) => return Err(Error::Unanswered(unknown.to_string())),
        }
    }
}

async fn once<C: Command>(
    core: &Core,
    command: &C,
    doubtful: Option<CommitMarker>,
) -> Ended<C::Answer> {
    let failed = |error: Error| Ended::Failed { error, has_not_happened: false };
    let tx = match transaction::begin(&core.db).await {
        Ok(tx) => tx,
        Err(error) => return failed(error.into()),
    };
    let (has_happened, has_not_happened) = (AtomicBool::new(false), AtomicBool::new(false));
    let attempt = Attempt { core, tx: &tx, doubtful, has_happened, has_not_happened };
    let decided = match timeout(core.db.patience, command.attempt(&attempt)).await {
        Ok(decided) => decided,
        // The database's host is gone, say, and nothing will ever come on that connection.
        Err(_) => Err(Error::Database(core.db.silence())),
    };
    let Attempt { has_happened, has_not_happened, .. } = attempt;
    let has_not_happened = has_not_happened.into_inner();
    match decided {
        Ok(Decision::Commit(answer, effects)) => match tx.commit().await {
            Ok(()) => Ended::Done(answer, Some(effects)),
            Err(CommitError::Failed(error)) => {
                Ended::Failed { error: error.into(), has_not_happened }
            }
            Err(CommitError::Unanswered(error)) => Ended::Unanswered { answer, effects, error },
        },
        // It may be answered before the database says that it is out of the transaction.
        Ok(Decision::Nothing(answer)) => {
            core.commands.running.spawn(roll_back(tx));
            Ended::Done(answer, None)
        }
        undone => {
            // A reply leaves only when the database says that it is out of the transaction, or
            // when the connection is closed, which is the same.
            roll_back(tx).await;
            match undone {
                _ if has_happened.into_inner() => Ended::HadHappened,
                Err(error) => Ended::Failed { error, has_not_happened },
                Ok(_) => failed(Error::Fault("unreached".to_owned())),
            }
        }
    }
}

async fn roll_back(tx: Transaction) {
    if let Err(error) = tx.rollback().await {
        tracing::debug!(%error, "a connection that did not roll back is closed");
    }
}

/// Whether a failure may pass by itself.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Database(cause) if Fault::of(cause) != Fault::Lasting)
}

/// It is committed: told to whom it concerns, and answered.
fn finish<T>(core: &Core, answer: T, effects: Effects) -> T {
    let Effects { news, moves_deadline, .. } = effects;
    core.health.has_written();
    if !news.is_empty() {
        let told = std::panic::catch_unwind(AssertUnwindSafe(|| core.publish(news)));
        if told.is_err() {
            // The log has it, and the sweep will tell.
            metrics::counter!("neighborbid_panics_total", "task" => "publish").increment(1);
            tracing::error!("telling what was committed ended badly");
        }
    }
    if moves_deadline {
        core.deadlines.moved();
    }
    answer
}

/// What a caller is told when it is not worth another try: to come again, where it may work then.
fn give_up<C: Command>(core: &Core, error: Error) -> Error {
    let Error::Database(cause) = &error else { return error };
    let fault = Fault::of(cause);
    metrics::counter!("neighborbid_commands_failed_total", "command" => C::NAME).increment(1);
    match fault {
        Fault::Lasting => error,
        Fault::Locked | Fault::Timeout => Error::Held,
        // On SQLite another process holds the one lock that there is.
        Fault::Contention if !core.db.is_sqlite() => Error::Held,
        Fault::Busy => Error::Overloaded,
        Fault::Contention | Fault::Connection | Fault::Unwritable => {
            core.health.cannot_write(cause);
            Error::Overloaded
        }
    }
}
