//! The hidden reserve: who meets it, at which price, and what is recorded of it.

use entity::enums::ReserveStatus::{self, Met, NotMet};

use super::{ANN, BEN, END_US, SECOND_US, at, fresh, led};

#[test]
fn a_maximum_that_meets_the_hidden_reserve_lifts_the_price_to_it() {
    // Who bids, amount and maximum, then price and what the public knows; the reserve is 5,000.
    let first = [
        (BEN, 1_000, 1_000, 1_000, NotMet),
        (BEN, 1_000, 4_999, 1_000, NotMet),
        (BEN, 1_000, 5_000, 5_000, Met),
        (BEN, 1_000, 9_000, 5_000, Met),
        (BEN, 4_999, 5_001, 5_000, Met),
        (BEN, 5_000, 5_000, 5_000, Met),
        (BEN, 5_001, 9_000, 5_001, Met),
    ];
    let challenge = [
        (BEN, 1_500, 2_500, 3_000, NotMet),
        (BEN, 1_500, 4_999, 3_500, NotMet),
        (BEN, 1_500, 5_000, 5_000, Met),
        (BEN, 1_500, 9_000, 5_000, Met),
        (BEN, 6_000, 9_000, 6_000, Met),
        (ANN, 1_500, 4_999, 1_500, NotMet),
        (ANN, 1_500, 5_000, 5_000, Met),
        (ANN, 6_000, 9_000, 6_000, Met),
    ];
    // One increment above the losing maximum is already past the reserve, unless that is too much.
    let near = [
        (BEN, 1_500, 9_000, 5_200, Met),
        (BEN, 1_500, 5_100, 5_100, Met),
        (BEN, 1_500, 5_000, 5_000, Met),
        (BEN, 1_500, 4_900, 4_900, NotMet),
    ];
    let scenes = [fresh(), led(1_000, 3_000), led(1_000, 4_700)].map(|s| s.reserve(5_000));
    for (scene, rows) in scenes.iter().zip([&first[..], &challenge[..], &near[..]]) {
        for &(who, amount, maximum, price, status) in rows {
            let auction = scene.accepted(who, amount, maximum).auction;
            let is = (auction.price.minor(), auction.reserve_status());
            assert_eq!(is, (price, status), "{amount}/{maximum}");
        }
    }
}

#[test]
fn a_reserve_once_met_changes_nothing_more() {
    let scene = led(5_000, 8_000).reserve(5_000);
    assert_eq!(scene.outcome(BEN, 5_500, 6_000), ("ann", 6_500));
    assert_eq!(scene.outcome(BEN, 5_500, 9_000), ("ben", 8_500));
    assert_eq!(scene.outcome(ANN, 5_000, 9_000), ("ann", 5_000));
    assert_eq!(scene.outcome(ANN, 5_500, 9_000), ("ann", 5_500));
}

#[test]
fn a_bid_that_meets_the_reserve_is_recorded_at_it() {
    assert_eq!(
        led(1_000, 3_000).reserve(5_000).told(BEN, 1_500, 6_000),
        [
            "RELEASE 3000 of ann for her",
            "HOLD 6000 of ben for new",
            "#5 fresh bid: ann 3000/3000 by engine; ann leads to 3000 by her bid",
            "#6 new bid: ben 5000/6000 by hand; ben leads to 6000 by new bid",
            "ben leads to 6000 by new bid, answer new",
        ]
    );
    assert_eq!(
        led(1_000, 3_000).reserve(5_000).told(ANN, 1_500, 6_000),
        [
            "HOLD 3000 of ann for her",
            "#5 new bid: ann 5000/6000 by hand; ann leads to 6000 by her bid",
            "ann leads to 6000 by her bid, answer new",
        ]
    );
}

#[test]
fn a_raised_maximum_that_meets_the_reserve_makes_the_engine_bid() {
    for maximum in [5_000, 6_000] {
        let lead = format!("ann leads to {maximum} by her bid");
        assert_eq!(
            led(1_000, 3_000).reserve(5_000).told(ANN, 1_000, maximum),
            [
                format!("HOLD {} of ann for her", maximum - 3_000),
                format!("#5 new bid: ann 5000/{maximum} by engine; {lead}"),
                format!("{lead}, answer new"),
            ]
        );
    }
}

#[test]
fn a_silent_raise_moves_the_end_only_when_it_meets_the_reserve() {
    let scene = led(1_000, 3_000).reserve(5_000).now_us(END_US - SECOND_US);
    let end_after = |maximum| scene.accepted(ANN, 1_000, maximum).auction.ends_at;
    assert_eq!(end_after(4_999), at(END_US));
    assert_eq!(end_after(5_000), at(END_US + 59 * SECOND_US));
}

#[test]
fn the_public_knows_that_a_reserve_is_met_and_never_before_a_bid() {
    assert_eq!(fresh().auction.reserve_status(), ReserveStatus::None);
    assert_eq!(led(1_000, 3_000).auction.reserve_status(), ReserveStatus::None);
    // A reserve at the starting price is met by the first bid, not by the starting price.
    assert_eq!(fresh().reserve(1_000).auction.reserve_status(), NotMet);
    let after = fresh().reserve(1_000).accepted(BEN, 1_000, 1_000).auction;
    assert_eq!((after.price.minor(), after.reserve_status()), (1_000, Met));
}
