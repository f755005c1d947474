//! The judge: one pure function decides each bid, whichever way it came.
//!
//! It follows the auction's rules to the letter: refusals in a fixed order, the minimum, automatic
//! bids up to a maximum, the hidden reserve, holds, soft close. It changes nothing: it answers
//! with the auction as it would be, the bids to record and the money to move.

use entity::{
    Time,
    enums::{AuctionStatus, TransferKind},
    ids::{BidId, RegionId, UserId},
};

use super::{
    auction::{Auction, Lead},
    increments::IncrementTable,
    ledger::Movement,
    money::{Money, OutOfRange},
    refusal::{Code, Refusal},
    request::Offer,
};

/// Who bids, as far as judging needs it.
#[derive(Debug, Clone, Copy)]
pub struct Bidder<'a> {
    /// The bidder.
    pub id: UserId,
    /// Where the bidder lives.
    pub home_region: Option<&'a RegionId>,
    /// Whether the seller blocked the bidder.
    pub is_blocked: bool,
    /// What the bidder may spend.
    pub available: Money,
}

/// A bid to record, with the auction right after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedBid {
    /// Its id.
    pub id: BidId,
    /// Whose.
    pub bidder: UserId,
    /// The price it sets.
    pub amount: Money,
    /// The most that its bidder would pay.
    pub maximum: Money,
    /// Made by the engine from a maximum.
    pub is_automatic: bool,
    /// The auction right after it.
    pub after: Auction,
}

/// What an accepted bid does. When its price reaches the buy-now price, the auction is to be closed
/// next: see [`super::closing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The auction after it.
    pub auction: Auction,
    /// None (the leader raised a secret maximum), one, or two (an automatic bid with it).
    pub bids: Vec<RecordedBid>,
    /// The money to move, in this order.
    pub movements: Vec<Movement>,
    /// The public bid that answers the bidder: the one recorded, or the one that was raised.
    pub answer: BidId,
}

/// Why a bid was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// By the rules.
    Refused(Refusal),
    /// By a fault of ours.
    Fault(OutOfRange),
}

