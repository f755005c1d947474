//! How an auction ends: at its time, by a price that buys it, early by its seller, or withdrawn.

use chrono::TimeDelta;
use entity::{
    Time,
    enums::{AuctionStatus, TransferKind},
};

use super::{
    auction::{Auction, Lead},
    ledger::Movement,
    money::{Money, OutOfRange},
    refusal::{Code, Refusal},
};

/// What an ending does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The auction after it: SOLD, UNSOLD or CANCELLED.
    pub auction: Auction,
    /// The money to move, in this order.
    pub movements: Vec<Movement>,
}

impl Auction {
    /// Whether its time is over.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        self.status == AuctionStatus::Open && self.ends_at <= now
    }

    /// Whether its price has bought it.
    #[must_use]
    pub fn is_bought(&self) -> bool {
        self.lead.is_some() && self.buy_now.is_some_and(|buy_now| self.price >= buy_now)
    }

    /// Whether somebody leads at a price that the seller sells for.
    #[must_use]
    pub fn is_saleable(&self) -> bool {
        self.lead.is_some() && self.reserve.is_none_or(|reserve| self.price >= reserve)
    }
}

/// Ends an open auction: sold to the leader, or unsold without one or below the reserve.
///
/// # Errors
/// When money leaves its range: a fault of ours.
pub fn close(auction: &Auction) -> Result<Closing, OutOfRange> {
    match auction.lead {
        Some(lead) if auction.is_saleable() => sell(auction, lead),
        _ => end(auction, AuctionStatus::Unsold),
    }
}

/// Sells to the leader now, at the seller's request.
///
/// # Errors
/// A refusal when nobody leads or the reserve is not met.
pub fn may_end_early(auction: &Auction, now: Time) -> Result<(), Refusal> {
    may_still_change(auction, now)?;
    if auction.lead.is_none() {
        return Err(Refusal::new(Code::NoBids, "Nobody has bid: cancel the auction instead."));
    }
    if !auction.is_saleable() {
        return Err(Refusal::new(Code::ReserveNotMet, "The price has not reached the reserve."));
    }
    Ok(())
}

/// Whether its seller may withdraw it: always before the first bid; with bids, until `cutoff`
/// before the end.
///
/// # Errors
/// A refusal when it is too late.
pub fn may_cancel(auction: &Auction, cutoff: TimeDelta, now: Time) -> Result<(), Refusal> {
    may_still_change(auction, now)?;
    if auction.bid_count > 0 && now > auction.ends_at - cutoff {
        let message = "There are bids and the end is near: the auction can only be ended early.";
        return Err(Refusal::new(Code::TooLateToCancel, message));
    }
    Ok(())
}

/// Withdraws it: all holds end.
///
/// # Errors
/// When money leaves its range: a fault of ours.
pub fn cancel(auction: &Auction) -> Result<Closing, OutOfRange> {
    end(auction, AuctionStatus::Cancelled)
}

fn may_still_change(auction: &Auction, now: Time) -> Result<(), Refusal> {
    let lives = matches!(auction.status, AuctionStatus::Open | AuctionStatus::Scheduled);
    if !lives || now >= auction.ends_at {
        return Err(Refusal::new(Code::AuctionEnded, "The auction has ended."));
    }
    Ok(())
}

fn sell(auction: &Auction, lead: Lead) -> Result<Closing, OutOfRange> {
    let Lead { bidder: user, maximum, bid } = lead;
    let bid = Some(bid);
    let capture = Movement { user, kind: TransferKind::Capture, amount: auction.price, bid };
    let rest = auction.hold(maximum).minus(auction.price)?;
    let release = Movement { user, kind: TransferKind::Release, amount: rest, bid };
    let mut movements = vec![capture];
    if rest > Money::ZERO {
        movements.push(release);
    }
    Ok(Closing { auction: ended(auction, AuctionStatus::Sold)?, movements })
}

fn end(auction: &Auction, status: AuctionStatus) -> Result<Closing, OutOfRange> {
    let release = auction.lead.map(|lead| Movement {
        user: lead.bidder,
        kind: TransferKind::Release,
        amount: auction.hold(lead.maximum),
        bid: Some(lead.bid),
    });
    Ok(Closing { auction: ended(auction, status)?, movements: release.into_iter().collect() })
}

fn ended(auction: &Auction, status: AuctionStatus) -> Result<Auction, OutOfRange> {
    let sequence = auction.sequence.checked_add(1).ok_or(OutOfRange)?;
    Ok(Auction { status, sequence, ..auction.clone() })
}
