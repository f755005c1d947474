//! One locking transaction for all bids that wait in a lane: lock the auctions, lock the wallets,
//! judge each bid in arrival order, save the outcome set-wise, commit. Then publish.

use std::sync::Arc;

use entity::ids::BidId;
use sea_orm::DbErr;

use super::{Core, Error, docket::Docket, place_bid::Job};
use crate::{
    domain::{
        event::{AuctionState, Bid},
        refusal::Refusal,
    },
    live::bus::News,
    store::{
        outcome::{self, Witness},
        tx::{self, Fault, Retry},
    },
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

impl Verdict {
    /// For the metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Replayed { .. } => "replayed",
            Self::Refused { .. } => "refused",
        }
    }
}

/// Judges, saves and publishes; answers each job in its place.
pub(super) async fn settle(core: &Core, jobs: &[Job]) -> Vec<Result<Verdict, Error>> {
    let began = std::time::Instant::now();
    let mut retry = Retry::default();
    let mut in_doubt = None;
    let settled = loop {
        match attempt(core, jobs, in_doubt.take()).await {
            Ok(judged) => break Ok(judged),
            Err(Failure { error, doubt }) => {
                in_doubt = doubt;
                if !retry.again(&error).await {
                    break Err(error);
                }
            }
        }
    };
    metrics::histogram!("neighborbid_batch_seconds").record(began.elapsed().as_secs_f64());
    match settled {
        Ok(judged) => {
            core.rooms.publish(judged.news);
            judged.verdicts
        }
        Err(error) => {
            tracing::error!(%error, bids = jobs.len(), "a batch of bids failed");
            let fail = || Err(Error::Fault(format!("the batch failed: {error}")));
            jobs.iter().map(|_| fail()).collect()
        }
    }
}

/// A batch, judged.
#[derive(Debug)]
pub(super) struct Judged {
    /// An answer a job, in order.
    pub verdicts: Vec<Result<Verdict, Error>>,
    /// What to publish after the commit.
    pub news: Vec<News>,
}

/// An attempt that failed; when it failed during COMMIT, with what it would have answered.
struct Failure {
    error: DbErr,
    doubt: Option<(Witness, Judged)>,
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self { error, doubt: None }
    }
}

async fn attempt(
    core: &Core,
    jobs: &[Job],
    doubt: Option<(Witness, Judged)>,
) -> Result<Judged, Failure> {
    let tx = match tx::begin(&core.db.write).await {
        Ok(tx) => tx,
        Err(error) => return Err(Failure { error, doubt }),
    };
    let docket = match Docket::load(core, jobs, &tx).await {
        Ok(docket) => docket,
        Err(error) => return Err(Failure { error, doubt }),
    };
    // Under the locks, an earlier COMMIT that was never answered has either happened or cannot.
    if let Some((witness, judged)) = doubt {
        match outcome::is_committed(&tx, witness).await {
            Ok(true) => return Ok(judged),
            Ok(false) => {}
            Err(error) => {
                return Err(Failure { error, doubt: Some((witness, judged)) });
            }
        }
    }
    let docket = docket.judge_all();
    if docket.is_empty() {
        return Ok(docket.into_judged());
    }
    docket.save(&tx).await?;
    let witness = docket.witness();
    let judged = docket.into_judged();
    match tx.commit().await {
        Ok(()) => Ok(judged),
        Err(error) if Fault::of(&error) == Fault::Connection => {
            Err(Failure { error, doubt: witness.map(|witness| (witness, judged)) })
        }
        Err(error) => Err(error.into()),
    }
}
