//! Auctions that open or end: many in one transaction, those alone that nobody else holds. What is
//! held for long is waited for apart from the others; what fails, fails by itself.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::ids::AuctionId;
use tokio::task::JoinSet;

use super::{BATCH, Keeper, aside::Aside, until};
use crate::{
    domain::closing,
    engine::{
        Core, Error,
        command::{self, Attempt, Command, Decision},
        work::Work,
    },
    store::{
        auctions::{self, Unreadable},
        deadlines::{self, Deadline},
    },
};

/// After how many passes what is held is waited for.
const PASSES: u32 = 5;

/// How long what was skipped is left out of passes.
const SKIPPED: Duration = Duration::from_millis(40);

/// How many are waited for at once.
const WAITED_FOR: usize = 2;

/// Auctions of one kind of deadline.
#[derive(Debug)]
pub(super) struct Auctions {
    deadline: Deadline,
    aside: Aside<AuctionId>,
    /// How many passes in a row each was held.
    held: HashMap<AuctionId, u32>,
    waiting: JoinSet<(AuctionId, Result<Turned, Error>)>,
    waited_for: Vec<AuctionId>,
    /// Due, but with a wallet that was held just now; until when they are left out.
    skipped: HashMap<AuctionId, Instant>,
}

impl Auctions {
    pub fn new(deadline: Deadline) -> Self {
        Self {
            deadline,
            aside: Aside::new(kind(deadline)),
            held: HashMap::new(),
            waiting: JoinSet::new(),
            waited_for: Vec::new(),
            skipped: HashMap::new(),
        }
    }

    /// What is not to be looked at now.
    fn except(&self) -> Vec<AuctionId> {
        let mut except = self.aside.now();
        except.extend(&self.waited_for);
        except
    }

    /// Does what is due; says how many.
    pub async fn pass(&mut self, core: &Arc<Core>) -> Result<usize, Error> {
        let mut except = self.except();
        except.extend(self.skipped.keys());
        let deadline = self.deadline;
        match command::run_on_time(core, Turn { deadline, which: Which::Due { except } }).await {
            Ok(turned) => {
                let count = turned.done.len();
                self.note(turned);
                Ok(count)
            }
            Err(error) if !core.takes_writes() => Err(error),
            Err(error) => {
                tracing::warn!(%error, kind = kind(deadline), "what is due is done one by one");
                self.one_by_one(core).await
            }
        }
    }

    fn note(&mut self, turned: Turned) {
        for id in &turned.done {
            self.held.remove(id);
            self.aside.done(id);
        }
        for Unreadable { id, error } in turned.unreadable {
            self.aside.put(id, &error.into());
        }
        // They leave their places in the next passes to others.
        let until = Instant::now() + SKIPPED;
        self.skipped.retain(|_, until| *until > Instant::now());
        self.skipped.extend(turned.skipped.into_iter().map(|id| (id, until)));
    }

    async fn one_by_one(&mut self, core: &Arc<Core>) -> Result<usize, Error> {
        let now = core.now(&core.db.reserved).await?;
        let (deadline, except) = (self.deadline, self.except());
        let due = deadlines::due(&core.db.reserved, deadline, now, BATCH, &except).await?;
        let mut count = 0;
        for id in due {
            match command::run_on_time(core, Turn { deadline, which: Which::Free(id) }).await {
                Ok(turned) => {
                    count += turned.done.len();
                    self.note(turned);
                }
                Err(error) if !core.takes_writes() => return Err(error),
                Err(error) => self.aside.put(id, &error),
            }
        }
        Ok(count)
    }

    /// What is due and was not done is held by somebody else: after some passes it is waited for,
    /// beside the others.
    async fn look_after_held(&mut self, core: &Arc<Core>) -> Result<(), Error> {
        while let Some(waited) = self.waiting.try_join_next() {
            let Ok((id, turned)) = waited else { continue };
            self.waited_for.retain(|waited| *waited != id);
            match turned {
                Ok(turned) => self.note(turned),
                Err(error) => self.aside.put(id, &error),
            }
        }
        if self.waiting.is_empty() {
            self.waited_for.clear();
        }
        let now = core.now(&core.db.reserved).await?;
        let (deadline, except) = (self.deadline, self.except());
        let due = deadlines::due(&core.db.reserved, deadline, now, BATCH, &except).await?;
        self.aside.keep(&due);
        let mut held = HashMap::new();
        for id in due {
            let passes = self.held.get(&id).map_or(1, |passes| passes + 1);
            if passes < PASSES || self.waiting.len() >= WAITED_FOR {
                held.insert(id, passes);
                continue;
            }
            self.waited_for.push(id);
            let core = Arc::clone(core);
            let turn = Turn { deadline, which: Which::One(id) };
            self.waiting.spawn(async move { (id, command::run_on_time(&core, turn).await) });
        }
        let count = held.len() + self.waited_for.len();
        metrics::gauge!("neighborbid_due_and_held", "kind" => kind(deadline)).set(count as f64);
        self.held = held;
        Ok(())
    }
}

