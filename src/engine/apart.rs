//! What kept bids from being judged (an auction or a wallet that somebody holds for long, an
//! auction that cannot be read) is judged apart from its lane for a while, so that no other bid
//! waits for it: each in a task of its own, in order, until nothing keeps it any more.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entity::ids::{AuctionId, UserId};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    task::JoinHandle,
    time::timeout,
};

use super::{
    Core, Error,
    batch::{self, Held, Judgement, Settled},
};
use crate::domain::request::BidRequest;

/// Where a bid's judgement goes.
pub(super) type Reply = oneshot::Sender<Judgement>;

/// A bid, and where its judgement goes.
pub(super) type Waiting = (BidRequest, Reply);

/// How much of a lane is apart at most; beyond it, what is held is waited for in the lane.
const MOST: usize = 64;

/// After how long without a bid nothing is kept apart any more.
const QUIET: Duration = Duration::from_secs(5);

/// Whose bids are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Auction(AuctionId),
    Person(UserId),
}

/// What is apart from a lane.
#[derive(Debug)]
pub(super) struct Apart {
    core: Arc<Core>,
    /// How many bids wait for each at most, and are judged at once.
    batch: usize,
    tasks: HashMap<Key, (mpsc::Sender<Waiting>, JoinHandle<()>)>,
}

impl Apart {
    pub fn new(core: Arc<Core>, batch: usize) -> Self {
        Self { core, batch, tasks: HashMap::new() }
    }

    /// Takes the bids that are to be judged apart; gives the others back.
    pub fn take(&mut self, bids: Vec<Waiting>) -> Vec<Waiting> {
        if self.tasks.is_empty() {
            return bids;
        }
        bids.into_iter().filter_map(|bid| self.take_one(bid)).collect()
    }

    fn take_one(&mut self, mut bid: Waiting) -> Option<Waiting> {
        for key in [Key::Auction(bid.0.auction), Key::Person(bid.0.bidder)] {
            let Some((task, _)) = self.tasks.get(&key) else { continue };
            bid = match task.try_send(bid) {
                Ok(()) => return None,
                Err(TrySendError::Full((_, reply))) => {
                    let _ = reply.send(Err(Error::Overloaded));
                    return None;
                }
                // Nothing keeps it any more.
                Err(TrySendError::Closed(bid)) => {
                    self.tasks.remove(&key);
                    bid
                }
            };
        }
        Some(bid)
    }

    /// From now on the bids that these kept from being judged are judged apart.
    pub fn note(&mut self, held: &Held) {
        let auctions = held.auctions.iter().chain(&held.unreadable).map(|id| Key::Auction(*id));
        for key in auctions.chain(held.people.iter().map(|id| Key::Person(*id))) {
            if self.tasks.len() >= MOST {
                self.tasks.retain(|_, (task, _)| !task.is_closed());
            }
            if self.tasks.len() < MOST && !self.tasks.contains_key(&key) {
                let (task, bids) = mpsc::channel(self.batch);
                let judging = tokio::spawn(judge(Arc::clone(&self.core), bids, self.batch));
                self.tasks.insert(key, (task, judging));
            }
        }
    }

    /// Waits until what was taken is judged.
    pub async fn drain(&mut self) {
        for (_, (task, judging)) in self.tasks.drain() {
            drop(task);
            if let Err(error) = judging.await {
                tracing::error!(%error, "judging bids apart ended badly");
            }
        }
    }
}

/// Judges what comes until nothing keeps it any more and nothing waits.
async fn judge(core: Arc<Core>, mut bids: mpsc::Receiver<Waiting>, batch: usize) {
    let mut is_kept = true;
    loop {
        if !is_kept && bids.is_empty() {
            bids.close();
        }
        let mut taken = Vec::new();
        match timeout(QUIET, bids.recv_many(&mut taken, batch)).await {
            Ok(0) => return,
            Ok(_) => {}
            // Nobody bids there any more: whoever does later begins anew.
            Err(_) => {
                bids.close();
                continue;
            }
        }
        // What waits for others' rows takes a connection meanwhile: some are left to the rest.
        let _turn = match is_kept {
            true => core.waits.acquire().await.ok(),
            false => None,
        };
        let (jobs, replies): (Vec<BidRequest>, Vec<Reply>) = taken.into_iter().unzip();
        let Settled { judgements, held } = batch::settle(&core, &jobs.into()).await;
        is_kept = !held.is_empty();
        for (reply, judgement) in replies.into_iter().zip(judgements) {
            // The caller may have gone away; the bid stands.
            let _ = reply.send(judgement);
        }
    }
}

impl Apart {
    /// Judges bids and answers them. What somebody else holds is judged once more, apart.
    pub async fn answer(&mut self, bids: Vec<Waiting>) {
        let (jobs, replies): (Vec<BidRequest>, Vec<Reply>) = bids.into_iter().unzip();
        let jobs: Arc<[BidRequest]> = jobs.into();
        let Settled { judgements, held } = batch::settle(&self.core, &jobs).await;
        self.note(&held);
        for ((job, reply), judgement) in jobs.iter().zip(replies).zip(judgements) {
            match judgement {
                Err(Error::Held) => {
                    if let Some((_, reply)) = self.take_one((job.clone(), reply)) {
                        let _ = reply.send(Err(Error::Held));
                    }
                }
                // The caller may have gone away; the bid stands.
                judgement => drop(reply.send(judgement)),
            }
        }
    }
}
