//! How much somebody bids: pure, with the dice as an argument. Amounts are in won.
//!
//! Each bidder has a valuation of each lot that nobody else knows, and never bids above it. Only
//! a part of it is bid at first and all of it near the end, so that the price climbs for as long
//! as the auction runs.

use chrono::TimeDelta;
use entity::Time;
use fastrand::Rng;

use super::stalls::Heat;

/// Nobody here spends more on one thing, whatever it is listed for.
const MOST: i64 = 20_000_000;

/// The least step between two people's valuations where the seller fixes none.
const ROUND: i64 = 500;

/// This close to the end everybody bids as much as the lot is worth to them.
const LATE: TimeDelta = TimeDelta::seconds(45);

/// What may be bid on a lot now.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The least amount.
    pub minimum: i64,
    /// By how much one goes further.
    pub step: i64,
}

/// A bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The price named.
    pub amount: i64,
    /// Up to what the engine bids on, if not only to the amount.
    pub maximum: Option<i64>,
}

/// What a lot about worth `worth` is worth to one of those who want it: on its step, or a round
/// number.
pub fn valuation(rng: &mut Rng, worth: i64, unit: Option<i64>) -> i64 {
    let exact = worth.min(MOST) * rng.i64(65..=118) / 100;
    let unit = unit.unwrap_or(ROUND).max(1);
    exact.min(MOST) / unit * unit
}

/// How far an auction has run, in thousandths; all of it once its end is near.
pub fn progress(starts_at: Time, ends_at: Time, now: Time) -> i64 {
    if ends_at - now <= LATE {
        return 1_000;
    }
    let (gone, whole) = (now - starts_at, ends_at - starts_at);
    let part = gone.num_seconds().saturating_mul(1_000) / whole.num_seconds().max(1);
    part.clamp(0, 1_000)
}

/// How much of a valuation is bid at this progress: six tenths at first, then more and more.
pub fn willing(valuation: i64, progress: i64) -> i64 {
    valuation.saturating_mul(600 + progress.clamp(0, 1_000) * 4 / 10) / 1_000
}

/// A bid of somebody who goes up to `willing`; `None` when that is not enough any more.
pub fn offer(rng: &mut Rng, willing: i64, asked: Asked) -> Option<Offer> {
    let step = asked.step.max(1);
    let room = willing.checked_sub(asked.minimum).filter(|room| *room >= 0)? / step;
    // Most name the minimum; some are in a hurry; a third leave the rest to the engine.
    let steps = match rng.u8(..6) {
        0 => rng.i64(0..=room.min(3)),
        _ => 0,
    };
    let further = match rng.u8(..3) {
        0 => rng.i64(steps..=room.min(steps + 8)),
        _ => steps,
    };
    let at = |steps: i64| asked.minimum + steps * step;
    Some(Offer { amount: at(steps), maximum: (further > steps).then(|| at(further)) })
}

/// How long a lot is left alone after a bid.
pub fn rest(rng: &mut Rng, heat: Heat, left: TimeDelta) -> TimeDelta {
    let millis = match heat {
        Heat::Guests => 15_000..=40_000,
        _ if left <= LATE => 900..=4_000,
        Heat::Hot => 1_500..=7_000,
        Heat::Steady => 12_000..=45_000,
        Heat::Calm => 90_000..=300_000,
    };
    TimeDelta::milliseconds(rng.i64(millis))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::{option, prelude::any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn nobody_bids_above_a_valuation_or_off_the_step(
            seed in any::<u64>(),
            worth in 1_i64..=1_000_000_000_000_000,
            unit in option::of(1_i64..=100_000),
            steps_to_minimum in 1_i64..=10_000,
            progress in -10_i64..=1_010,
        ) {
            let mut rng = Rng::with_seed(seed);
            let valuation = valuation(&mut rng, worth, unit);
            prop_assert!((0..=MOST).contains(&valuation));
            let step = unit.unwrap_or(ROUND);
            let willing = willing(valuation, progress);
            prop_assert!(willing <= valuation);
            let asked = Asked { minimum: steps_to_minimum * step, step };
            match offer(&mut rng, willing, asked) {
                None => prop_assert!(asked.minimum > willing),
                Some(Offer { amount, maximum }) => {
                    prop_assert!(asked.minimum <= amount && amount <= valuation);
                    prop_assert_eq!(amount % step, 0);
                    let maximum = maximum.unwrap_or(amount);
                    prop_assert!(amount <= maximum && maximum <= valuation);
                    prop_assert_eq!(maximum % step, 0);
                }
            }
        }
    }

    #[test]
    fn all_of_a_valuation_is_bid_at_the_end_only() {
        assert_eq!(willing(100_500, 0), 60_300);
        assert_eq!(willing(100_500, 500), 80_400);
        assert_eq!(willing(100_500, 1_000), 100_500);
    }

    #[test]
    fn progress_is_whole_once_the_end_is_near() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        for (now, expected) in [(0, 0), (100, 100), (500, 500), (954, 954), (955, 1_000)] {
            assert_eq!(progress(at(0), at(1_000), at(now)), expected, "{now}");
        }
    }
}
