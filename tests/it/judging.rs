//! The judge by example: each rule of a bid, each refusal and their order, each edge.
//!
//! An example is an auction as it stands, one bid, and all that the judge answers, in words. It
//! owns no histories: those are random, and judged against a model of their own.

mod buying;
mod refusals;
mod reserve;

use chrono::{DateTime, TimeDelta};
use entity::{
    Time,
    enums::AuctionStatus,
    ids::{AuctionId, BidId, RegionId, UserId},
};
use neighborbid::domain::{
    auction::{Auction, Lead, SoftClose},
    bidding::{Accepted, Bidder, Rejected, judge},
    increments::IncrementTable,
    money::{MAX_AMOUNT, Money},
    refusal::Code,
    request::Offer,
};
use uuid::Uuid;

const SELLER: UserId = UserId(Uuid::from_u128(1));
const ANN: UserId = UserId(Uuid::from_u128(2));
const BEN: UserId = UserId(Uuid::from_u128(3));
/// The bid by which Ann leads.
const HERS: BidId = BidId(Uuid::from_u128(4));
/// The bid that is judged.
const NEW: BidId = BidId(Uuid::from_u128(5));

const KRW: &str = "10000:500,50000:1000,100000:2000,500000:5000,1000000:10000,50000";
const SECOND_US: i64 = 1_000_000;
const END_US: i64 = 7_200 * SECOND_US;

const AMOUNT: &[&str] = &["amount"];

/// An auction as it stands, and who bids on it, when and with how much money.
struct Scene {
    auction: Auction,
    now_us: i64,
    home: Option<&'static str>,
    is_blocked: bool,
    available: i64,
}

/// Two hours long, without a bid, one hour after its start; from 1,000 upwards, for everyone.
fn fresh() -> Scene {
    let auction = Auction {
        id: AuctionId(Uuid::from_u128(6)),
        seller: SELLER,
        bidders_region: None,
        starting_price: money(1_000),
        price: money(1_000),
        bid_unit: None,
        reserve: None,
        buy_now: None,
        lead: None,
        bid_count: 0,
        status: AuctionStatus::Open,
        starts_at: at(0),
        ends_at: at(END_US),
        scheduled_ends_at: at(END_US),
        soft_close: SoftClose {
            window: TimeDelta::seconds(60),
            extension: TimeDelta::seconds(60),
            cap: TimeDelta::seconds(3_600),
        },
        sequence: 1,
    };
    Scene { auction, now_us: END_US / 2, home: None, is_blocked: false, available: MAX_AMOUNT }
}

/// The same after three bids: Ann leads at `price`, by a maximum that only she knows.
fn led(price: i64, maximum: i64) -> Scene {
    let mut scene = fresh();
    scene.auction.price = money(price);
    scene.auction.lead = Some(Lead { bidder: ANN, maximum: money(maximum), bid: HERS });
    scene.auction.bid_count = 3;
    scene.auction.sequence = 4;
    scene
}

impl Scene {
    fn unit(mut self, unit: i64) -> Self {
        self.auction.bid_unit = Some(money(unit));
        self
    }

    fn reserve(mut self, reserve: i64) -> Self {
        self.auction.reserve = Some(money(reserve));
        self
    }

    fn available(mut self, available: i64) -> Self {
        self.available = available;
        self
    }

    fn now_us(mut self, now_us: i64) -> Self {
        self.now_us = now_us;
        self
    }

    fn judge(&self, who: UserId, amount: i64, maximum: i64) -> Result<Accepted, Rejected> {
        let home = self.home.map(region);
        let bidder = Bidder {
            id: who,
            home_region: home.as_ref(),
            is_blocked: self.is_blocked,
            available: money(self.available),
        };
        let offer = Offer::new(NEW, money(amount), Some(money(maximum))).unwrap();
        let table = KRW.parse::<IncrementTable>().unwrap();
        judge(&self.auction, &bidder, &offer, &table, at(self.now_us))
    }

    fn accepted(&self, who: UserId, amount: i64, maximum: i64) -> Accepted {
        let accepted = self.judge(who, amount, maximum).unwrap();
        each_bid_is_one_event_and_changes_nothing_else(&self.auction, &accepted);
        accepted
    }