impl Keeper for Auctions {
    async fn turn(&mut self, core: &Arc<Core>) -> Result<Duration, Error> {
        if self.pass(core).await? > 0 {
            return Ok(Duration::ZERO);
        }
        self.look_after_held(core).await?;
        let db = &core.db.reserved;
        let next = deadlines::next_deadline(db, self.deadline, &self.except()).await?;
        let wait = until(next, core.now(db).await?);
        let comes_back = !self.aside.is_empty() || !self.waited_for.is_empty();
        Ok(if comes_back { wait.min(Duration::from_millis(250)) } else { wait })
    }
}

fn kind(deadline: Deadline) -> &'static str {
    match deadline {
        Deadline::Opening => "openings",
        Deadline::Ending => "endings",
    }
}

/// Opens or ends auctions whose deadline is over.
struct Turn {
    deadline: Deadline,
    which: Which,
}

/// Which auctions.
enum Which {
    /// Those that are due and free, the longest overdue first, but for these.
    Due { except: Vec<AuctionId> },
    /// This one, if nobody else holds it.
    Free(AuctionId),
    /// This one, however long somebody holds it.
    One(AuctionId),
}

/// What was done.
#[derive(Debug, Default)]
struct Turned {
    done: Vec<AuctionId>,
    /// Due, but the wallet of who leads is held by somebody else.
    skipped: Vec<AuctionId>,
    unreadable: Vec<Unreadable>,
}

impl Command for Turn {
    type Answer = Turned;

    const NAME: &'static str = "deadlines";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<Turned>, Error> {
        let began = std::time::Instant::now();
        let (core, tx) = (attempt.core, attempt.tx);
        let (mut work, unreadable) = match &self.which {
            Which::Due { except } => {
                attempt.settle().await?;
                let now = attempt.now().await?;
                let due = deadlines::lock_due(tx, self.deadline, now, BATCH, except).await?;
                let auctions::Free { auctions, unreadable } = due;
                (Work::with_free(core, tx, auctions, []).await?, unreadable)
            }
            Which::Free(id) => {
                let auctions::Free { auctions, unreadable } =
                    auctions::lock_free(tx, &[*id]).await?;
                (Work::with_free(core, tx, auctions, []).await?, unreadable)
            }
            Which::One(id) => (attempt.lock(&[*id], []).await?, Vec::new()),
        };
        let (mut done, mut skipped) = (Vec::new(), Vec::new());
        for id in work.auctions.keys().copied().collect::<Vec<_>>() {
            match turn(&mut work, id)? {
                true => done.push(id),
                false => skipped.push(id),
            }
        }
        let turned = Turned { done, skipped, unreadable };
        if turned.done.is_empty() {
            return Ok(Decision::Nothing(turned));
        }
        work.save(tx).await?;
        metrics::counter!("neighborbid_closings_total").increment(turned.done.len() as u64);
        let seconds = began.elapsed().as_secs_f64();
        metrics::histogram!("neighborbid_closing_seconds").record(seconds);
        Ok(Decision::Commit(turned, work.into_effects()))
    }
}

/// Opens or ends one locked auction, if that is still due.
fn turn(work: &mut Work<'_>, id: AuctionId) -> Result<bool, Error> {
    let is_free = work.auctions.get(&id).is_some_and(|auction| work.holds_wallets(auction, None));
    if !is_free {
        return Ok(false);
    }
    let opened = work.open_if_due(id)?;
    let now = work.now;
    match work.auctions.get(&id).filter(|auction| auction.is_due(now)) {
        Some(auction) => {
            let lag = (now - auction.ends_at).to_std().unwrap_or_default();
            metrics::histogram!("neighborbid_closing_lag_seconds").record(lag.as_secs_f64());
            let closing = closing::close(auction)?;
            work.end(closing)?;
            Ok(true)
        }
        None => Ok(opened),
    }
}
