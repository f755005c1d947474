//! The stalls: what is listed at the start and how long it runs, so that something always ends
//! soon, something opens soon, and something stays calm. A stall whose auction ended gets another.

use chrono::TimeDelta;
use entity::{
    Time,
    enums::{AuctionScope, ShippingPayer},
    ids::{CategoryId, RegionId},
};

use super::catalogue::Good;
use crate::{
    domain::{
        money::Money,
        refusal::Refusal,
        text::{Description, Title},
    },
    engine::CreateAuction,
};

/// How eagerly people bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heat {
    /// Every few seconds.
    Hot,
    /// Every half minute.
    Steady,
    /// Every few minutes.
    Calm,
    /// Only against newcomers and only the minimum: each leads for a while and can bid again.
    Guests,
}

/// A place that always has an auction. Times are in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    /// How eagerly people bid here.
    pub heat: Heat,
    /// How long after it is listed an auction opens.
    pub opens_in: i64,
    /// How long the first auction runs.
    first_run: i64,
    /// How long those after it run, at least and at most.
    later_run: (i64, i64),
}

const fn stall(heat: Heat, first_run: i64, later_run: (i64, i64)) -> Stall {
    Stall { heat, opens_in: 0, first_run, later_run }
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const QUICK: (i64, i64) = (2 * MINUTE + 30, 6 * MINUTE);
const SHORT: (i64, i64) = (8 * MINUTE, 20 * MINUTE);
const MIDDLE: (i64, i64) = (25 * MINUTE, 2 * HOUR);
const LONG: (i64, i64) = (6 * HOUR, 4 * DAY);

/// All stalls; the first auction of each is of the good at the same place in the catalogue.
pub const STALLS: [Stall; 24] = [
    stall(Heat::Hot, 2 * MINUTE, QUICK),
    stall(Heat::Hot, 3 * MINUTE, QUICK),
    stall(Heat::Hot, 5 * MINUTE, QUICK),
    stall(Heat::Hot, 8 * MINUTE, SHORT),
    stall(Heat::Hot, 12 * MINUTE, SHORT),
    stall(Heat::Steady, 15 * MINUTE, SHORT),
    stall(Heat::Steady, 20 * MINUTE, SHORT),
    stall(Heat::Steady, 25 * MINUTE, MIDDLE),
    stall(Heat::Steady, 30 * MINUTE, MIDDLE),
    stall(Heat::Steady, HOUR, MIDDLE),
    stall(Heat::Steady, HOUR + 30 * MINUTE, MIDDLE),
    stall(Heat::Steady, 2 * HOUR, MIDDLE),
    stall(Heat::Steady, 3 * HOUR, MIDDLE),
    stall(Heat::Calm, 6 * HOUR, LONG),
    stall(Heat::Calm, 9 * HOUR, LONG),
    stall(Heat::Calm, 12 * HOUR, LONG),
    stall(Heat::Calm, DAY, LONG),
    stall(Heat::Calm, DAY + 12 * HOUR, LONG),
    stall(Heat::Calm, 2 * DAY, LONG),
    stall(Heat::Calm, 3 * DAY, LONG),
    stall(Heat::Calm, 5 * DAY, LONG),
    stall(Heat::Guests, 2 * DAY, LONG),
    Stall { opens_in: MINUTE, ..stall(Heat::Hot, 10 * MINUTE, SHORT) },
    Stall { opens_in: 100, ..stall(Heat::Steady, HOUR, MIDDLE) },
];

/// The stall whose auction the printed command bids on.
pub const EXAMPLE: usize = 21;

/// Where nothing runs longer than this, late bids move the end by little, so that it does end.
const BRIEF: i64 = 20 * MINUTE;
const BRIEF_EXTENSION: TimeDelta = TimeDelta::seconds(20);

impl Stall {
    /// How long the next auction runs, in seconds.
    pub fn run(&self, is_first: bool, rng: &mut fastrand::Rng) -> i64 {
        match is_first {
            true => self.first_run,
            false => rng.i64(self.later_run.0..=self.later_run.1),
        }
    }
}

/// What the seller of a good asks for, when it opens in `opens_in` seconds and runs for `run`.
///
/// # Errors
/// When its words are unfit.
pub fn wanted(good: &Good, now: Time, opens_in: i64, run: i64) -> Result<CreateAuction, Refusal> {
    let starts_at = now + TimeDelta::seconds(opens_in);
    let soft_close = (run <= BRIEF).then_some(BRIEF_EXTENSION);
    let money = |won: i64| Money::from_minor(won);
    Ok(CreateAuction {
        title: Title::parse(good.title)?,
        description: Description::parse(good.description)?,
        category: Some(CategoryId(good.category.to_owned())),
        condition: good.condition,
        shipping_payer: ShippingPayer::Buyer,
        scope: match good.region {
            Some(_) => AuctionScope::Regional,
            None => AuctionScope::National,
        },
        region: good.region.map(|code| RegionId(code.to_owned())),
        starting_price: money(good.start).unwrap_or_default(),
        bid_unit: good.unit.and_then(money),
        reserve_price: good.reserve.and_then(money),
        buy_now_price: good.buy_now.and_then(money),
        starts_at: (opens_in > 0).then_some(starts_at),
        ends_at: starts_at + TimeDelta::seconds(run),
        soft_close_window: soft_close,
        soft_close_extension: soft_close,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{goods::GOODS, people::CAST};

    #[test]
    fn the_printed_command_bids_on_a_calm_national_auction_that_lasts() {
        let (stall, good) = (&STALLS[EXAMPLE], &GOODS[EXAMPLE]);
        assert_eq!(stall.heat, Heat::Guests);
        assert!(stall.first_run >= DAY && stall.opens_in == 0);
        assert!(good.region.is_none() && good.reserve.is_none() && good.unit.is_some());
    }

    #[test]
    fn those_shown_sell_only_where_nothing_is_listed_again_soon() {
        let shown = |name| CAST.iter().any(|c| c.username == name && c.password.is_some());
        for (place, good) in GOODS.iter().enumerate().filter(|(_, good)| shown(good.seller)) {
            let stall = STALLS.get(place).expect(good.title);
            assert_eq!(stall.heat, Heat::Calm, "{}", good.title);
        }
        assert!(CAST[..3].iter().all(|c| GOODS.iter().any(|g| g.seller == c.username)));
    }

    #[test]
    fn free_goods_wait_for_every_stall_and_runs_are_allowed() {
        assert!(GOODS.len() >= STALLS.len() + 6);
        for stall in &STALLS {
            for run in [stall.first_run, stall.later_run.0, stall.later_run.1] {
                assert!((MINUTE..=30 * DAY).contains(&run));
            }
        }
    }
}
