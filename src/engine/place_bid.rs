//! `placeBid`: the one function that every bid meets, whichever way it came.

use std::sync::Arc;

use entity::ids::{AuctionId, BidId, UserId};

use super::{
    Engine, Error,
    batch::{Verdict, label},
};
use crate::{
    domain::{
        bidding::Offer,
        event::{AuctionState, Bid},
        money::Money,
        refusal::{Code, Refusal},
    },
    store::{bids, events},
};

/// A bid as its bidder asks for it.
#[derive(Debug, Clone)]
pub struct PlaceBid {
    /// Who bids.
    pub bidder: UserId,
    /// On what.
    pub auction: AuctionId,
    /// The price that the bidder names.
    pub amount: Money,
    /// Up to what the engine may bid on in the bidder's name; by default the amount.
    pub maximum: Option<Money>,
    /// Under this key the same bid counts once.
    pub idempotency_key: Option<String>,
}

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

/// A bid in a lane.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub bidder: UserId,
    pub auction: AuctionId,
    pub ask: Ask,
    pub key: Option<String>,
}

/// What a bidder asks for.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// To bid.
    Bid(Offer),
    /// To pay the buy-now price at once, recorded as the bid of this id.
    BuyNow(BidId),
}

impl Ask {
    /// Where the auction's id stands in the input.
    pub fn id_field(&self) -> &'static [&'static str] {
        match self {
            Self::Bid(_) => &["auctionId"],
            Self::BuyNow(_) => &["id"],
        }
    }
}

impl Job {
    /// What was asked, in a canonical form.
    pub fn request(&self) -> String {
        match &self.ask {
            Ask::Bid(Offer { amount, maximum, .. }) => {
                format!("bid {} {} {}", self.auction, amount.minor(), maximum.minor())
            }
            Ask::BuyNow(_) => format!("buy {}", self.auction),
        }
    }
}

/// How long an idempotency key may be.
const KEY_BYTES: usize = 200;

/// Refuses a key that is empty or too long.
pub(super) fn check_key(key: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.len() > KEY_BYTES || key.contains('\0') {
        let message = "An idempotency key has 1 to 200 bytes of text.";
        return Err(Refusal::new(Code::InvalidIdempotencyKey, message).at(&["idempotencyKey"]));
    }
    Ok(())
}

impl Engine {
    /// Places a bid: judged in its auction's order, saved before it is answered.
    ///
    /// # Errors
    /// When the house is overloaded or broken; what the rules refuse is in the outcome.
    pub async fn place_bid(&self, bid: PlaceBid) -> Result<BidOutcome, Error> {
        let maximum = bid.maximum.unwrap_or(bid.amount);
        if maximum < bid.amount {
            let message = "The maximum must be at least the amount.";
            let refusal = Refusal::new(Code::InvalidAmount, message).at(&["maximum"]);
            return self.refused_unjudged(bid.auction, refusal).await;
        }
        if let Some(Err(refusal)) = bid.idempotency_key.as_deref().map(check_key) {
            return self.refused_unjudged(bid.auction, refusal).await;
        }
        let job = Job {
            bidder: bid.bidder,
            auction: bid.auction,
            ask: Ask::Bid(Offer { id: BidId::new(), amount: bid.amount, maximum }),
            key: bid.idempotency_key,
        };
        let mut outcome = self.judged(job).await?;
        // Who named no maximum is told about the amount.
        if let (None, Some(refusal)) = (bid.maximum, &mut outcome.refusal)
            && refusal.field == ["maximum"]
        {
            refusal.field = &["amount"];
        }
        Ok(outcome)
    }

    /// Pays the buy-now price at once: the same lane, the same judge.
    ///
    /// # Errors
    /// As for a bid.
    pub async fn buy_now(&self, bidder: UserId, auction: AuctionId) -> Result<BidOutcome, Error> {
        let ask = Ask::BuyNow(BidId::new());
        self.judged(Job { bidder, auction, ask, key: None }).await
    }

    async fn judged(&self, job: Job) -> Result<BidOutcome, Error> {
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
