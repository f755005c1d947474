//! What happens by itself, on time: scheduled auctions open, open ones end, orders complete. Each
//! of the three goes on by itself, sleeps until its next deadline or until one moves, and never
//! polls blindly; any number of processes may do it, for what is due is locked, then looked at
//! again. Nothing that is held or broken stops it: that is put aside, told, and come back to.

mod aside;
mod auctions;
mod orders;

use std::{sync::Arc, time::Duration};

use entity::Time;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::auctions::Auctions;
use super::{Core, Engine, Error, supervision::supervised};
use crate::{
    store::deadlines::{self, Deadline},
    telemetry::Seldom,
};

/// The longest sleep. Whoever lists an auction keeps its deadline; the others look this often, in
/// case that it died meanwhile.
const LONGEST: Duration = Duration::from_secs(3);

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(100);

/// How long to wait for what is due and was not free.
const HELD: Duration = Duration::from_millis(50);

/// How much is done in one transaction at most, so that bids get between.
const BATCH: u64 = 50;

/// Told when a deadline may have become earlier.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    openings: Notify,
    endings: Notify,
    orders: Notify,
}

impl Deadlines {
    /// A deadline may have become earlier.
    pub fn moved(&self) {
        for kind in [&self.openings, &self.endings, &self.orders] {
            kind.notify_one();
        }
    }
}

/// Something that is done at its deadlines.
trait Keeper: Send {
    /// Does what is due, and says how long to sleep.
    fn turn(&mut self, core: &Arc<Core>) -> impl Future<Output = Result<Duration, Error>> + Send;
}

impl Engine {
    /// Opens what is due until `stop`.
    pub async fn keep_openings(self: Arc<Self>, stop: CancellationToken) {
        self.keep_auctions("openings", Deadline::Opening, stop).await;
    }

    /// Ends what is due until `stop`.
    pub async fn keep_endings(self: Arc<Self>, stop: CancellationToken) {
        self.keep_auctions("endings", Deadline::Ending, stop).await;
    }

    /// Completes the orders that are due until `stop`.
    pub async fn keep_orders(self: Arc<Self>, stop: CancellationToken) {
        let (core, name) = (Arc::clone(&self.core), "orders");
        let keep = move || {
            let (core, stop) = (Arc::clone(&core), stop.clone());
            async move {
                let moved = &core.deadlines.orders;
                keep(&core, name, orders::Orders::new(), moved, stop).await;
            }
        };
        supervised(name, Arc::clone(&self.core.health), keep).await;
    }

    async fn keep_auctions(
        self: Arc<Self>,
        name: &'static str,
        deadline: Deadline,
        stop: CancellationToken,
    ) {
        let core = Arc::clone(&self.core);
        let keep = move || {
            let (core, stop) = (Arc::clone(&core), stop.clone());
            async move {
                let moved = match deadline {
                    Deadline::Opening => &core.deadlines.openings,
                    Deadline::Ending => &core.deadlines.endings,
                };
                keep(&core, name, Auctions::new(deadline), moved, stop).await;
            }
        };
        supervised(name, Arc::clone(&self.core.health), keep).await;
    }

    /// The next deadline: an opening, an ending, or an order that completes by itself; with now,
    /// by the same clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_deadline(&self) -> Result<(Option<Time>, Time), Error> {
        let db = &self.core.db.reserved;
        let deadlines = [
            deadlines::next_deadline(db, Deadline::Opening, &[]).await?,
            deadlines::next_deadline(db, Deadline::Ending, &[]).await?,
            crate::store::orders::next_completion(db, &[]).await?,
        ];
        Ok((deadlines.into_iter().flatten().min(), self.core.now(db).await?))
    }

    /// Opens and ends what is due, the longest overdue first; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn turn_due_auctions(&self) -> Result<usize, Error> {
        let opened = Auctions::new(Deadline::Opening).pass(&self.core).await?;
        Ok(opened + Auctions::new(Deadline::Ending).pass(&self.core).await?)
    }

    /// Completes the orders whose time is over, the longest overdue first; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn complete_due_orders(&self) -> Result<usize, Error> {
        orders::Orders::new().pass(&self.core).await
    }
}

async fn keep(
    core: &Arc<Core>,
    name: &'static str,
    mut keeper: impl Keeper,
    moved: &Notify,
    stop: CancellationToken,
) {
    static SAID: Seldom = Seldom::new();
    while !stop.is_cancelled() {
        let wait = match keeper.turn(core).await {
            Ok(wait) => {
                core.health.has_passed(name);
                wait
            }
            Err(error) => {
                metrics::counter!("neighborbid_deadline_failures_total", "kind" => name)
                    .increment(1);
                if let Some(unsaid) = SAID.now() {
                    tracing::warn!(kind = name, %error, unsaid, "keeping deadlines");
                }
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = moved.notified() => {}
            () = stop.cancelled() => {}
        }
    }
}

/// How long to sleep until a deadline, given now by the same clock.
fn until(next: Option<Time>, now: Time) -> Duration {
    match next.map(|at| (at - now).to_std().unwrap_or_default()) {
        None => LONGEST,
        // It is over, and yet nothing was done: somebody else holds it just now.
        Some(Duration::ZERO) => HELD,
        Some(until) => until.clamp(Duration::from_millis(1), LONGEST),
    }
}
