//! Random histories of the whole house, from listing to pay, each step compared with a model: the
//! same answers, the same balances, the same states, and money conserved.

mod model;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta};
use entity::{Time, auction, ids::AuctionId, order};
use neighborbid::{
    domain::order::Action,
    engine::{CreateAuction, Engine, Error, Rules, Session},
};
use sea_orm::EntityTrait;

use self::model::{
    ADMIN, Answer, EXTENSION, FEE_BASIS_POINTS, HOUR, Lot, Model, Money, PEOPLE, SECOND,
};
use crate::support::requests::{BidRequest, bid_request, reason};
use crate::support::{
    TestDatabase, TestHouse,
    database::{self, number_of},
    house::{NOON, money, rules},
    records,
};

const HISTORIES: u64 = 8;
const STEPS: usize = 150;
const DEPOSIT: i64 = 90_000;

const MOVES: [(&str, Action); 6] = [
    ("hand over", Action::HandOver),
    ("confirm", Action::ConfirmReceipt),
    ("cancel", Action::Cancel),
    ("dispute", Action::Dispute),
    ("pay", Action::PaySeller),
    ("refund", Action::RefundBuyer),
];

/// Small, quick, and the same everywhere (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn up_to(&mut self, most: i64) -> i64 {
        i64::try_from(self.roll(usize::try_from(most).unwrap() + 1)).unwrap()
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())]
    }
}

/// A house, its model, and who is who in both.
struct Pair {
    house: TestHouse,
    engine: Arc<Engine>,
    clock: Arc<Mutex<Time>>,
    people: Vec<Session>,
    lots: BTreeMap<usize, AuctionId>,
    model: Model,
    dice: Dice,
}

fn time(at: model::Instant) -> Time {
    DateTime::from_timestamp_micros(at).unwrap()
}

fn code<T>(done: Result<T, Error>) -> Result<(), String> {
    match done {
        Ok(_) => Ok(()),
        Err(Error::Refused(refusal)) => Err(format!("{:?}", refusal.code)),
        Err(Error::Forbidden(_)) => Err("Forbidden".to_owned()),
        Err(other) => panic!("{other}"),
    }
}