    fn refused(&self, who: UserId, amount: i64, maximum: i64) -> (Code, &'static [&'static str]) {
        match self.judge(who, amount, maximum) {
            Err(Rejected::Refused(refusal)) => (refusal.code, refusal.field),
            other => panic!("{amount}/{maximum} was not refused: {other:?}"),
        }
    }

    /// Everything that an accepted bid does, a line each: money, bids, the lead and the answer.
    fn told(&self, who: UserId, amount: i64, maximum: i64) -> Vec<String> {
        let accepted = self.accepted(who, amount, maximum);
        let moved = accepted.movements.iter().map(|m| {
            let (kind, amount) = (m.kind.as_str(), m.amount.minor());
            format!("{kind} {amount} of {} for {}", name(m.user), bid(m.bid.unwrap()))
        });
        let bids = accepted.bids.iter().map(|b| {
            let (amount, maximum) = (b.amount.minor(), b.maximum.minor());
            let by = if b.is_automatic { "engine" } else { "hand" };
            let made = format!("{} {amount}/{maximum} by {by}", name(b.bidder));
            let (sequence, lead) = (b.after.sequence, lead(&b.after));
            format!("#{sequence} {} bid: {made}; {lead}", bid(b.id))
        });
        let end = format!("{}, answer {}", lead(&accepted.auction), bid(accepted.answer));
        moved.chain(bids).chain([end]).collect()
    }

    /// Who leads after a bid, and at which price.
    fn outcome(&self, who: UserId, amount: i64, maximum: i64) -> (&'static str, i64) {
        let auction = self.accepted(who, amount, maximum).auction;
        (name(auction.lead.unwrap().bidder), auction.price.minor())
    }
}

/// Sequences and counts have no holes, the end never comes nearer, and all else stays.
fn each_bid_is_one_event_and_changes_nothing_else(before: &Auction, accepted: &Accepted) {
    let mut auction = before.clone();
    for bid in &accepted.bids {
        assert!(bid.after.ends_at >= auction.ends_at);
        auction = Auction {
            price: bid.amount,
            lead: bid.after.lead,
            bid_count: auction.bid_count + 1,
            ends_at: bid.after.ends_at,
            sequence: auction.sequence + 1,
            ..auction
        };
        assert_eq!(bid.after, auction);
    }
    if accepted.bids.is_empty() {
        auction.lead = accepted.auction.lead;
    }
    assert_eq!(accepted.auction, auction);
}

fn money(minor: i64) -> Money {
    Money::from_minor(minor).unwrap()
}

fn at(us: i64) -> Time {
    DateTime::from_timestamp_micros(1_700_000_000 * SECOND_US + us).unwrap()
}

fn region(code: &str) -> RegionId {
    RegionId(code.to_owned())
}

fn name(user: UserId) -> &'static str {
    match user {
        ANN => "ann",
        BEN => "ben",
        _ => "nobody",
    }
}

fn bid(id: BidId) -> &'static str {
    match id {
        HERS => "her",
        NEW => "new",
        _ => "fresh",
    }
}

fn lead(auction: &Auction) -> String {
    let lead = auction.lead.unwrap();
    let maximum = lead.maximum.minor();
    format!("{} leads to {maximum} by {} bid", name(lead.bidder), bid(lead.bid))
}

#[test]
fn the_first_bid_names_at_least_the_starting_price() {
    assert_eq!(fresh().refused(BEN, 999, 9_000), (Code::BidTooLow, AMOUNT));
    assert_eq!(
        fresh().told(BEN, 1_000, 1_000),
        [
            "HOLD 1000 of ben for new",
            "#2 new bid: ben 1000/1000 by hand; ben leads to 1000 by new bid",
            "ben leads to 1000 by new bid, answer new",
        ]
    );
}

#[test]
fn the_first_bid_sets_its_amount_and_holds_its_maximum() {
    assert_eq!(
        fresh().told(BEN, 1_001, 9_000),
        [
            "HOLD 9000 of ben for new",
            "#2 new bid: ben 1001/9000 by hand; ben leads to 9000 by new bid",
            "ben leads to 9000 by new bid, answer new",
        ]
    );
}

