//! Lanes: queues of bids. An auction always hashes to the same lane of a node; a lane takes what
//! waits, up to a bound, and has it judged in one transaction. Nobody waits for a timer.
//!
//! Lanes make bids cheap, not right: with several nodes, the row lock is the truth.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::ids::{AuctionId, UserId};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::sleep,
};

use super::{
    Core, Error,
    apart::{Apart, Waiting},
    batch::Judgement,
    queue::{Bounds, NoRoom, Queue, Waits},
    supervision::supervised,
};
use crate::domain::request::BidRequest;

/// How bids queue.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    /// How many lanes.
    pub lanes: usize,
    /// How many bids one transaction judges at most.
    pub batch: usize,
    /// How many bids a lane lets wait, half of them on one auction; one more is answered
    /// OVERLOADED.
    pub queue: usize,
    /// How many bids of one bidder a lane lets wait, a quarter of them in line; one more is
    /// answered OVERLOADED, a little later.
    pub share: usize,
}

/// How long a bidder who floods a lane waits for the refusal: answered at once, a flood would only
/// come again the faster.
const FLOOD_DELAY: Duration = Duration::from_millis(100);

/// The lanes of this node.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Arc<Lane>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// One lane: what waits in it, and whoever wakes it.
#[derive(Debug)]
struct Lane {
    line: Mutex<Line>,
    arrived: Notify,
}

#[derive(Debug)]
struct Line {
    queue: Queue<Waiting>,
    is_closed: bool,
}

impl Waits for Waiting {
    fn auction(&self) -> AuctionId {
        self.0.auction
    }

    fn bidder(&self) -> UserId {
        self.0.bidder
    }
}

impl Lanes {
    pub fn start(core: &Arc<Core>, settings: LaneSettings) -> Self {
        let bounds = Bounds { all: settings.queue.max(1), bidder: settings.share.max(1) };
        let (lanes, tasks) = (0..settings.lanes.max(1))
            .map(|_| {
                let line = Line { queue: Queue::new(bounds), is_closed: false };
                let lane = Arc::new(Lane { line: Mutex::new(line), arrived: Notify::new() });
                let health = Arc::clone(&core.health);
                let (running, core) = (Arc::clone(&lane), Arc::clone(core));
                let run =
                    move || Arc::clone(&running).run(Arc::clone(&core), settings.batch.max(1));
                (lane, tokio::spawn(supervised("lane", health, run)))
            })
            .unzip();
        Self { lanes, tasks: Mutex::new(tasks) }
    }

    /// Puts a bid in its auction's lane and waits for the verdict. A caller that goes away
    /// cancels nothing.
    pub async fn submit(&self, core: &Core, job: BidRequest) -> Judgement {
        if !core.health.may_write() {
            return Err(Error::Overloaded);
        }
        // The low bits of a version 7 UUID are random.
        let place = (job.auction.0.as_u128() & u128::from(u32::MAX)) as usize;
        let lane = place.checked_rem(self.lanes.len()).and_then(|place| self.lanes.get(place));
        let lane = lane.ok_or(Error::Overloaded)?;
        let (reply, verdict) = oneshot::channel();
        let pushed = {
            let mut line = lane.line();
            if line.is_closed { Err(NoRoom::AtAll) } else { line.queue.push((job, reply)) }
        };
        match pushed {
            Ok(()) => lane.arrived.notify_one(),
            Err(NoRoom::AtAll) => return Err(Error::Overloaded),
            Err(NoRoom::OfBidder) => {
                sleep(FLOOD_DELAY).await;
                return Err(Error::Overloaded);
            }
        }
        verdict.await.map_err(|_| Error::Fault("a lane dropped a bid".to_owned()))?
    }

    pub async fn drain(&self) {
        for lane in &self.lanes {
            lane.line().is_closed = true;
            lane.arrived.notify_one();
        }
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a lane ended badly");
            }
        }
    }
}

impl Lane {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>, core: Arc<Core>, most: usize) {
        let mut apart = Apart::new(Arc::clone(&core), most);
        loop {
            let (batch, behind, is_closed) = {
                let mut line = self.line();
                let batch = line.queue.take(most);
                (batch, line.queue.len(), line.is_closed)
            };
            if batch.is_empty() {
                if is_closed {
                    return apart.drain().await;
                }
                self.arrived.notified().await;
                continue;
            }
            metrics::histogram!("neighborbid_batch_bids").record(batch.len() as f64);
            metrics::histogram!("neighborbid_lane_queue_bids").record(behind as f64);
            let batch = apart.take(batch);
            if !batch.is_empty() {
                apart.answer(batch).await;
            }
        }
    }
}
