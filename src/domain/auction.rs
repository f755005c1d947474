//! An auction as the rules see it: what may be bid now, what the public may know, how an end
//! moves, and what a seller may create.

use chrono::TimeDelta;
use entity::{
    Time,
    enums::{AuctionStatus, ReserveStatus},
    ids::{AuctionId, BidId, RegionId, UserId},
};

use super::{
    increments::IncrementTable,
    money::{MAX_AMOUNT, Money, OutOfRange},
};

/// An auction's state, all that judging a bid needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auction {
    /// Its id.
    pub id: AuctionId,
    /// Who sells.
    pub seller: UserId,
    /// Inside which region a bidder must live; `None` for a national auction.
    pub bidders_region: Option<RegionId>,
    /// The least first bid.
    pub starting_price: Money,
    /// What the leader would pay now; the starting price before the first bid.
    pub price: Money,
    /// The seller's own step; else the marketplace's table counts.
    pub bid_unit: Option<Money>,
    /// Below it nothing is sold.
    pub reserve: Option<Money>,
    /// Who pays it has bought.
    pub buy_now: Option<Money>,
    /// Who leads, if anybody bid.
    pub lead: Option<Lead>,
    /// How many bids are recorded.
    pub bid_count: i32,
    /// Where it stands in its life.
    pub status: AuctionStatus,
    /// From when bids count.
    pub starts_at: Time,
    /// Until when, soft close included.
    pub ends_at: Time,
    /// Until when, as it was created.
    pub scheduled_ends_at: Time,
    /// How a late bid moves the end.
    pub soft_close: SoftClose,
    /// The newest event's number; 0 before the first.
    pub sequence: i64,
}

/// The lead of an auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lead {
    /// Who leads.
    pub bidder: UserId,
    /// The most that the leader would pay; see [`Auction::hold`] for what is held of it.
    pub maximum: Money,
    /// The bid that took the lead: the holds are in its name.
    pub bid: BidId,
}

/// How a late bid moves the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftClose {
    /// A bid this close to the end moves it.
    pub window: TimeDelta,
    /// To this long after the bid.
    pub extension: TimeDelta,
    /// But never further from the scheduled end than this.
    pub cap: TimeDelta,
}

impl Auction {
    /// The least amount that a bid may name now. It is never above the buy-now price, for a bid of
    /// that price has bought; nor above what a bid may name at all.
    ///
    /// # Errors
    /// When it leaves the range of money.
    pub fn minimum_bid(&self, table: &IncrementTable) -> Result<Money, OutOfRange> {
        match self.lead {
            None => Ok(self.starting_price),
            Some(_) => {
                let next = self.price.plus(self.increment(table, self.price))?;
                Ok(next.min(self.highest_bid()?))
            }
        }
    }

    /// The highest price that a bid can set.
    fn highest_bid(&self) -> Result<Money, OutOfRange> {
        let largest = Money::from_minor(MAX_AMOUNT).ok_or(OutOfRange)?;
        match (self.buy_now, self.bid_unit) {
            (Some(buy_now), _) => Ok(buy_now),
            (None, Some(unit)) => largest.down_to_multiple_of(unit),
            (None, None) => Ok(largest),
        }
    }

    /// What is held of a leader with this maximum: no more than there can be to pay.
    #[must_use]
    pub fn hold(&self, maximum: Money) -> Money {
        self.buy_now.map_or(maximum, |buy_now| maximum.min(buy_now))
    }

    /// The step at a price.
    #[must_use]
    pub fn increment(&self, table: &IncrementTable, price: Money) -> Money {
        self.bid_unit.unwrap_or_else(|| table.at(price))
    }

    /// What the public may know of the reserve.
    #[must_use]
    pub fn reserve_status(&self) -> ReserveStatus {
        match self.reserve {
            None => ReserveStatus::None,
            Some(reserve) if self.lead.is_some() && self.price >= reserve => ReserveStatus::Met,
            Some(_) => ReserveStatus::NotMet,
        }
    }

    /// Where the end lies after a bid accepted at `now`.
    #[must_use]
    pub fn end_after_bid(&self, now: Time) -> Time {
        let SoftClose { window, extension, cap } = self.soft_close;
        if self.ends_at - now > window {
            return self.ends_at;
        }
        let latest = self.scheduled_ends_at + cap;
        self.ends_at.max((now + extension).min(latest))
    }

    /// Opens a scheduled auction whose time has come; says whether it did.
    pub fn open_if_due(&mut self, now: Time) -> bool {
        let due = self.status == AuctionStatus::Scheduled && self.starts_at <= now;
        if due {
            self.status = AuctionStatus::Open;
            self.sequence += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn at(seconds: i64) -> Time {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn auction(ends_at: i64, scheduled: i64, close: (i64, i64, i64)) -> Auction {
        let [window, extension, cap] = [close.0, close.1, close.2].map(TimeDelta::seconds);
        Auction {
            id: AuctionId::new(),
            seller: UserId::new(),
            bidders_region: None,
            starting_price: Money::ZERO,
            price: Money::ZERO,
            bid_unit: None,
            reserve: None,
            buy_now: None,
            lead: None,
            bid_count: 0,
            status: AuctionStatus::Open,
            starts_at: at(0),
            ends_at: at(ends_at),
            scheduled_ends_at: at(scheduled),
            soft_close: SoftClose { window, extension, cap },
            sequence: 1,
        }
    }

    #[test]
    fn a_late_bid_moves_the_end_up_to_the_cap_and_never_back() {
        // (ends, scheduled, (window, extension, cap), now, end after)
        for (ends, scheduled, close, now, after) in [
            (1_000, 1_000, (60, 60, 3_600), 939, 1_000),
            (1_000, 1_000, (60, 60, 3_600), 940, 1_000),
            (1_000, 1_000, (60, 60, 3_600), 941, 1_001),
            (1_000, 1_000, (60, 60, 3_600), 999, 1_059),
            (1_000, 1_000, (60, 30, 3_600), 950, 1_000),
            (1_000, 1_000, (60, 120, 3_600), 940, 1_060),
            (4_590, 1_000, (60, 60, 3_600), 4_589, 4_600),
            (4_600, 1_000, (60, 60, 3_600), 4_599, 4_600),
            (1_000, 1_000, (0, 60, 3_600), 999, 1_000),
            (1_000, 1_000, (60, 60, 0), 999, 1_000),
        ] {
            let end = auction(ends, scheduled, close).end_after_bid(at(now));
            assert_eq!(end, at(after), "{ends} {close:?} {now}");
        }
    }

    #[test]
    fn an_auction_opens_once_and_not_early() {
        let mut a = auction(1_000, 1_000, (60, 60, 60));
        a.status = AuctionStatus::Scheduled;
        a.starts_at = at(500);
        a.sequence = 0;
        assert!(!a.open_if_due(at(499)));
        assert!(a.open_if_due(at(500)));
        assert!(!a.open_if_due(at(501)));
        assert_eq!((a.status, a.sequence), (AuctionStatus::Open, 1));
    }
}