#[test]
fn the_minimum_is_the_price_and_the_increment_of_its_tier() {
    for (price, minimum) in [
        (1_000, 1_500),
        (9_500, 10_000),
        (9_999, 10_499),
        (10_000, 11_000),
        (49_999, 50_999),
        (50_000, 52_000),
        (99_999, 101_999),
        (100_000, 105_000),
        (499_999, 504_999),
        (500_000, 510_000),
        (999_999, 1_009_999),
        (1_000_000, 1_050_000),
        (70_000_000, 70_050_000),
    ] {
        let scene = led(price, price);
        let below = minimum - 1;
        assert_eq!(scene.refused(BEN, below, MAX_AMOUNT), (Code::BidTooLow, AMOUNT));
        assert_eq!(scene.refused(BEN, price, MAX_AMOUNT), (Code::BidTooLow, AMOUNT));
        assert_eq!(scene.outcome(BEN, minimum, minimum), ("ben", minimum));
    }
}

#[test]
fn a_higher_maximum_takes_the_lead_one_increment_above_the_losing_one() {
    // Price and maximum of the leader, amount and maximum of the challenger, price after.
    for (p, lm, c, cm, price) in [
        (1_000, 1_000, 1_500, 1_500, 1_500),
        (1_000, 1_000, 1_500, 9_000, 1_500),
        (1_000, 1_000, 1_501, 9_000, 1_501),
        (1_000, 3_000, 1_500, 3_001, 3_001),
        (1_000, 3_000, 1_500, 3_499, 3_499),
        (1_000, 3_000, 1_500, 3_500, 3_500),
        (1_000, 3_000, 1_500, 3_501, 3_500),
        (1_000, 3_000, 1_500, 9_000, 3_500),
        (1_000, 3_000, 3_000, 9_000, 3_500),
        (1_000, 3_000, 3_001, 3_001, 3_001),
        (1_000, 3_000, 3_499, 9_000, 3_500),
        (1_000, 3_000, 3_501, 9_000, 3_501),
        (1_000, 3_000, 5_000, 5_000, 5_000),
        (9_000, 9_999, 9_500, 20_000, 10_499),
        (9_000, 10_000, 9_500, 20_000, 11_000),
        (9_000, 49_999, 20_000, 90_000, 50_999),
        (9_000, 50_000, 20_000, 90_000, 52_000),
    ] {
        let scene = led(p, lm);
        assert_eq!(scene.outcome(BEN, c, cm), ("ben", price), "{p}/{lm} {c}/{cm}");
    }
}

#[test]
fn outbid_releases_the_former_leaders_hold_after_a_last_automatic_bid() {
    assert_eq!(
        led(1_000, 3_000).told(BEN, 1_500, 9_000),
        [
            "RELEASE 3000 of ann for her",
            "HOLD 9000 of ben for new",
            "#5 fresh bid: ann 3000/3000 by engine; ann leads to 3000 by her bid",
            "#6 new bid: ben 3500/9000 by hand; ben leads to 9000 by new bid",
            "ben leads to 9000 by new bid, answer new",
        ]
    );
    // A single unit of maximum above the price is enough for it.
    assert_eq!(led(1_000, 1_001).accepted(BEN, 1_500, 1_500).bids.len(), 2);
}

#[test]
fn a_leader_whose_price_is_its_maximum_makes_no_automatic_bid() {
    assert_eq!(
        led(3_000, 3_000).told(BEN, 3_500, 9_000),
        [
            "RELEASE 3000 of ann for her",
            "HOLD 9000 of ben for new",
            "#5 new bid: ben 3500/9000 by hand; ben leads to 9000 by new bid",
            "ben leads to 9000 by new bid, answer new",
        ]
    );
}

