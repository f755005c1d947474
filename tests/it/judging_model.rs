//! The judge against a model: random histories of bids on one auction, judged twice.
//!
//! The model shares no code with the judge. Money is scarce and amounts are small here, so that
//! ties, one-unit differences and refusals are frequent.

mod rules;

use std::{
    array,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta};
use entity::{
    Time,
    enums::{AuctionStatus, TransferKind},
    ids::{AuctionId, BidId, RegionId, UserId},
};
use neighborbid::domain::{
    auction::{Auction, SoftClose},
    bidding::{Accepted, Bidder, RecordedBid, Rejected, judge},
    ledger::Balances,
    money::Money,
    refusal::Code,
    request::Offer,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{TestCaseResult, TestRunner},
};
use uuid::Uuid;

use rules::{BLOCKED, House, Model, OUTSIDER, SCHEDULED_END_S, SELLER, START_S, Tiers, USERS};

const TIERS: [Tiers; 4] =
    [(&[], 1), (&[], 4), (&[(10, 1), (30, 2), (60, 5)], 8), (&[(15, 6), (40, 1)], 3)];

/// A bid to come; its amounts depend on what it finds, so that they are often near an edge.
#[derive(Debug, Clone)]
struct Step {
    wait_s: i64,
    who: usize,
    amount: Near,
    maximum: Near,
    on_unit: bool,
}

/// An amount, by its distance from something.
#[derive(Debug, Clone, Copy)]
enum Near {
    Minimum(i64),
    Price(i64),
    LeadersMaximum(i64),
    Reserve(i64),
    OwnAmount(i64),
}