impl From<OutOfRange> for Rejected {
    fn from(fault: OutOfRange) -> Self {
        Self::Fault(fault)
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Judges one bid on an auction whose row is locked, at `now`.
///
/// # Errors
/// With the first rule that it breaks.
pub fn judge(
    auction: &Auction,
    bidder: &Bidder<'_>,
    offer: &Offer,
    table: &IncrementTable,
    now: Time,
) -> Result<Accepted, Rejected> {
    may_bid(auction, bidder, now)?;
    let own = auction.lead.filter(|lead| lead.bidder == bidder.id);
    let minimum = auction.minimum_bid(table)?;
    high_enough(auction, own, offer, minimum)?;
    on_unit(auction, offer)?;

    let needed = match own {
        Some(lead) => {
            auction.hold(offer.maximum().max(lead.maximum)).minus(auction.hold(lead.maximum))?
        }
        None => auction.hold(offer.maximum()),
    };
    if bidder.available < needed {
        let message = "The available balance does not cover the maximum.";
        let refusal = Refusal::new(Code::InsufficientFunds, message);
        return Err(refusal.at(offer.maximum_field()).into());
    }

    let mut record = Recorder::new(auction, now);
    match (auction.lead, own) {
        (_, Some(lead)) => record.own_raise(lead, offer, needed)?,
        (Some(lead), None) => record.challenge(lead, bidder.id, offer, table)?,
        (None, None) => record.first_bid(bidder.id, offer)?,
    }
    Ok(record.done(offer.id()))
}

/// Judges an offer to pay the buy-now price at once. The former leader's hold ends, the buyer's
/// covers the price; the auction is to be closed next.
///
/// # Errors
/// With the first rule that it breaks.
pub fn buy_now(
    auction: &Auction,
    bidder: &Bidder<'_>,
    bid: BidId,
    now: Time,
) -> Result<Accepted, Rejected> {
    may_bid(auction, bidder, now)?;
    let Some(price) = auction.buy_now.filter(|buy_now| auction.price < *buy_now) else {
        let message = "The auction cannot be bought at once.";
        return Err(Refusal::new(Code::BuyNowUnavailable, message).into());
    };
    let own = auction.lead.filter(|lead| lead.bidder == bidder.id);
    let held = own.map_or(Money::ZERO, |lead| auction.hold(lead.maximum));
    if bidder.available.plus(held)? < price {
        let message = "The available balance does not cover the price.";
        return Err(Refusal::new(Code::InsufficientFunds, message).into());
    }
    let mut record = Recorder::new(auction, now);
    if let Some(lead) = auction.lead {
        record.release(lead);
    }
    record.take_lead(bidder.id, &Offer::exactly(bid, price), price)?;
    Ok(record.done(bid))
}

/// The refusals that do not depend on the amount.
fn may_bid(auction: &Auction, bidder: &Bidder<'_>, now: Time) -> Result<(), Refusal> {
    let refuse = |code, message: &'static str| Err(Refusal::new(code, message));
    if auction.status == AuctionStatus::Scheduled || now < auction.starts_at {
        return refuse(Code::AuctionNotOpen, "The auction has not opened.");
    }
    if auction.status != AuctionStatus::Open || now >= auction.ends_at {
        return refuse(Code::AuctionEnded, "The auction has ended.");
    }
    if bidder.id == auction.seller {
        return refuse(Code::SellerCannotBid, "Sellers cannot bid on their own auctions.");
    }
    if bidder.is_blocked {
        return refuse(Code::BidderBlocked, "The seller does not accept your bids.");
    }
    let lives_there = |around: &RegionId| bidder.home_region.is_some_and(|r| r.is_within(around));
    if !auction.bidders_region.as_ref().is_none_or(lives_there) {
        return refuse(Code::OutOfRegion, "Only neighbours of the auction's region may bid.");
    }
    Ok(())
}

/// The amount against the minimum; a leader may also name the price itself, to raise the maximum.
fn high_enough(
    auction: &Auction,
    own: Option<Lead>,
    offer: &Offer,
    minimum: Money,
) -> Result<(), Refusal> {
    let too_low =
        |message: &'static str, field| Err(Refusal::new(Code::BidTooLow, message).at(field));
    match own {
        Some(lead) if offer.amount() == auction.price => {
            if offer.maximum() <= lead.maximum {
                let message = "You lead already: a new maximum must exceed yours.";
                return too_low(message, offer.maximum_field());
            }
            Ok(())
        }
        _ if offer.amount() < minimum => {
            too_low("The amount is below the minimum bid.", &["amount"])
        }
        _ => Ok(()),
    }
}

fn on_unit(auction: &Auction, offer: &Offer) -> Result<(), Refusal> {
    let Some(unit) = auction.bid_unit else {
        return Ok(());
    };
    let off = |field| {
        let message = "Amounts must be whole multiples of the auction's bid unit.";
        Err(Refusal::new(Code::BidOffUnit, message).at(field))
    };
    if !offer.amount().is_multiple_of(unit) {
        return off(&["amount"]);
    }
    if !offer.maximum().is_multiple_of(unit) {
        return off(offer.maximum_field());
    }
    Ok(())
}

/// Builds what an accepted bid does, one recorded bid at a time.
struct Recorder {
    auction: Auction,
    now: Time,
    bids: Vec<RecordedBid>,
    movements: Vec<Movement>,
}

impl Recorder {
    fn new(auction: &Auction, now: Time) -> Self {
        Self { auction: auction.clone(), now, bids: Vec::new(), movements: Vec::new() }
    }

    fn first_bid(&mut self, bidder: UserId, offer: &Offer) -> Result<(), OutOfRange> {
        self.take_lead(bidder, offer, offer.amount())
    }

    /// Another one leads: the higher maximum wins, and on a tie the earlier one.
    fn challenge(
        &mut self,
        lead: Lead,
        bidder: UserId,
        offer: &Offer,
        table: &IncrementTable,
    ) -> Result<(), OutOfRange> {
        if offer.maximum() > lead.maximum {
            if lead.maximum > self.auction.price {
                self.record(BidId::new(), lead.bidder, lead.maximum, lead.maximum, true)?;
            }
            let step = self.auction.increment(table, lead.maximum);
            let reach = lead.maximum.plus(step)?.min(offer.maximum());
            self.release(lead);
            return self.take_lead(bidder, offer, offer.amount().max(reach));
        }
        // Every accepted bid has its hold; this one's ends at once.
        let held = self.auction.hold(offer.maximum());
        self.movement(TransferKind::Hold, bidder, held, offer.id());
        self.movement(TransferKind::Release, bidder, held, offer.id());
        let step = self.auction.increment(table, offer.maximum());
        let defence = offer.maximum().plus(step)?.min(lead.maximum);
        let price = self.reserved(self.auction.price.max(defence), lead.maximum);
        self.record(offer.id(), bidder, offer.maximum(), offer.maximum(), false)?;
        self.record(BidId::new(), lead.bidder, price, lead.maximum, true)
    }

    /// The leader bids again: a new maximum, a new price, or both.
    fn own_raise(&mut self, lead: Lead, offer: &Offer, more: Money) -> Result<(), OutOfRange> {
        let maximum = lead.maximum.max(offer.maximum());
        self.auction.lead = Some(Lead { maximum, ..lead });
        if more > Money::ZERO {
            self.movement(TransferKind::Hold, lead.bidder, more, lead.bid);
        }
        let price = self.reserved(offer.amount(), maximum);
        if price > self.auction.price {
            // Naming the price only raises the maximum; when that meets a hidden reserve, it is
            // the engine that bids on.
            let is_automatic = offer.amount() == self.auction.price;
            self.record(offer.id(), lead.bidder, price, maximum, is_automatic)?;
        }
        Ok(())
    }

    fn take_lead(&mut self, bidder: UserId, offer: &Offer, price: Money) -> Result<(), OutOfRange> {
        self.movement(TransferKind::Hold, bidder, self.auction.hold(offer.maximum()), offer.id());
        self.auction.lead = Some(Lead { bidder, maximum: offer.maximum(), bid: offer.id() });
        let price = self.reserved(price, offer.maximum());
        self.record(offer.id(), bidder, price, offer.maximum(), false)
    }

    /// A maximum that meets the hidden reserve lifts the price to it.
    fn reserved(&self, price: Money, leaders_maximum: Money) -> Money {
        match self.auction.reserve {
            Some(reserve) if leaders_maximum >= reserve => price.max(reserve),
            _ => price,
        }
    }

    fn record(
        &mut self,
        id: BidId,
        bidder: UserId,
        amount: Money,
        maximum: Money,
        is_automatic: bool,
    ) -> Result<(), OutOfRange> {
        let auction = &mut self.auction;
        // Nobody pays more than the buy-now price.
        let amount = auction.buy_now.map_or(amount, |buy_now| amount.min(buy_now));
        auction.price = amount;
        auction.bid_count = auction.bid_count.checked_add(1).ok_or(OutOfRange)?;
        auction.sequence = auction.sequence.checked_add(1).ok_or(OutOfRange)?;
        auction.ends_at = auction.end_after_bid(self.now);
        let after = auction.clone();
        self.bids.push(RecordedBid { id, bidder, amount, maximum, is_automatic, after });
        Ok(())
    }

    /// The former leader's hold ends.
    fn release(&mut self, lead: Lead) {
        let held = self.auction.hold(lead.maximum);
        self.movement(TransferKind::Release, lead.bidder, held, lead.bid);
    }

    fn movement(&mut self, kind: TransferKind, user: UserId, amount: Money, bid: BidId) {
        self.movements.push(Movement { user, kind, amount, bid: Some(bid) });
    }

    fn done(self, offer: BidId) -> Accepted {
        let recorded = self.bids.iter().any(|bid| bid.id == offer);
        let raised = self.auction.lead.map_or(offer, |lead| lead.bid);
        let answer = if recorded { offer } else { raised };
        Accepted { auction: self.auction, bids: self.bids, movements: self.movements, answer }
    }
}
