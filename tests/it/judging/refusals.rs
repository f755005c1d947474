//! What is refused, with which field, and in which order.

use entity::{enums::AuctionStatus, ids::UserId};
use neighborbid::domain::refusal::Code;

use super::{ANN, BEN, END_US, SECOND_US, SELLER, Scene, at, fresh, led, region};

const AMOUNT: &[&str] = &["amount"];
const MAXIMUM: &[&str] = &["maximum"];
const NOWHERE: &[&str] = &[];

#[test]
fn an_amount_and_a_maximum_are_whole_multiples_of_the_bid_unit() {
    for (amount, maximum, field) in [
        (1_101, 2_000, AMOUNT),
        (1_199, 2_000, AMOUNT),
        (1_150, 1_150, AMOUNT),
        (1_100, 1_101, MAXIMUM),
        (1_100, 1_999, MAXIMUM),
    ] {
        for scene in [fresh().unit(100), led(1_000, 1_000).unit(100)] {
            assert_eq!(scene.refused(BEN, amount, maximum), (Code::BidOffUnit, field));
        }
    }
    // The leader's raise too, even if it leaves the price alone.
    let scene = led(1_000, 1_000).unit(100);
    assert_eq!(scene.refused(ANN, 1_000, 1_050), (Code::BidOffUnit, MAXIMUM));
    assert_eq!(scene.refused(ANN, 1_150, 1_200), (Code::BidOffUnit, AMOUNT));
}

#[test]
fn a_leader_who_names_the_price_must_exceed_the_own_maximum() {
    for maximum in [1_000, 1_001, 2_999, 3_000] {
        let refused = led(1_000, 3_000).refused(ANN, 1_000, maximum);
        assert_eq!(refused, (Code::BidTooLow, MAXIMUM), "{maximum}");
    }
}

#[test]
fn a_leader_may_name_the_price_or_the_minimum_and_nothing_between_or_below() {
    for amount in [1, 999, 1_001, 1_499] {
        for maximum in [amount, 3_000, 9_000] {
            let refused = led(1_000, 3_000).refused(ANN, amount, maximum.max(amount));
            assert_eq!(refused, (Code::BidTooLow, AMOUNT), "{amount}/{maximum}");
        }
    }
}

#[test]
fn the_available_balance_covers_what_is_held_to_the_last_unit() {
    for (scene, who, amount, maximum, needed) in [
        (fresh(), BEN, 1_000, 1_000, 1_000),
        (fresh(), BEN, 1_000, 4_000, 4_000),
        (led(1_000, 3_000), BEN, 1_500, 4_000, 4_000),
        (led(1_000, 3_000), BEN, 1_500, 2_000, 2_000),
        (led(1_000, 3_000), BEN, 1_500, 3_000, 3_000),
        (led(1_000, 3_000), ANN, 1_000, 3_001, 1),
        (led(1_000, 3_000), ANN, 1_500, 9_000, 6_000),
        (led(1_000, 3_000).reserve(5_000), ANN, 1_000, 9_000, 6_000),
    ] {
        let poor = scene.available(needed - 1);
        let refused = poor.refused(who, amount, maximum);
        assert_eq!(refused, (Code::InsufficientFunds, MAXIMUM), "{amount}/{maximum}");
        poor.available(needed).accepted(who, amount, maximum);
    }
    // What is held already is not asked for again.
    led(1_000, 3_000).available(0).accepted(ANN, 3_000, 3_000);
}

#[test]
fn an_auction_takes_bids_from_its_start_until_just_before_its_end() {
    use AuctionStatus::{Cancelled, Open, Scheduled, Sold, Unsold};
    const MIDDLE_US: i64 = END_US / 2;
    for (status, now_us, code) in [
        (Open, -SECOND_US, Some(Code::AuctionNotOpen)),
        (Open, -1, Some(Code::AuctionNotOpen)),
        (Open, 0, None),
        (Open, END_US - 1_000, None),
        (Open, END_US - 1, None),
        (Open, END_US, Some(Code::AuctionEnded)),
        (Open, END_US + 1, Some(Code::AuctionEnded)),
        (Scheduled, -1, Some(Code::AuctionNotOpen)),
        (Scheduled, MIDDLE_US, Some(Code::AuctionNotOpen)),
        (Cancelled, -1, Some(Code::AuctionNotOpen)),
        (Cancelled, MIDDLE_US, Some(Code::AuctionEnded)),
        (Sold, MIDDLE_US, Some(Code::AuctionEnded)),
        (Unsold, MIDDLE_US, Some(Code::AuctionEnded)),
    ] {
        let mut scene = fresh().now_us(now_us);
        scene.auction.status = status;
        match code {
            None => _ = scene.accepted(BEN, 1_000, 1_000),
            Some(code) => assert_eq!(scene.refused(BEN, 1_000, 1_000), (code, NOWHERE)),
        }
    }
}

