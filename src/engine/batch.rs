//! One locking transaction for all bids that wait in a lane: lock the auctions, lock the wallets,
//! judge each bid in arrival order, save the outcome set-wise, commit. Then publish.
//!
//! A batch that fails for one bid's sake is judged again so that only that bid fails: first
//! without waiting for what others hold, then, where that does not do, each auction by itself, and
//! each bid.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use entity::ids::{AuctionId, BidId, UserId};

use super::{
    Core, Error,
    command::{self, Attempt, Command, Decision},
    docket::Docket,
};
use crate::{
    domain::{
        event::{AuctionState, Bid},
        refusal::Refusal,
        request::BidRequest,
    },
    telemetry::Seldom,
};

/// What became of one bid.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// Recorded; or, as `Err`, only an earlier bid's maximum was raised.
    Accepted { answer: Result<Arc<Bid>, BidId>, state: AuctionState },
    /// Accepted before, under the same key.
    Replayed { bid: BidId, sequence: i64 },
    /// Refused; nothing changed.
    Refused { refusal: Refusal, state: Option<AuctionState> },
}

/// A bid's verdict, or why there is none.
pub(super) type Judgement = Result<Verdict, Error>;

/// For the metrics.
pub(super) fn label(judgement: &Judgement) -> &'static str {
    match judgement {
        Ok(Verdict::Accepted { .. }) => "accepted",
        Ok(Verdict::Replayed { .. }) => "replayed",
        Ok(Verdict::Refused { .. }) => "refused",
        Err(Error::Overloaded | Error::Held) => "overloaded",
        Err(_) => "failed",
    }
}

/// What kept bids from being judged.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Auctions that others hold, or whose leader's wallet others hold.
    pub auctions: BTreeSet<AuctionId>,
    /// People whose wallets others hold.
    pub people: BTreeSet<UserId>,
    /// Auctions that cannot be read, or whose bids fail by themselves.
    pub unreadable: BTreeSet<AuctionId>,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.auctions.is_empty() && self.people.is_empty() && self.unreadable.is_empty()
    }

    fn extend(&mut self, more: Self) {
        self.auctions.extend(more.auctions);
        self.people.extend(more.people);
        self.unreadable.extend(more.unreadable);
    }
}

/// A batch's answers, each in its bid's place.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub judgements: Vec<Judgement>,
    pub held: Held,
}

/// Bids that are judged in one transaction.
struct Batch {
    jobs: Arc<[BidRequest]>,
    /// Whether it waits for rows that others hold, and wants to read all of them.
    is_patient: bool,
}

impl Command for Batch {
    type Answer = Settled;

    const NAME: &'static str = "bids";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<Settled>, Error> {
        let docket = match self.is_patient {
            true => Docket::load(attempt, &self.jobs).await?,
            false => Docket::load_free(attempt, &self.jobs).await?,
        };
        let docket = docket.judge_all();
        if docket.is_empty() {
            return Ok(Decision::Nothing(docket.into_outcome().0));
        }
        docket.save(attempt.tx).await?;
        let (settled, effects) = docket.into_outcome();
        Ok(Decision::Commit(settled, effects))
    }
}

/// Judges, saves and publishes; answers each job in its place.
pub(super) async fn settle(core: &Arc<Core>, jobs: &Arc<[BidRequest]>) -> Settled {
    let began = std::time::Instant::now();
    let settled = match run(core, jobs, true).await {
        Ok(settled) => settled,
        Err(error) if is_of_some(&error) => {
            metrics::counter!("neighborbid_batches_split_total").increment(1);
            static SAID: Seldom = Seldom::new();
            if let Some(unsaid) = SAID.now() {
                tracing::warn!(%error, bids = jobs.len(), unsaid, "a batch of bids is split");
            }
            isolate(core, jobs).await
        }
        Err(error) => all_fail(jobs, &error),
    };
    metrics::histogram!("neighborbid_batch_seconds").record(began.elapsed().as_secs_f64());
    settled
}

/// Whether a batch may have failed for the sake of some of its bids: else it would fail again.
fn is_of_some(error: &Error) -> bool {
    matches!(error, Error::Held | Error::Database(_) | Error::Fault(_))
}

fn all_fail(jobs: &[BidRequest], error: &Error) -> Settled {
    let judgements = jobs.iter().map(|_| {
        Err(match error {
            Error::Overloaded => Error::Overloaded,
            Error::Unanswered(why) => Error::Unanswered(why.clone()),
            other => Error::Fault(other.to_string()),
        })
    });
    Settled { judgements: judgements.collect(), held: Held::default() }
}

async fn run(
    core: &Arc<Core>,
    jobs: &Arc<[BidRequest]>,
    is_patient: bool,
) -> Result<Settled, Error> {
    command::run_admitted(core, Batch { jobs: Arc::clone(jobs), is_patient }).await
}

/// Judges the bids of a batch that failed as a whole so that only what is at fault fails.
async fn isolate(core: &Arc<Core>, jobs: &Arc<[BidRequest]>) -> Settled {
    match run(core, jobs, false).await {
        Ok(settled) => return settled,
        Err(error) if is_of_some(&error) => {}
        Err(error) => return all_fail(jobs, &error),
    }
    let mut judgements: Vec<Option<Judgement>> = jobs.iter().map(|_| None).collect();
    let mut held = Held::default();
    for places in by_auction(jobs) {
        let of_auction: Arc<[BidRequest]> =
            places.iter().filter_map(|n| jobs.get(*n).cloned()).collect();
        let settled = match run(core, &of_auction, false).await {
            Ok(settled) => settled,
            Err(error) if is_of_some(&error) => one_by_one(core, &of_auction).await,
            Err(error) => all_fail(&of_auction, &error),
        };
        held.extend(settled.held);
        for (place, judgement) in places.into_iter().zip(settled.judgements) {
            if let Some(slot) = judgements.get_mut(place) {
                *slot = Some(judgement);
            }
        }
    }
    let unjudged = || Err(Error::Fault("a bid was left out of its batch".to_owned()));
    let judgements = judgements.into_iter().map(|judged| judged.unwrap_or_else(unjudged));
    Settled { judgements: judgements.collect(), held }
}

async fn one_by_one(core: &Arc<Core>, jobs: &Arc<[BidRequest]>) -> Settled {
    let mut all = Settled::default();
    for job in jobs.iter() {
        let alone: Arc<[BidRequest]> = Arc::from([job.clone()]);
        match run(core, &alone, false).await {
            Ok(settled) => {
                all.held.extend(settled.held);
                all.judgements.extend(settled.judgements);
            }
            Err(error) if !is_of_some(&error) => {
                all.judgements.extend(all_fail(&alone, &error).judgements);
            }
            Err(error) => {
                static SAID: Seldom = Seldom::new();
                if let Some(unsaid) = SAID.now() {
                    let auction = job.auction;
                    tracing::error!(%error, %auction, unsaid, "a bid failed by itself");
                }
                all.held.unreadable.insert(job.auction);
                all.judgements.push(Err(error));
            }
        }
    }
    all
}

/// The places of each auction's bids, in order.
fn by_auction(jobs: &[BidRequest]) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<AuctionId, Vec<usize>> = BTreeMap::new();
    for (place, job) in jobs.iter().enumerate() {
        places.entry(job.auction).or_default().push(place);
    }
    places.into_values().collect()
}
