//! The terms of a new auction, each checked as a whole: what it may cost, when it runs, and how
//! its end moves.

use chrono::{SubsecRound, TimeDelta};
use entity::Time;

use super::{
    auction::SoftClose,
    money::Money,
    refusal::{Code, Refusal, refuse},
};

/// How long an auction may run.
const MIN_RUN: TimeDelta = TimeDelta::minutes(1);
const MAX_RUN: TimeDelta = TimeDelta::days(30);

/// How far ahead an auction may be listed.
const MAX_AHEAD: TimeDelta = TimeDelta::days(90);

/// How long a soft close's window and extension may be.
const MAX_SOFT_CLOSE: TimeDelta = TimeDelta::hours(1);

/// The prices of an auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    starting: Money,
    bid_unit: Option<Money>,
    reserve: Option<Money>,
    buy_now: Option<Money>,
}

impl Prices {
    /// Prices that fit each other.
    ///
    /// # Errors
    /// A refusal when one is no whole multiple of the bid unit, the reserve is below the starting
    /// price, or the buy-now price is not above it or below the reserve.
    pub fn new(
        starting: Money,
        bid_unit: Option<Money>,
        reserve: Option<Money>,
        buy_now: Option<Money>,
    ) -> Result<Self, Refusal> {
        let fits = |price: Money| bid_unit.is_none_or(|unit| price.is_multiple_of(unit));
        if !fits(starting) {
            let message = "The starting price must be a whole multiple of the bid unit.";
            return refuse(Code::InvalidPrice, &["startingPrice"], message);
        }
        if let Some(buy_now) = buy_now {
            let least = reserve.map_or(starting, |reserve| reserve.max(starting));
            if buy_now < least || buy_now == starting {
                let message = "The buy-now price must be above the starting price, and no less \
                               than the reserve.";
                return refuse(Code::InvalidPrice, &["buyNowPrice"], message);
            }
            if !fits(buy_now) {
                let message = "The buy-now price must be a whole multiple of the bid unit.";
                return refuse(Code::InvalidPrice, &["buyNowPrice"], message);
            }
        }
        if reserve.is_some_and(|reserve| reserve < starting) {
            let message = "The reserve must be at least the starting price.";
            return refuse(Code::InvalidPrice, &["reservePrice"], message);
        }
        if !reserve.is_none_or(fits) {
            let message = "The reserve must be a whole multiple of the bid unit.";
            return refuse(Code::InvalidPrice, &["reservePrice"], message);
        }
        Ok(Self { starting, bid_unit, reserve, buy_now })
    }

    /// The least first bid.
    #[must_use]
    pub fn starting(&self) -> Money {
        self.starting
    }

    /// The seller's own step, if fixed.
    #[must_use]
    pub fn bid_unit(&self) -> Option<Money> {
        self.bid_unit
    }

    /// The price below which nothing is sold. Secret.
    #[must_use]
    pub fn reserve(&self) -> Option<Money> {
        self.reserve
    }

    /// The price at which a bidder buys at once.
    #[must_use]
    pub fn buy_now(&self) -> Option<Money> {
        self.buy_now
    }
}

/// When an auction runs, in the microseconds that both databases keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    starts_at: Time,
    ends_at: Time,
}

impl Schedule {
    /// From a start, by default and at the earliest `now`, to an end.
    ///
    /// # Errors
    /// A refusal of an instant within a leap second, a start too far ahead, or a run too short or
    /// too long.
    pub fn new(starts_at: Option<Time>, ends_at: Time, now: Time) -> Result<Self, Refusal> {
        // A leap second is no instant that both databases keep.
        let is_leap = |at: &Time| at.timestamp_subsec_nanos() >= 1_000_000_000;
        let leap = "A minute has the seconds 0 to 59.";
        if starts_at.as_ref().is_some_and(is_leap) {
            return refuse(Code::InvalidTime, &["startsAt"], leap);
        }
        if is_leap(&ends_at) {
            return refuse(Code::InvalidTime, &["endsAt"], leap);
        }
        let starts_at = starts_at.map_or(now, |at| at.trunc_subsecs(6).max(now));
        if starts_at > now + MAX_AHEAD {
            let message = "An auction may be listed at most 90 days ahead.";
            return refuse(Code::InvalidTime, &["startsAt"], message);
        }
        let ends_at = ends_at.trunc_subsecs(6);
        if !(MIN_RUN..=MAX_RUN).contains(&(ends_at - starts_at)) {
            let message = "An auction ends 1 minute to 30 days after its start.";
            return refuse(Code::InvalidTime, &["endsAt"], message);
        }
        Ok(Self { starts_at, ends_at })
    }

    /// From when bids count.
    #[must_use]
    pub fn starts_at(&self) -> Time {
        self.starts_at
    }

    /// Until when.
    #[must_use]
    pub fn ends_at(&self) -> Time {
        self.ends_at
    }
}

impl SoftClose {
    /// A soft close with a seller's own window and extension; what is `None` stays.
    ///
    /// # Errors
    /// A refusal of one that is below zero or longer than an hour.
    pub fn with(
        self,
        window: Option<TimeDelta>,
        extension: Option<TimeDelta>,
    ) -> Result<Self, Refusal> {
        let (window, extension) =
            (window.unwrap_or(self.window), extension.unwrap_or(self.extension));
        let allowed = TimeDelta::zero()..=MAX_SOFT_CLOSE;
        let message = "A soft close's times lie between 0 and 3,600 seconds.";
        if !allowed.contains(&window) {
            return refuse(Code::InvalidSoftClose, &["softCloseWindowSeconds"], message);
        }
        if !allowed.contains(&extension) {
            return refuse(Code::InvalidSoftClose, &["softCloseExtensionSeconds"], message);
        }
        Ok(Self { window, extension, cap: self.cap })
    }
}