#[test]
fn a_regional_auction_is_for_those_who_live_inside_its_region() {
    for (around, home, may_bid) in [
        (None, None, true),
        (None, Some("26110"), true),
        (Some("11110"), Some("11110"), true),
        (Some("11110"), Some("1111051500"), true),
        (Some("11110"), Some("11140"), false),
        (Some("11110"), Some("11"), false),
        (Some("11110"), None, false),
        (Some("11"), Some("11"), true),
        (Some("11"), Some("11110"), true),
        (Some("11"), Some("26110"), false),
        (Some("11"), None, false),
    ] {
        for (who, mut scene) in [(BEN, fresh()), (ANN, led(1_000, 1_000))] {
            scene.auction.bidders_region = around.map(region);
            scene.home = home;
            if may_bid {
                scene.accepted(who, 1_500, 1_500);
            } else {
                assert_eq!(scene.refused(who, 1_500, 1_500), (Code::OutOfRegion, NOWHERE));
            }
        }
    }
}

#[test]
fn neither_the_seller_nor_a_blocked_bidder_may_bid() {
    for mut scene in [fresh(), led(1_000, 3_000)] {
        assert_eq!(scene.refused(SELLER, 9_000, 9_000), (Code::SellerCannotBid, NOWHERE));
        scene.is_blocked = true;
        // A leader whom the seller blocked keeps the lead, and raises nothing.
        for who in [ANN, BEN] {
            assert_eq!(scene.refused(who, 9_000, 9_000), (Code::BidderBlocked, NOWHERE));
        }
    }
}

/// A bid and the scene that it comes to.
struct Attempt {
    scene: Scene,
    who: UserId,
    amount: i64,
    maximum: i64,
}

/// Makes an attempt wrong in one way, whatever else is wrong with it.
type Wrong = fn(&mut Attempt);

/// Each way to be refused, in the order of the rules.
const WRONGS: &[(Code, Wrong)] = &[
    (Code::AuctionNotOpen, |a| a.scene.auction.status = AuctionStatus::Scheduled),
    (Code::AuctionNotOpen, |a| a.scene.auction.starts_at = at(a.scene.now_us + 1)),
    (Code::AuctionEnded, |a| a.scene.auction.ends_at = at(a.scene.now_us)),
    (Code::AuctionEnded, |a| a.scene.auction.status = AuctionStatus::Sold),
    (Code::AuctionEnded, |a| a.scene.auction.status = AuctionStatus::Unsold),
    (Code::AuctionEnded, |a| a.scene.auction.status = AuctionStatus::Cancelled),
    (Code::SellerCannotBid, |a| a.scene.auction.seller = a.who),
    (Code::BidderBlocked, |a| a.scene.is_blocked = true),
    (Code::OutOfRegion, |a| a.scene.home = None),
    (Code::OutOfRegion, |a| a.scene.home = Some("26110")),
    (Code::BidTooLow, |a| a.amount -= 100),
    (Code::BidTooLow, |a| (a.who, a.amount, a.maximum) = (ANN, 1_000, 3_000)),
    (Code::BidOffUnit, |a| a.amount += 1),
    (Code::BidOffUnit, |a| a.maximum += 1),
    (Code::InsufficientFunds, |a| a.scene.available = 0),
];

/// Ben's bid at the minimum, on a regional auction with a bid unit, while Ann leads.
fn attempt(wrongs: &[Wrong]) -> (Code, &'static [&'static str]) {
    let mut scene = led(1_000, 3_000).unit(100);
    scene.auction.bidders_region = Some(region("11"));
    scene.home = Some("11110");
    let mut attempt = Attempt { scene, who: BEN, amount: 1_100, maximum: 5_000 };
    attempt.scene.accepted(attempt.who, attempt.amount, attempt.maximum);
    for wrong in wrongs {
        wrong(&mut attempt);
    }
    let Attempt { scene, who, amount, maximum } = attempt;
    scene.refused(who, amount, maximum)
}

#[test]
fn of_two_refusals_the_earlier_rule_answers() {
    for (rank, &(code, wrong)) in WRONGS.iter().enumerate() {
        assert_eq!(attempt(&[wrong]).0, code, "rank {rank} alone");
        for (later, &(_, other)) in WRONGS.iter().enumerate().skip(rank + 1) {
            // The earlier rule is broken last: surely broken, even where both touch one field.
            assert_eq!(attempt(&[other, wrong]).0, code, "ranks {rank} and {later}");
        }
    }
}

#[test]
fn of_all_refusals_the_earliest_rule_answers() {
    let wrongs = WRONGS.iter().map(|&(_, wrong)| wrong).rev().collect::<Vec<_>>();
    for (rank, &(code, _)) in WRONGS.iter().enumerate() {
        assert_eq!(attempt(&wrongs[..WRONGS.len() - rank]).0, code, "rank {rank} and all later");
    }
}

#[test]
fn an_amount_off_the_unit_is_named_before_its_maximum() {
    let scene = led(1_000, 3_000).unit(100);
    assert_eq!(scene.refused(BEN, 1_101, 2_001), (Code::BidOffUnit, AMOUNT));
}

#[test]
fn a_leaders_raise_is_too_low_before_it_is_off_the_unit() {
    let scene = led(1_000, 3_000).unit(100);
    assert_eq!(scene.refused(ANN, 1_001, 9_001), (Code::BidTooLow, AMOUNT));
    assert_eq!(scene.refused(ANN, 1_000, 2_999), (Code::BidTooLow, MAXIMUM));
    assert_eq!(scene.available(0).refused(ANN, 1_000, 3_001), (Code::BidOffUnit, MAXIMUM));
}