impl Pair {
    async fn new(db: &TestDatabase, seed: u64) -> Self {
        let house = TestHouse::open(db).await;
        let clock = Arc::new(Mutex::new(house.now()));
        let rules = Rules { fee_basis_points: u32::try_from(FEE_BASIS_POINTS).unwrap(), ..rules() };
        let engine = records::engine_on(&house.db, rules, &clock).await;
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            let person = house.person(&format!("p{n}of{seed}"), None, DEPOSIT).await;
            if n == ADMIN {
                house.grant_admin(&person).await;
            }
            people.push(person);
        }
        let money = Money { wallets: [(DEPOSIT, 0); PEOPLE], escrow: 0, fees: 0 };
        Self {
            house,
            engine,
            clock,
            people,
            lots: BTreeMap::new(),
            model: Model { now: NOON * SECOND, money, lots: BTreeMap::new() },
            dice: Dice(seed),
        }
    }

    /// One step, in both; says what it was, with both answers.
    async fn step(&mut self) -> (String, Answer, Result<(), String>) {
        let live = self.lots_that(|lot| ["SCHEDULED", "OPEN"].contains(&lot.status));
        if live.len() < 3 {
            return self.create().await;
        }
        let sold = self.lots_that(|lot| lot.order.is_some());
        let unsettled = self.lots_that(|lot| {
            let settled = ["COMPLETED", "REFUNDED"];
            lot.order.as_ref().is_some_and(|order| !settled.contains(&order.status))
        });
        let lot = match self.dice.roll(8) {
            0 => self.dice.roll(self.lots.len()),
            _ => self.dice.of(&live),
        };
        match self.dice.roll(20) {
            0..=8 => self.bid(lot).await,
            9 => {
                let who = self.dice.roll(ADMIN);
                let bought = self
                    .engine
                    .place_bid(BidRequest::buy_now(self.people[who].user.id, self.lots[&lot]))
                    .await;
                let seen = bought.unwrap().refusal.map_or(Ok(()), |r| Err(format!("{:?}", r.code)));
                (format!("{who} buys {lot}"), self.model.buy_now(lot, who), seen)
            }
            10 => {
                let who = self.seller_or_any(lot);
                let seller = &self.people[who];
                let seen =
                    self.engine.cancel_auction(seller, self.lots[&lot], reason("so it is")).await;
                (format!("{who} withdraws {lot}"), self.model.cancel(lot, who), code(seen))
            }
            11 => {
                let who = self.seller_or_any(lot);
                let seen = self.engine.end_auction_early(&self.people[who], self.lots[&lot]).await;
                (format!("{who} ends {lot}"), self.model.end_early(lot, who), code(seen))
            }
            12..=13 => self.pass(),
            14..=15 => {
                while self.engine.turn_due_auctions().await.unwrap() > 0 {}
                while self.engine.complete_due_orders().await.unwrap() > 0 {}
                self.model.turn();
                ("turn".to_owned(), Ok(()), Ok(()))
            }
            16 if !sold.is_empty() => {
                let lot = self.dice.of(&sold);
                self.act(lot).await
            }
            17..=19 if !unsettled.is_empty() => {
                let lot = self.dice.of(&unsettled);
                self.act(lot).await
            }
            _ => self.bid(lot).await,
        }
    }

    fn lots_that(&self, fits: impl Fn(&Lot) -> bool) -> Vec<usize> {
        let fitting = self.model.lots.iter().filter(|(_, lot)| fits(lot));
        fitting.map(|(id, _)| *id).collect()
    }

    fn seller_or_any(&mut self, lot: usize) -> usize {
        let seller = self.model.lots[&lot].seller;
        if self.dice.roll(3) == 0 { self.dice.roll(ADMIN) } else { seller }
    }

    async fn create(&mut self) -> (String, Answer, Result<(), String>) {
        let dice = &mut self.dice;
        let (id, seller, start) = (self.lots.len(), dice.roll(ADMIN), 1_000 + dice.up_to(9_000));
        let reserve = (dice.roll(3) == 0).then(|| start + dice.up_to(20_000));
        let least = reserve.unwrap_or(start);
        let buy_now = (dice.roll(2) == 0).then(|| least + 1 + dice.up_to(40_000));
        let now = self.model.now;
        let starts = now + dice.of(&[0, 0, 0, HOUR]);
        let ends = starts + dice.of(&[HOUR, 20 * HOUR, 48 * HOUR, 200 * HOUR]);
        let wanted = CreateAuction {
            starting_price: money(start),
            reserve_price: reserve.map(money),
            buy_now_price: buy_now.map(money),
            starts_at: Some(time(starts)),
            ends_at: time(ends),
            soft_close_extension: Some(TimeDelta::microseconds(EXTENSION)),
            ..self.house.a_lamp()
        };
        let view = self.engine.create_auction(&self.people[seller], wanted).await.unwrap();
        self.lots.insert(id, view.listing.id);
        let lot = Lot {
            seller,
            start,
            reserve,
            buy_now,
            starts,
            ends,
            scheduled_end: ends,
            status: if starts <= now { "OPEN" } else { "SCHEDULED" },
            price: start,
            lead: None,
            bids: 0,
            order: None,
        };
        self.model.lots.insert(id, lot);
        (format!("{seller} lists {id}"), Ok(()), Ok(()))
    }

    /// A bid near the minimum; or one that raises the bidder's own maximum.
    async fn bid(&mut self, id: usize) -> (String, Answer, Result<(), String>) {
        let (lot, dice) = (&self.model.lots[&id], &mut self.dice);
        let raiser = lot.lead.filter(|_| dice.roll(4) == 0);
        let (who, amount) = match raiser {
            Some((leader, _)) => (leader, lot.price),
            None => (dice.roll(ADMIN), lot.minimum() + dice.of(&[-1, 0, 0, 0, 1, 777, 2_000])),
        };
        let limit = lot.lead.map_or(0, |lead| lead.1);
        let maximum = match dice.roll(4) {
            0 => amount,
            1 => limit + dice.of(&[-1, 0, 1, 500, 1_000]),
            _ => amount + dice.up_to(30_000),
        };
        let maximum = maximum.max(amount);
        let bid = bid_request(
            self.people[who].user.id,
            self.lots[&id],
            money(amount),
            Some(money(maximum)),
            None,
        );
        let seen = self.engine.place_bid(bid).await.unwrap().refusal;
        let seen = seen.map_or(Ok(()), |refusal| Err(format!("{:?}", refusal.code)));
        let answer = self.model.bid(id, who, amount, maximum);
        (format!("{who} bids {amount} up to {maximum} on {id}"), answer, seen)
    }

    async fn act(&mut self, id: usize) -> (String, Answer, Result<(), String>) {
        let lot = &self.model.lots[&id];
        let (seller, buyer, status) = {
            let order = lot.order.as_ref().unwrap();
            (lot.seller, order.buyer, order.status)
        };
        let who = self.dice.of(&[seller, buyer, ADMIN, 0]);
        let (name, action) = self.dice.of(&MOVES);
        // Most often what fits: else no order would get far.
        let fitting = match (status, self.dice.roll(3)) {
            (_, 0) => (who, name, action),
            ("AWAITING_HANDOVER", 1) => (buyer, "cancel", Action::Cancel),
            ("AWAITING_HANDOVER", _) => (seller, "hand over", Action::HandOver),
            ("HANDED_OVER", 1) => (buyer, "confirm", Action::ConfirmReceipt),
            ("HANDED_OVER", _) => (seller, "dispute", Action::Dispute),
            ("DISPUTED", 1) => (ADMIN, "pay", Action::PaySeller),
            ("DISPUTED", _) => (ADMIN, "refund", Action::RefundBuyer),
            _ => (who, name, action),
        };
        let (who, name, action) = fitting;
        let order = records::order(&self.house.db, self.lots[&id]).await.unwrap();
        let seen = self
            .engine
            .act_on_order(&self.people[who], order.id, action, Some(reason("why")))
            .await;
        (format!("{who} {name}s {id}"), self.model.act(id, who, name), code(seen))
    }

    /// Some time passes, often until just around a deadline.
    fn pass(&mut self) -> (String, Answer, Result<(), String>) {
        let mut at = Vec::new();
        for lot in self.model.lots.values() {
            at.extend([lot.starts, lot.ends, lot.ends - 30 * SECOND, lot.ends - 12 * HOUR]);
            if let Some(order) = &lot.order {
                at.extend([order.created + 72 * HOUR]);
                at.extend(order.completes);
            }
        }
        let now = self.model.now;
        let off = self.dice.of(&[-1, 0, 0, 1, SECOND]);
        at.retain(|at| at + off > now);
        at.sort_unstable();
        at.truncate(4);
        let to = match at.is_empty() {
            true => now + HOUR,
            false => self.dice.of(&at) + off,
        };
        self.model.now = to;
        *self.clock.lock().unwrap() = time(to);
        (format!("it is {to}"), Ok(()), Ok(()))
    }

    /// The house is as the model says.
    async fn compare(&self) -> Result<(), String> {
        let db = &self.house.db.write;
        let mut wallets = [(0, 0); PEOPLE];
        for (wallet, who) in wallets.iter_mut().zip(&self.people) {
            *wallet = self.house.balances(who).await;
        }
        let in_account = async |account: &str| {
            let sql = format!(
                "SELECT CAST(COALESCE(SUM(CASE WHEN to_account = '{account}' THEN amount
                   WHEN from_account = '{account}' THEN -amount ELSE 0 END), 0) AS BIGINT)
                 FROM transfers"
            );
            number_of(db, &sql).await.unwrap()
        };
        let (escrow, fees) = (in_account("ESCROW").await, in_account("FEES").await);
        let seen = Money { wallets, escrow, fees };
        if seen != self.model.money {
            return Err(format!("money: {seen:?}, not {:?}", self.model.money));
        }
        if seen.total() != DEPOSIT * i64::try_from(PEOPLE).unwrap() {
            return Err(format!("money came or went: {seen:?}"));
        }
        let auctions = auction::Entity::find().all(db).await.unwrap();
        let orders = order::Entity::find().all(db).await.unwrap();
        for (id, lot) in &self.model.lots {
            let row = auctions.iter().find(|row| row.id == self.lots[id]).unwrap();
            // Whether somebody has looked since its start is no difference.
            let due = |status| status == "SCHEDULED" && lot.starts <= self.model.now;
            let open = |status| if due(status) { "OPEN" } else { status };
            let leader = row
                .leader_id
                .map(|leader| self.people.iter().position(|who| who.user.id == leader).unwrap());
            let seen = (
                open(row.status.as_str()),
                row.current_price,
                row.bid_count,
                leader,
                row.ends_at,
                orders.iter().find(|o| o.auction_id == row.id).map(|o| (o.status.as_str(), o.fee)),
            );
            let expected = (
                open(lot.status),
                lot.price,
                lot.bids,
                lot.lead.map(|lead| lead.0),
                time(lot.ends),
                lot.order.as_ref().map(|order| (order.status, model::fee(lot.price))),
            );
            if seen != expected {
                return Err(format!("lot {id}: {seen:?}, not {expected:?}"));
            }
        }
        Ok(())
    }
}

