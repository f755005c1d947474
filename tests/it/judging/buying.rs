//! The buy-now price bounds what a bid has to name, and what is held of its bidder.

use neighborbid::domain::{closing, refusal::Code};

use super::*;

fn buyable(price: i64, maximum: i64) -> Scene {
    let mut scene = led(price, maximum);
    scene.auction.buy_now = Some(money(200_000));
    scene
}

fn minimum(scene: &Scene) -> i64 {
    scene.auction.minimum_bid(&KRW.parse().unwrap()).unwrap().minor()
}

#[test]
fn the_minimum_is_never_above_the_buy_now_price() {
    for (price, least) in [
        (100_000, 105_000),
        (194_999, 199_999),
        (195_000, 200_000),
        (195_001, 200_000),
        (198_000, 200_000),
        (199_999, 200_000),
    ] {
        let scene = buyable(price, price);
        assert_eq!(minimum(&scene), least, "{price}");
        assert_eq!(scene.refused(BEN, least - 1, 300_000), (Code::BidTooLow, AMOUNT), "{price}");
        assert_eq!(scene.outcome(BEN, least, least), ("ben", least), "{price}");
    }
    let bought = buyable(198_000, 198_000).accepted(BEN, 200_000, 200_000).auction;
    assert!(bought.is_bought());
}

#[test]
fn no_more_is_held_than_the_buy_now_price() {
    let fresh = || {
        let mut scene = fresh();
        scene.auction.buy_now = Some(money(200_000));
        scene
    };
    assert_eq!(
        fresh().available(200_000).told(BEN, 1_000, 300_000),
        [
            "HOLD 200000 of ben for new",
            "#2 new bid: ben 1000/300000 by hand; ben leads to 300000 by new bid",
            "ben leads to 300000 by new bid, answer new",
        ]
    );
    let refused = fresh().available(199_999).refused(BEN, 1_000, 300_000);
    assert_eq!(refused, (Code::InsufficientFunds, &["maximum"][..]));
    // A raise holds the difference only, and beyond the buy-now price nothing.
    let raised = ["HOLD 50000 of ann for her", "ann leads to 300000 by her bid, answer her"];
    let scene = buyable(100_000, 150_000);
    assert_eq!(scene.available(50_000).told(ANN, 100_000, 300_000), raised);
    let scene = buyable(100_000, 250_000).available(0);
    assert_eq!(scene.told(ANN, 100_000, 300_000), ["ann leads to 300000 by her bid, answer her"]);
    // Who loses the lead gets back what was held, not more.
    assert_eq!(
        buyable(100_000, 250_000).told(BEN, 105_000, 300_000)[..2],
        ["RELEASE 200000 of ann for her", "HOLD 200000 of ben for new"]
    );
    assert_eq!(
        buyable(100_000, 400_000).told(BEN, 105_000, 300_000)[..2],
        ["HOLD 200000 of ben for new", "RELEASE 200000 of ben for new"]
    );
}

#[test]
fn an_ending_moves_what_is_held() {
    let moved = |scene: &Scene| {
        let closing = closing::close(&scene.auction).unwrap();
        let line = |m: &neighborbid::domain::ledger::Movement| {
            format!("{} {}", m.kind.as_str(), m.amount.minor())
        };
        closing.movements.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(moved(&buyable(120_000, 300_000)), ["CAPTURE 120000", "RELEASE 80000"]);
    assert_eq!(moved(&buyable(200_000, 300_000)), ["CAPTURE 200000"]);
    assert_eq!(moved(&buyable(120_000, 300_000).reserve(150_000)), ["RELEASE 200000"]);
    let cancelled = closing::cancel(&buyable(120_000, 300_000).auction).unwrap();
    assert_eq!(cancelled.movements[0].amount.minor(), 200_000);
}