#[test]
fn a_lower_maximum_lifts_the_price_one_increment_above_itself() {
    for (p, lm, c, cm, price) in [
        (1_000, 3_000, 1_500, 1_500, 2_000),
        (1_000, 3_000, 1_501, 1_501, 2_001),
        (1_000, 3_000, 1_500, 2_499, 2_999),
        (1_000, 3_000, 1_500, 2_500, 3_000),
        (1_000, 3_000, 1_500, 2_501, 3_000),
        (1_000, 3_000, 2_999, 2_999, 3_000),
        (9_000, 90_000, 9_500, 9_999, 10_499),
        (9_000, 90_000, 9_500, 10_000, 11_000),
        (9_000, 90_000, 9_500, 50_000, 52_000),
    ] {
        let scene = led(p, lm);
        assert_eq!(scene.outcome(BEN, c, cm), ("ann", price), "{p}/{lm} {c}/{cm}");
    }
    assert_eq!(
        led(1_000, 3_000).told(BEN, 1_500, 2_000),
        [
            "HOLD 2000 of ben for new",
            "RELEASE 2000 of ben for new",
            "#5 new bid: ben 2000/2000 by hand; ann leads to 3000 by her bid",
            "#6 fresh bid: ann 2500/3000 by engine; ann leads to 3000 by her bid",
            "ann leads to 3000 by her bid, answer new",
        ]
    );
}

#[test]
fn on_a_tie_the_earlier_maximum_leads_at_it() {
    for amount in [1_500, 2_000, 3_000] {
        assert_eq!(
            led(1_000, 3_000).told(BEN, amount, 3_000),
            [
                "HOLD 3000 of ben for new",
                "RELEASE 3000 of ben for new",
                "#5 new bid: ben 3000/3000 by hand; ann leads to 3000 by her bid",
                "#6 fresh bid: ann 3000/3000 by engine; ann leads to 3000 by her bid",
                "ann leads to 3000 by her bid, answer new",
            ]
        );
    }
}

#[test]
fn a_bid_unit_is_the_increment_at_every_price() {
    for (p, lm, c, cm, outcome) in [
        (1_000, 1_000, 1_300, 1_300, ("ben", 1_300)),
        (1_000, 3_000, 1_300, 4_000, ("ben", 3_100)),
        (1_000, 3_000, 1_100, 3_100, ("ben", 3_100)),
        (1_000, 3_000, 1_100, 2_900, ("ann", 3_000)),
        (1_000, 3_000, 1_100, 1_100, ("ann", 1_200)),
        (1_000, 3_000, 1_100, 3_000, ("ann", 3_000)),
        (90_000, 90_000, 90_100, 95_000, ("ben", 90_100)),
        (90_000, 95_000, 90_100, 99_000, ("ben", 95_100)),
    ] {
        assert_eq!(led(p, lm).unit(100).outcome(BEN, c, cm), outcome, "{p}/{lm} {c}/{cm}");
    }
    let scene = led(1_000, 1_000).unit(100);
    assert_eq!(scene.refused(BEN, 1_000, 2_000), (Code::BidTooLow, AMOUNT));
    assert_eq!(fresh().unit(100).outcome(BEN, 1_000, 1_000), ("ben", 1_000));
}

#[test]
fn a_leader_who_names_the_price_raises_the_maximum_alone() {
    for (price, held, maximum) in [(1_000, 3_000, 5_000), (1_000, 3_000, 3_001), (7, 7, 8)] {
        for scene in [led(price, held), led(price, held).reserve(maximum + 1)] {
            assert_eq!(
                scene.told(ANN, price, maximum),
                [
                    format!("HOLD {} of ann for her", maximum - held),
                    format!("ann leads to {maximum} by her bid, answer her"),
                ]
            );
        }
    }
}

#[test]
fn a_leader_who_names_the_minimum_raises_the_price_and_keeps_the_higher_maximum() {
    // Amount, maximum, maximum after, money held besides.
    for (amount, maximum, after, more) in [
        (1_500, 1_500, 3_000, 0),
        (1_500, 2_999, 3_000, 0),
        (1_500, 3_000, 3_000, 0),
        (3_000, 3_000, 3_000, 0),
        (1_500, 3_001, 3_001, 1),
        (1_501, 9_000, 9_000, 6_000),
        (4_000, 4_000, 4_000, 1_000),
    ] {
        let lead = format!("ann leads to {after} by her bid");
        let mut told = vec![
            format!("#5 new bid: ann {amount}/{after} by hand; {lead}"),
            format!("{lead}, answer new"),
        ];
        if more > 0 {
            told.insert(0, format!("HOLD {more} of ann for her"));
        }
        assert_eq!(led(1_000, 3_000).told(ANN, amount, maximum), told);
    }
}