async fn histories_hold(on_postgres: bool, seeds: std::ops::Range<u64>) {
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    for seed in seeds {
        let db = if on_postgres { database::postgres().await } else { database::sqlite().await };
        let mut pair = Pair::new(&db, seed).await;
        let mut steps = Vec::new();
        for _ in 0..STEPS {
            let (step, answer, seen) = pair.step().await;
            let word = step.split(' ').nth(1).unwrap_or("turn").to_owned();
            *done.entry(format!("{word} {answer:?}")).or_default() += 1;
            steps.push(format!("{step}: {answer:?}"));
            let same = answer.map_err(str::to_owned) == seen;
            let compared = pair.compare().await;
            assert!(
                same && compared.is_ok(),
                "seed {seed}: the house said {seen:?}; {compared:?}\n{}",
                steps.join("\n")
            );
        }
        db.finish().await;
    }
    println!("{done:#?}");
    for word in [
        "bids",
        "buys",
        "cancels",
        "withdraws",
        "ends",
        "hand",
        "confirms",
        "disputes",
        "pays",
        "refunds",
    ] {
        assert!(done.contains_key(&format!("{word} Ok(())")), "no history {word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_agree_with_the_model_on_sqlite() {
    histories_hold(false, 0..HISTORIES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_agree_with_the_model_on_postgres() {
    histories_hold(true, 0..HISTORIES).await;
}
