//! `placeBid`: the one function that every bid meets, whichever way it came.

use std::sync::Arc;

use entity::ids::{AuctionId, BidId};

use super::{
    Engine, Error,
    batch::{Verdict, label},
};
use crate::{
    domain::{
        event::{AuctionState, Bid},
        refusal::Refusal,
        request::BidRequest,
    },
    store::{bids, events},
};

/// The answer to a bid.
#[derive(Debug, Clone)]
pub struct BidOutcome {
    /// The bid that was recorded, or that was raised; `None` when refused.
    pub bid: Option<Arc<Bid>>,
    /// The auction right after; `None` when there is none of that id.
    pub auction: Option<(AuctionId, AuctionState)>,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
}

impl Engine {
    /// Places a bid, or buys at once: judged in its auction's order, saved before it is answered.
    ///
    /// # Errors
    /// When the server is overloaded or broken; what the rules refuse is in the outcome.
    pub async fn place_bid(&self, job: BidRequest) -> Result<BidOutcome, Error> {
        let auction = job.auction;
        let began = std::time::Instant::now();
        let judgement = self.lanes.submit(&self.core, job).await;
        metrics::histogram!("neighborbid_bid_seconds").record(began.elapsed().as_secs_f64());
        metrics::counter!("neighborbid_bids_total", "outcome" => label(&judgement)).increment(1);
        match judgement? {
            Verdict::Accepted { answer: Ok(bid), state } => {
                Ok(BidOutcome { bid: Some(bid), auction: Some((auction, state)), refusal: None })
            }
            Verdict::Accepted { answer: Err(raised), state } => {
                let bid = bids::by_ids(&self.core.db.reserved, &[raised]).await?.pop();
                Ok(BidOutcome { bid, auction: Some((auction, state)), refusal: None })
            }
            Verdict::Replayed { bid, sequence } => self.replay(auction, bid, sequence).await,
            Verdict::Refused { refusal, state } => Ok(BidOutcome {
                bid: None,
                auction: state.map(|state| (auction, state)),
                refusal: Some(refusal),
            }),
        }
    }

    /// A refusal for an input that needs no judge; it still shows the auction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refused_unjudged(
        &self,
        auction: AuctionId,
        refusal: Refusal,
    ) -> Result<BidOutcome, Error> {
        let view = self.auction(auction).await?;
        let auction = view.map(|view| (auction, view.state));
        Ok(BidOutcome { bid: None, auction, refusal: Some(refusal) })
    }

    /// The first answer again: the bid, and the auction as it was right after it.
    async fn replay(
        &self,
        auction: AuctionId,
        bid: BidId,
        sequence: i64,
    ) -> Result<BidOutcome, Error> {
        let db = &self.core.db.reserved;
        let bid = bids::by_ids(db, &[bid]).await?.pop();
        let event = events::between(db, auction, sequence - 1, sequence, 1).await?.pop();
        let auction = event.map(|event| (auction, event.state.clone()));
        Ok(BidOutcome { bid, auction, refusal: None })
    }
}