fn house() -> impl Strategy<Value = House> {
    (
        1_i64..20,
        prop_oneof![2 => Just(None), 1 => (1_i64..6).prop_map(Some)],
        prop_oneof![1 => Just(None), 1 => (1_i64..80).prop_map(Some)],
        prop::sample::select(&TIERS[..]),
        (0_i64..20, 0_i64..20, 0_i64..20),
        prop::array::uniform(0_i64..160),
    )
        .prop_map(|(starting_price, bid_unit, reserve, tiers, close, money)| House {
            starting_price,
            bid_unit,
            reserve,
            tiers,
            window_s: close.0,
            extension_s: close.1,
            cap_s: close.2,
            money,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![
        6 => (-1_i64..4).prop_map(Near::Minimum),
        2 => Just(Near::Price(0)),
        1 => (-2_i64..8).prop_map(Near::Price),
        1 => (-2_i64..8).prop_map(Near::LeadersMaximum),
        1 => (-1_i64..2).prop_map(Near::Reserve),
    ];
    let maximum = prop_oneof![
        2 => Just(Near::OwnAmount(0)),
        3 => (0_i64..25).prop_map(Near::OwnAmount),
        4 => (-3_i64..7).prop_map(Near::LeadersMaximum),
        1 => (-1_i64..2).prop_map(Near::Reserve),
    ];
    let who = prop_oneof![1 => 0..=OUTSIDER, 6 => OUTSIDER + 1..USERS];
    let wait_s = prop_oneof![2 => Just(0_i64), 3 => 1_i64..5];
    (wait_s, who, amount, maximum, prop::bool::weighted(0.9)).prop_map(
        |(wait_s, who, amount, maximum, on_unit)| Step { wait_s, who, amount, maximum, on_unit },
    )
}

/// A history, most often from before the start on; some begin shortly before the end.
fn history() -> impl Strategy<Value = (House, Vec<Step>)> {
    let late_s = prop_oneof![4 => Just(0), 1 => 30..SCHEDULED_END_S];
    let steps = prop::collection::vec(step(), 1..50);
    (house(), late_s, steps).prop_map(|(house, late_s, mut steps)| {
        steps[0].wait_s += late_s;
        (house, steps)
    })
}

/// What a step means where the model stands: an amount and a maximum that is no less.
fn amounts(model: &Model, step: &Step) -> (i64, i64) {
    let leaders = model.leader().map_or(model.house.starting_price, |l| l.1);
    let find = |near, own: i64| match near {
        Near::Minimum(off) => model.minimum() + off,
        Near::Price(off) => model.price() + off,
        Near::LeadersMaximum(off) => leaders + off,
        Near::Reserve(off) => model.house.reserve.unwrap_or(model.price()) + off,
        Near::OwnAmount(off) => own + off,
    };
    let unit = model.house.bid_unit.filter(|_| step.on_unit).unwrap_or(1);
    let whole = |amount: i64| (amount.max(1) + unit - 1) / unit * unit;
    let amount = whole(find(step.amount, 0));
    let maximum = whole(find(step.maximum, amount));
    (amount, maximum.max(amount))
}

/// The auction and the money as the judge leaves them.
#[derive(Debug, Clone, PartialEq)]
struct Room {
    auction: Auction,
    wallets: [Balances; USERS],
    /// What is held in each bid's name, and of whom.
    holds: BTreeMap<BidId, (UserId, i64)>,
}

fn user(who: usize) -> UserId {
    UserId(Uuid::from_u128(who as u128 + 1))
}

fn money(minor: i64) -> Money {
    Money::from_minor(minor).unwrap()
}

fn at(seconds: i64) -> Time {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn region(code: &str) -> RegionId {
    RegionId(code.to_owned())
}

impl Room {
    fn new(house: &House) -> Self {
        let auction = Auction {
            id: AuctionId::new(),
            seller: user(SELLER),
            bidders_region: Some(region("11")),
            starting_price: money(house.starting_price),
            price: money(house.starting_price),
            bid_unit: house.bid_unit.map(money),
            reserve: house.reserve.map(money),
            buy_now: None,
            lead: None,
            bid_count: 0,
            status: AuctionStatus::Scheduled,
            starts_at: at(START_S),
            ends_at: at(SCHEDULED_END_S),
            scheduled_ends_at: at(SCHEDULED_END_S),
            soft_close: SoftClose {
                window: TimeDelta::seconds(house.window_s),
                extension: TimeDelta::seconds(house.extension_s),
                cap: TimeDelta::seconds(house.cap_s),
            },
            sequence: 0,
        };
        let wallets = house
            .money
            .map(|available| Balances { available: money(available), locked: Money::ZERO });
        Self { auction, wallets, holds: BTreeMap::new() }
    }

    /// Judges a bid as the engine does, under the table that `tiers` write.
    fn judge(&self, now_s: i64, who: usize, offer: &Offer, tiers: Tiers) -> Judged {
        let pairs = tiers.0.iter().map(|(below, step)| format!("{below}:{step},"));
        let table = format!("{}{}", pairs.collect::<String>(), tiers.1);
        let home = region(if who == OUTSIDER { "26" } else { "11110" });
        let bidder = Bidder {
            id: user(who),
            home_region: Some(&home),
            is_blocked: who == BLOCKED,
            available: self.wallets[who].available,
        };
        let table = table.parse().unwrap();
        match judge(&self.auction, &bidder, offer, &table, at(now_s)) {
            Ok(accepted) => Ok(accepted),
            Err(Rejected::Refused(refusal)) => Err(refusal.code),
            Err(Rejected::Fault(fault)) => panic!("{fault}"),
        }
    }

    /// Moves the money, one movement after the other; none may find too little.
    fn apply(&mut self, accepted: &Accepted) {
        for movement in &accepted.movements {
            let amount = movement.amount.minor();
            assert!(amount > 0, "an empty movement");
            let wallet = (0..USERS).find(|&who| user(who) == movement.user).unwrap();
            let wallet = &mut self.wallets[wallet];
            *wallet = wallet.after(movement.kind, movement.amount).unwrap();
            let hold = self.holds.entry(movement.bid.unwrap()).or_insert((movement.user, 0));
            assert_eq!(hold.0, movement.user, "a hold of two users");
            match movement.kind {
                TransferKind::Hold => hold.1 += amount,
                TransferKind::Release => hold.1 -= amount,
                kind => panic!("a bid makes no {kind:?}"),
            }
        }
        self.auction = accepted.auction.clone();
    }
}

type Judged = Result<Accepted, Code>;

/// The judge's room is as the model says.
fn agree(room: &Room, model: &Model) -> TestCaseResult {
    let auction = &room.auction;
    let lead = auction.lead.map(|lead| (lead.bidder, lead.maximum.minor()));
    let leader = model.leader().map(|(who, maximum)| (user(who), maximum));
    prop_assert_eq!(lead, leader, "leader and maximum");
    prop_assert_eq!(auction.price.minor(), model.price(), "price");
    prop_assert_eq!(usize::try_from(auction.bid_count), Ok(model.public.len()), "count");
    prop_assert_eq!(auction.sequence, model.sequence(), "sequence");
    prop_assert_eq!(auction.ends_at, at(model.end_s), "end");
    let wallets = array::from_fn(|who| Balances {
        available: money(model.available(who)),
        locked: money(model.locked(who)),
    });
    prop_assert_eq!(room.wallets, wallets, "balances");
    Ok(())
}

/// Each recorded bid is the model's, and carries the auction as it was right after it.
fn same_bids(before: &Model, model: &Model, accepted: &Accepted) -> TestCaseResult {
    let new = &model.public[before.public.len()..];
    prop_assert_eq!(accepted.bids.len(), new.len());
    for ((bid, expected), sequence) in accepted.bids.iter().zip(new).zip(before.sequence() + 1..) {
        let (amount, by_hand) = (bid.amount.minor(), !bid.is_automatic);
        prop_assert_eq!(bid.bidder, user(expected.who));
        prop_assert_eq!((amount, by_hand), (expected.amount, expected.by_hand));
        prop_assert_eq!(bid.after.sequence, sequence);
        prop_assert_eq!(bid.after.price, bid.amount);
        prop_assert_eq!(bid.after.ends_at, at(model.end_s));
        prop_assert!(bid.maximum >= bid.amount);
        let lead = bid.after.lead.unwrap();
        prop_assert!(lead.maximum >= bid.amount, "a price above the leader's maximum");
        if lead.bidder == bid.bidder {
            prop_assert_eq!(lead.maximum, bid.maximum);
        } else {
            prop_assert_eq!(bid.amount, bid.maximum, "who does not lead has offered all");
        }
    }
    if let Some(newest) = accepted.bids.last() {
        prop_assert_eq!(&newest.after, &accepted.auction);
    }
    Ok(())
}

/// What must hold whatever the rules of prices are.
fn invariants(before: &Room, room: &Room, accepted: &Accepted, offer: &Offer) -> TestCaseResult {
    let (old, new) = (&before.auction, &room.auction);
    let lead = new.lead.unwrap();
    prop_assert!(new.price >= old.price, "the price fell");
    prop_assert!(new.price <= lead.maximum, "the price passed the leader's maximum");
    prop_assert!(new.ends_at >= old.ends_at, "the end came nearer");
    prop_assert!(old.lead.is_none_or(|l| l.maximum <= lead.maximum), "the maximum fell");
    let amounts = accepted.bids.iter().map(|bid| bid.amount);
    let amounts = [old.price].into_iter().chain(amounts).collect::<Vec<_>>();
    prop_assert!(amounts.is_sorted(), "recorded amounts fell: {amounts:?}");

    let total = |room: &Room| -> i64 {
        let wallets = room.wallets.iter();
        wallets.map(|w| w.available.minor() + w.locked.minor()).sum()
    };
    prop_assert_eq!(total(before), total(room), "money was made or lost");
    let held = room.holds.iter().filter(|hold| hold.1.1 != 0);
    let held = held.map(|(bid, hold)| (*bid, *hold)).collect::<Vec<_>>();
    let only = (lead.bid, (lead.bidder, lead.maximum.minor()));
    prop_assert_eq!(held, vec![only], "exactly one hold: the leader's");

    // Every challenger's bid has a hold of its own; a leader's is in the name of the one it raises.
    let raises = old.lead.is_some_and(|l| l.bid == lead.bid && accepted.bids.len() < 2);
    prop_assert_eq!(room.holds.contains_key(&offer.id()), !raises);
    let recorded = accepted.bids.iter().any(|bid| bid.id == offer.id());
    let answer = if recorded { offer.id() } else { lead.bid };
    prop_assert_eq!(accepted.answer, answer);
    prop_assert!(recorded || accepted.bids.is_empty());
    let same_terms = |bid: &RecordedBid| bid.id != offer.id() || bid.amount >= offer.amount();
    prop_assert!(accepted.bids.iter().all(same_terms), "recorded below what was offered");
    Ok(())
}

/// Judges a whole history twice; what happened in it goes to `seen`.
fn play(house: &House, steps: &[Step], seen: &mut BTreeSet<String>) -> TestCaseResult {
    let mut room = Room::new(house);
    let mut model = Model::new(house);
    let mut now_s = 0;
    for step in steps {
        now_s += step.wait_s;
        model.is_open |= now_s >= START_S;
        room.auction.open_if_due(at(now_s));
        let (amount, maximum) = amounts(&model, step);
        let offer = Offer::new(BidId::new(), money(amount), Some(money(maximum))).unwrap();
        let judged = room.judge(now_s, step.who, &offer, house.tiers);
        let refusal = model.refusal(now_s, step.who, amount, maximum);
        prop_assert_eq!(judged.as_ref().err(), refusal.as_ref(), "{}/{}", amount, maximum);
        match judged {
            Err(code) => _ = seen.insert(format!("{code:?}")),
            Ok(accepted) => {
                let (room_before, model_before) = (room.clone(), model.clone());
                model.accept(now_s, step.who, amount, maximum);
                room.apply(&accepted);
                same_bids(&model_before, &model, &accepted)?;
                invariants(&room_before, &room, &accepted, &offer)?;
                note(&model_before, &model, step.who, maximum, seen);
            }
        }
        agree(&room, &model)?;
    }
    Ok(())
}

/// Names what an accepted bid did.
fn note(before: &Model, after: &Model, who: usize, maximum: i64, seen: &mut BTreeSet<String>) {
    let bids = after.public.len() - before.public.len();
    let did = match before.leader() {
        None => "began",
        Some((leader, _)) if leader == who && bids == 0 => "raised its maximum alone",
        Some((leader, _)) if leader == who => "raised the price",
        Some((_, highest)) if highest == maximum => "tied",
        Some((_, highest)) if highest > maximum => "lost",
        Some(_) if bids == 2 => "outbid a maximum above the price",
        Some(_) => "outbid the price",
    };
    let is_met = |model: &Model| {
        let reserve = model.house.reserve;
        reserve.is_some_and(|reserve| !model.public.is_empty() && model.price() >= reserve)
    };
    if is_met(after) && !is_met(before) {
        seen.insert(format!("{did} and met the reserve"));
    }
    if after.public.last().is_some_and(|bid| bids == 1 && !bid.by_hand) {
        seen.insert("met the reserve by the engine's bid".to_owned());
    }
    if after.end_s > before.end_s {
        seen.insert(format!("{did} and moved the end"));
    }
    if after.end_s > before.end_s && after.end_s == SCHEDULED_END_S + after.house.cap_s {
        seen.insert("moved the end to its cap".to_owned());
    }
    seen.insert(did.to_owned());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_is_judged_as_the_model_judges_it((house, steps) in history()) {
        play(&house, &steps, &mut BTreeSet::new())?;
    }
}

#[test]
fn random_histories_reach_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..1_000 {
        let (house, steps) = history().new_tree(&mut runner).unwrap().current();
        play(&house, &steps, &mut seen).unwrap();
    }
    for wanted in [
        "AuctionNotOpen",
        "AuctionEnded",
        "SellerCannotBid",
        "BidderBlocked",
        "OutOfRegion",
        "BidTooLow",
        "BidOffUnit",
        "InsufficientFunds",
        "began",
        "began and met the reserve",
        "began and moved the end",
        "raised its maximum alone",
        "raised the price",
        "raised the price and met the reserve",
        "raised the price and moved the end",
        "met the reserve by the engine's bid",
        "tied",
        "tied and moved the end",
        "lost",
        "lost and moved the end",
        "outbid the price",
        "outbid the price and met the reserve",
        "outbid a maximum above the price",
        "outbid a maximum above the price and met the reserve",
        "moved the end to its cap",
    ] {
        assert!(seen.contains(wanted), "no history has {wanted:?}: {seen:#?}");
    }
    // A leader's maximum that covers the reserve has met it long before it is defended.
    for unwanted in ["lost and met the reserve", "tied and met the reserve"] {
        assert!(!seen.contains(unwanted), "a history has {unwanted:?}");
    }
}