#[test]
fn a_bid_within_the_window_moves_the_end() {
    // Window, extension and cap; how far the end was moved before; then, measured in µs from the
    // scheduled end: when the bid comes, and the end after it.
    for (close_s, moved_s, now_us, end_us) in [
        ((60, 60, 3_600), 0, -60_000_001, 0),
        ((60, 60, 3_600), 0, -60_000_000, 0),
        ((60, 60, 3_600), 0, -59_999_999, 1),
        ((60, 60, 3_600), 0, -1, 59_999_999),
        ((60, 90, 3_600), 0, -60_000_001, 0),
        ((60, 90, 3_600), 0, -60_000_000, 30_000_000),
        ((60, 30, 3_600), 0, -30_000_001, 0),
        ((60, 30, 3_600), 0, -29_999_999, 1),
        ((60, 60, 3_600), 40, -20_000_001, 40_000_000),
        ((60, 60, 3_600), 40, 39_999_999, 99_999_999),
        ((60, 60, 3_600), 3_590, 3_540_000_001, 3_600_000_000),
        ((60, 60, 3_600), 3_600, 3_599_999_999, 3_600_000_000),
        ((60, 60, 10), 0, -55_000_000, 5_000_000),
        ((60, 60, 10), 0, -50_000_000, 10_000_000),
        ((60, 60, 10), 0, -1, 10_000_000),
        ((60, 60, 0), 0, -1, 0),
        ((60, 0, 60), 0, -1, 0),
        ((0, 60, 60), 0, -1, 0),
    ] {
        let mut scene = led(1_000, 3_000).now_us(END_US + now_us);
        let [window, extension, cap] = <[i64; 3]>::from(close_s).map(TimeDelta::seconds);
        scene.auction.ends_at += TimeDelta::seconds(moved_s);
        scene.auction.soft_close = SoftClose { window, extension, cap };
        // Outbid, defended, tied, raised by its leader: each is an accepted bid.
        for (who, maximum) in [(BEN, 9_000), (BEN, 2_000), (BEN, 3_000), (ANN, 9_000)] {
            let accepted = scene.accepted(who, 1_500, maximum);
            for bid in &accepted.bids {
                assert_eq!(bid.after.ends_at, at(END_US + end_us), "{close_s:?} {now_us}");
            }
        }
    }
}

#[test]
fn the_largest_amounts_are_judged_without_overflow() {
    const TOP: i64 = MAX_AMOUNT;
    assert_eq!(fresh().outcome(BEN, TOP, TOP), ("ben", TOP));
    assert_eq!(fresh().outcome(BEN, 1_000, TOP), ("ben", 1_000));
    assert_eq!(led(1_000, TOP).outcome(BEN, 1_500, TOP), ("ann", TOP));
    assert_eq!(led(1_000, TOP - 1).outcome(BEN, 1_500, TOP), ("ben", TOP));
    assert_eq!(led(1_000, TOP).outcome(BEN, 1_500, TOP - 1), ("ann", TOP));
    assert_eq!(led(TOP / 2, TOP / 2).unit(TOP / 2).outcome(BEN, TOP, TOP), ("ben", TOP));
    assert_eq!(led(1_000, 2_000).reserve(TOP).outcome(ANN, 1_000, TOP), ("ann", TOP));
    assert_eq!(led(TOP - 50_000, TOP - 50_000).outcome(BEN, TOP, TOP), ("ben", TOP));
    // The minimum is never above what a bid may name; on a tie the earlier maximum leads.
    for price in [TOP - 49_999, TOP] {
        assert_eq!(led(price, TOP).outcome(BEN, TOP, TOP), ("ann", TOP));
        assert_eq!(led(price, TOP).refused(BEN, TOP - 1, TOP), (Code::BidTooLow, AMOUNT));
    }
    // With a unit that does not divide it, the largest multiple is the highest bid.
    let table = KRW.parse().unwrap();
    let minimum = led(TOP - 6, TOP).unit(7).auction.minimum_bid(&table).unwrap().minor();
    assert!(minimum % 7 == 0 && (TOP - 6..=TOP).contains(&minimum), "{minimum}");
}
