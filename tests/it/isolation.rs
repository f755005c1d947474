//! Nobody waits for a neighbour's trouble: rows that somebody holds for long, rows that cannot be
//! read, a node that stops in the middle of a transaction, a task that panics.

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use entity::{Time, enums::AuctionStatus, ids::AuctionId};
use neighborbid::{
    engine::{Clock, CreateAuction, Error, LaneSettings, Session},
    store::{
        auctions,
        connection::{Db, PoolSettings},
        transaction::{self, Transaction},
        wallets,
    },
};
use sea_orm::{ConnectionTrait, DbBackend};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::requests::bid_request;
use crate::support::{
    TestDatabase, TestHouse,
    database::{self, POOLS},
    house::{code, money},
    on_both,
};

const ONE_LANE: LaneSettings = LaneSettings { lanes: 1, batch: 64, queue: 4_096, share: 4_096 };

/// As a house in production waits for locks, only less long.
fn impatient() -> PoolSettings {
    PoolSettings {
        lock_timeout: Duration::from_millis(300),
        idle_in_transaction_timeout: Duration::from_millis(500),
        ..POOLS
    }
}

struct Scene {
    house: TestHouse,
    console: Db,
    ann: Session,
    ben: Session,
    lamp: AuctionId,
    chair: AuctionId,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let db = Db::open(&database.url, &impatient()).await.unwrap();
        let house = TestHouse::held_on(db, ONE_LANE).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 10_000_000).await;
        let ben = house.person("ben", None, 10_000_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let chair = house.list(&seller, house.a_lamp()).await;
        Self { house, console: database.open().await, ann, ben, lamp, chair }
    }

    /// A bid, by itself.
    fn bid(&self, who: &Session, auction: AuctionId, amount: i64) -> JoinHandle<Outcome> {
        let engine = Arc::clone(&self.house.engine);
        let bid = bid_request(who.user.id, auction, money(amount), None, None);
        tokio::spawn(async move {
            match engine.place_bid(bid).await {
                Ok(outcome) if code(&outcome).is_none() => Outcome::Accepted,
                Ok(outcome) => panic!("refused: {outcome:?}"),
                Err(Error::Overloaded | Error::Held) => Outcome::Overloaded,
                Err(error) => Outcome::Failed(error.to_string()),
            }
        })
    }

    async fn hold_auction(&self) -> Transaction {
        let held = transaction::begin(&self.console).await.unwrap();
        auctions::lock(&held, &[self.lamp]).await.unwrap();
        held
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Overloaded,
    Failed(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bids_on_a_held_auction_say_again_and_their_neighbours_are_judged() {
    let database = database::postgres().await;
    let scene = Scene::new(&database).await;
    let held = scene.hold_auction().await;
    let mut amount = 10_000;
    for _ in 0..3 {
        let (of_lamp, of_chair) =
            (scene.bid(&scene.ann, scene.lamp, 10_000), scene.bid(&scene.ben, scene.chair, amount));
        assert_eq!(of_lamp.await.unwrap(), Outcome::Overloaded);
        assert_eq!(of_chair.await.unwrap(), Outcome::Accepted);
        amount += 10_000;
    }
    held.rollback().await.unwrap();
    assert_eq!(scene.bid(&scene.ann, scene.lamp, 10_000).await.unwrap(), Outcome::Accepted);
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bids_of_a_held_wallet_say_again_and_others_on_the_same_auction_are_judged() {
    let database = database::postgres().await;
    let scene = Scene::new(&database).await;
    let held = transaction::begin(&scene.console).await.unwrap();
    wallets::lock(&held, iter::once(scene.ann.user.id), iter::empty()).await.unwrap();
    let mut amount = 10_000;
    for _ in 0..3 {
        let anns = scene.bid(&scene.ann, scene.lamp, amount);
        let bens = scene.bid(&scene.ben, scene.lamp, amount);
        assert_eq!(anns.await.unwrap(), Outcome::Overloaded);
        assert_eq!(bens.await.unwrap(), Outcome::Accepted);
        amount += 10_000;
    }
    held.rollback().await.unwrap();
    assert_eq!(scene.bid(&scene.ann, scene.lamp, amount).await.unwrap(), Outcome::Accepted);
    database.finish().await;
}

/// A statement that no CHECK stops.
async fn unchecked(db: &Db, sql: &str) {
    match db.write.get_database_backend() {
        DbBackend::Postgres => {
            let drop = "DO $$ DECLARE c RECORD; BEGIN FOR c IN SELECT conname FROM pg_constraint
                WHERE conrelid = 'auctions'::regclass AND contype = 'c' LOOP
                EXECUTE format('ALTER TABLE auctions DROP CONSTRAINT %I', c.conname);
                END LOOP; END $$";
            db.write.execute_unprepared(drop).await.unwrap();
        }
        _ => {
            db.write.execute_unprepared("PRAGMA ignore_check_constraints = ON").await.unwrap();
        }
    }
    db.write.execute_unprepared(sql).await.unwrap();
}

fn of(db: &Db, auction: AuctionId) -> String {
    let id = auction.0;
    match db.write.get_database_backend() {
        DbBackend::Postgres => format!("id = '{id}'"),
        _ => format!("id = x'{}'", id.simple()),
    }
}

/// Keeps the deadlines of a house, as `serve` does.
fn keep_deadlines(house: &TestHouse) -> CancellationToken {
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&house.engine).keep_openings(stop.clone()));
    tokio::spawn(Arc::clone(&house.engine).keep_endings(stop.clone()));
    stop
}

/// A few auctions that end within the hour.
async fn others(house: &TestHouse, seller: &Session) -> Vec<AuctionId> {
    let mut others = Vec::new();
    for _ in 0..5 {
        let ends_at = house.now() + TimeDelta::hours(1);
        others.push(house.list(seller, CreateAuction { ends_at, ..house.a_lamp() }).await);
    }
    others
}

async fn until_status(house: &TestHouse, auction: AuctionId, status: AuctionStatus) {
    for _ in 0..4_000 {
        let view = house.engine.auction(auction).await.unwrap().unwrap();
        if view.state.status == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{auction} is never {status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auctions_end_beside_one_that_is_held_and_it_ends_when_it_is_free() {
    let database = database::postgres().await;
    let scene = Scene::new(&database).await;
    let house = &scene.house;
    assert_eq!(scene.bid(&scene.ann, scene.lamp, 10_000).await.unwrap(), Outcome::Accepted);
    assert_eq!(scene.bid(&scene.ben, scene.chair, 10_000).await.unwrap(), Outcome::Accepted);
    // One auction is held by itself, the other by its leader's wallet; and both are due.
    let held = scene.hold_auction().await;
    wallets::lock(&held, iter::once(scene.ben.user.id), iter::empty()).await.unwrap();
    house.pass(TimeDelta::days(1));
    let seller = house.person("another", None, 0).await;
    let stop = keep_deadlines(house);
    for _ in 0..3 {
        let others = others(house, &seller).await;
        house.pass(TimeDelta::hours(1));
        for auction in others {
            until_status(house, auction, AuctionStatus::Unsold).await;
        }
    }
    for auction in [scene.lamp, scene.chair] {
        let view = house.engine.auction(auction).await.unwrap().unwrap();
        assert_eq!(view.state.status, AuctionStatus::Open, "it is held");
    }
    held.rollback().await.unwrap();
    for auction in [scene.lamp, scene.chair] {
        until_status(house, auction, AuctionStatus::Sold).await;
    }
    stop.cancel();
    database.finish().await;
}

on_both! {
    async fn an_auction_that_cannot_be_read_keeps_no_other_from_bids_and_ends(db: &TestDatabase) {
        let scene = Scene::new(db).await;
        let (house, console) = (&scene.house, &scene.console);
        let broken = of(console, scene.lamp);
        unchecked(console, &format!("UPDATE auctions SET current_price = -1 WHERE {broken}")).await;
        let of_lamp = scene.bid(&scene.ann, scene.lamp, 10_000);
        let of_chair = scene.bid(&scene.ben, scene.chair, 10_000);
        assert!(matches!(of_lamp.await.unwrap(), Outcome::Failed(_)));
        assert_eq!(of_chair.await.unwrap(), Outcome::Accepted);
        house.pass(TimeDelta::days(1));
        let seller = house.person("another", None, 0).await;
        let stop = keep_deadlines(house);
        for _ in 0..3 {
            let others = others(house, &seller).await;
            house.pass(TimeDelta::hours(1));
            for auction in others {
                until_status(house, auction, AuctionStatus::Unsold).await;
            }
        }
        // It is mended, and come back to.
        unchecked(console, &format!("UPDATE auctions SET current_price = 10000 WHERE {broken}"))
            .await;
        until_status(house, scene.lamp, AuctionStatus::Unsold).await;
        stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_in_a_transaction_loses_its_rows_and_harms_nothing_later() {
    let database = database::postgres().await;
    let scene = Scene::new(&database).await;
    // Another node's connection, with its rows, and then silence.
    let stopped = Db::open(&database.url, &impatient()).await.unwrap();
    let silent = transaction::begin(&stopped).await.unwrap();
    auctions::lock(&silent, &[scene.lamp]).await.unwrap();
    let spoiled =
        format!("UPDATE auctions SET title = 'spoiled' WHERE {}", of(&stopped, scene.lamp));
    silent.execute_unprepared(&spoiled).await.unwrap();
    while scene.bid(&scene.ann, scene.lamp, 10_000).await.unwrap() == Outcome::Overloaded {}
    assert!(silent.commit().await.is_err(), "the server has ended it");
    let view = scene.house.engine.auction(scene.lamp).await.unwrap().unwrap();
    assert_ne!(view.listing.title, "spoiled");
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_is_read_after_the_last_lock_was_waited_for() {
    let database = database::postgres().await;
    let db = database.open().await;
    let house = TestHouse::on(db, ONE_LANE).await;
    let seller = house.person("seller", None, 0).await;
    let ann = house.person("ann", None, 10_000_000).await;
    let lamp = house.list(&seller, house.a_lamp()).await;
    let console = database.open().await;
    let held = transaction::begin(&console).await.unwrap();
    wallets::lock(&held, iter::once(ann.user.id), iter::empty()).await.unwrap();
    let bid = {
        let (engine, bidder) = (Arc::clone(&house.engine), ann.user.id);
        tokio::spawn(async move {
            engine.place_bid(bid_request(bidder, lamp, money(10_000), None, None)).await
        })
    };
    let blocked = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while database::number_of(&console.read, blocked).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before: Time = transaction::now(&console.read).await.unwrap().unwrap();
    held.rollback().await.unwrap();
    let outcome = bid.await.unwrap().unwrap();
    assert!(outcome.bid.unwrap().placed_at > before, "it was judged by a time before its lock");
    database.finish().await;
}

on_both! {
    async fn a_panic_is_answered_and_what_panicked_goes_on(db: &TestDatabase) {
        let (panics, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (planted, later) = (Arc::clone(&panics), Arc::clone(&late));
        let clock = move || {
            assert!(!planted.load(Ordering::Relaxed), "planted");
            Utc::now() + TimeDelta::days(if later.load(Ordering::Relaxed) { 1 } else { 0 })
        };
        let house = TestHouse::with(db, Clock::Asked(Arc::new(clock))).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 1_000_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let stop = keep_deadlines(&house);
        let bid = || bid_request(ann.user.id, lamp, money(10_000), None, None);
        panics.store(true, Ordering::Relaxed);
        let answer = house.engine.place_bid(bid()).await;
        assert!(matches!(answer, Err(Error::Fault(_))), "{answer:?}");
        // Whoever keeps deadlines panics, too.
        tokio::time::sleep(Duration::from_millis(300)).await;
        panics.store(false, Ordering::Relaxed);
        assert!(house.engine.place_bid(bid()).await.unwrap().bid.is_some());
        late.store(true, Ordering::Relaxed);
        until_status(&house, lamp, AuctionStatus::Sold).await;
        stop.cancel();
    }
}
