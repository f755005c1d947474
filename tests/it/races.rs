//! Who is first: bids against the closer at the last instant, two engines on one database, and two
//! processes of which one is killed while it closes.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use entity::{
    Time, auction, auction_event, bid,
    enums::{AuctionStatus, EventKind},
    ids::{AuctionId, UserId},
    notification, order,
};
use neighborbid::{
    domain::refusal::Code,
    engine::{CreateAuction, Engine, Session},
    store::connection::Db,
};
use sea_orm::EntityTrait;

use crate::support::requests::bid_request;
use crate::support::{
    TestHouse,
    database::{self, number_of},
    house::{code, money, rules},
    on_both, records,
};

const AUCTIONS: usize = 200;

/// Many auctions that end together: bid on, every third not, every fourth below its reserve.
async fn many(house: &TestHouse, bidders: &[Session], seller: &Session) -> Vec<AuctionId> {
    let mut all = Vec::new();
    for n in 0..AUCTIONS {
        let reserve_price = (n % 4 == 0).then(|| money(90_000));
        let wanted = CreateAuction { reserve_price, ..house.a_lamp() };
        let id = house.list(seller, wanted).await;
        if n % 3 != 0 {
            let bid = house.bid_up_to(&bidders[n % bidders.len()], id, 10_000, 12_000).await;
            assert_eq!(code(&bid), None);
        }
        all.push(id);
    }
    all
}

fn is_final(kind: EventKind) -> bool {
    matches!(kind, EventKind::Sold | EventKind::Unsold | EventKind::Cancelled)
}

/// That each of [`many`] ended as it should, once, with one order and each note once. Says when
/// the last one ended, in milliseconds after the end.
async fn all_ended_once(db: &Db, all: &[AuctionId]) -> i64 {
    let rows = auction::Entity::find().all(&db.write).await.unwrap();
    let orders = order::Entity::find().all(&db.write).await.unwrap();
    let events = auction_event::Entity::find().all(&db.write).await.unwrap();
    let notes = notification::Entity::find().all(&db.write).await.unwrap();
    let mut last = 0;
    for (n, id) in all.iter().enumerate() {
        let sold = n % 3 != 0 && n % 4 != 0;
        let row = rows.iter().find(|row| row.id == *id).unwrap();
        let expected = if sold { AuctionStatus::Sold } else { AuctionStatus::Unsold };
        assert_eq!(row.status, expected, "auction {n}");
        let ends: Vec<_> =
            events.iter().filter(|e| e.auction_id == *id && is_final(e.kind)).collect();
        assert_eq!(ends.len(), 1, "auction {n}");
        assert_eq!(ends[0].sequence, row.sequence, "auction {n}");
        assert!(ends[0].at >= row.ends_at, "auction {n} ended early");
        last = last.max((ends[0].at - row.ends_at).num_milliseconds());
        let orders = orders.iter().filter(|order| order.auction_id == *id).count();
        assert_eq!(orders, usize::from(sold), "auction {n}");
        let told = notes.iter().filter(|note| note.auction_id == *id).count();
        assert_eq!(told, 1 + usize::from(n % 3 != 0), "auction {n}");
    }
    last
}

/// A clock that each bid moves on, and the amount that each outbids the last with.
struct Storm {
    engine: Arc<Engine>,
    lot: AuctionId,
    clock: Arc<Mutex<Time>>,
    bids: AtomicI64,
}

impl Storm {
    async fn bid(self: Arc<Self>, who: UserId) -> Vec<(i64, Option<Code>)> {
        let mut answers = Vec::new();
        for _ in 0..25 {
            *self.clock.lock().unwrap() += TimeDelta::milliseconds(10);
            let number = self.bids.fetch_add(1, Ordering::Relaxed);
            let bid = bid_request(
                who,
                self.lot,
                money(10_000 + number * 50_000),
                Some(money(10_000 + number * 50_000 + number % 7)),
                None,
            );
            let outcome = self.engine.place_bid(bid).await.unwrap();
            answers.push((outcome.bid.as_ref().map_or(0, |bid| bid.sequence), code(&outcome)));
        }
        answers
    }
}

on_both! {
    async fn bids_and_the_closer_meet_at_the_last_instant(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let clock = Arc::new(Mutex::new(house.now()));
        let engine = records::engine_on(&house.db, rules(), &clock).await;
        let wanted = CreateAuction { soft_close_window: Some(TimeDelta::zero()), ..house.a_lamp() };
        let lamp = engine.create_auction(&seller, wanted).await.unwrap().listing.id;
        let ends_at = records::row(&house.db, lamp).await.ends_at;
        let mut bidders = Vec::new();
        for n in 0..8 {
            bidders.push(house.person(&format!("b{n}"), None, 1_000_000_000).await);
        }
        // Each bid moves the clock: about half of them come in time.
        *clock.lock().unwrap() = ends_at - TimeDelta::seconds(1);
        let storm = Arc::new(Storm {
            engine: Arc::clone(&engine),
            lot: lamp,
            clock: Arc::clone(&clock),
            bids: AtomicI64::new(0),
        });
        let tasks: Vec<_> = bidders
            .iter()
            .map(|who| tokio::spawn(Arc::clone(&storm).bid(who.user.id)))
            .collect();
        let closers: Vec<_> = (0..2).map(|_| {
            let (engine, clock) = (Arc::clone(&engine), Arc::clone(&clock));
            tokio::spawn(async move {
                let mut turned = 0;
                while *clock.lock().unwrap() < ends_at + TimeDelta::milliseconds(400) {
                    turned += engine.turn_due_auctions().await.unwrap();
                    tokio::task::yield_now().await;
                }
                turned
            })
        }).collect();
        let mut accepted = BTreeSet::new();
        let mut refused = BTreeMap::new();
        for task in tasks {
            for (sequence, why) in task.await.unwrap() {
                match why {
                    None => assert!(accepted.insert(sequence), "each has its own number"),
                    Some(why) => *refused.entry(format!("{why:?}")).or_insert(0) += 1,
                }
            }
        }
        let mut turned = 0;
        for closer in closers {
            turned += closer.await.unwrap();
        }
        println!("{} accepted, refused: {refused:?}", accepted.len());
        assert_eq!(turned, 1, "closed once");
        assert!(!accepted.is_empty() && refused["AuctionEnded"] > 0);
        let events = records::events(&house.db, lamp).await;
        assert_eq!(events.iter().filter(|event| is_final(event.kind)).count(), 1);
        let (last, before) = events.split_last().unwrap();
        assert_eq!(last.kind, EventKind::Sold);
        assert!(last.at >= ends_at);
        assert!(before.iter().all(|event| event.at < ends_at));
        let bids = bid::Entity::find().all(&house.db.write).await.unwrap();
        let recorded: BTreeSet<_> = bids.iter().map(|bid| bid.sequence).collect();
        assert!(accepted.is_subset(&recorded), "no accepted bid is lost");
        let highest = bids.iter().max_by_key(|bid| bid.sequence).unwrap();
        let order = records::order(&house.db, lamp).await.unwrap();
        assert_eq!((order.price, order.buyer_id), (highest.amount, highest.bidder_id));
    }

    async fn two_engines_turn_the_same_auctions_once(db: &TestDatabase) {
        let one = TestHouse::open(db).await;
        let seller = one.person("seller", None, 0).await;
        let mut bidders = Vec::new();
        for n in 0..10 {
            bidders.push(one.person(&format!("b{n}"), None, 1_000_000).await);
        }
        let all = many(&one, &bidders, &seller).await;
        let two = TestHouse::open(db).await;
        for house in [&one, &two] {
            house.pass(TimeDelta::days(1) + TimeDelta::seconds(1));
        }
        let turners: Vec<_> = [&one, &two, &one, &two].into_iter().map(|house| {
            let engine = Arc::clone(&house.engine);
            tokio::spawn(async move {
                let mut turned = Vec::new();
                while engine.next_deadline().await.unwrap().0.is_some() {
                    turned.push(engine.turn_due_auctions().await.unwrap());
                }
                turned
            })
        }).collect();
        let mut turned = 0;
        for turner in turners {
            let batches = turner.await.unwrap();
            println!("one turned {batches:?}");
            turned += batches.iter().sum::<usize>();
        }
        assert_eq!(turned, AUCTIONS);
        all_ended_once(&one.db, &all).await;
    }
}

/// The program itself; gone when this is dropped.
struct Process(Child);

impl Process {
    /// Serves, and says so before this returns.
    fn serving(database: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_neighborbid"))
            .args(["serve", "--listen", "127.0.0.1:0", "--database-url", database])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told: Vec<_> = lines.by_ref().map_while(Result::ok).take_while(is_no_start).collect();
        // What it says later is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        assert!(child.try_wait().unwrap().is_none(), "it ended: {told:?}");
        Self(child)
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn is_no_start(line: &String) -> bool {
    !line.contains("serving")
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn still_open(db: &Db) -> i64 {
    let sql = "SELECT COUNT(*) FROM auctions WHERE status = 'OPEN'";
    number_of(&db.write, sql).await.unwrap()
}

/// Two processes on one Postgres, 200 auctions that end in the same second; says how long after
/// the end the last one was closed. `kill` ends one process in the middle.
async fn two_processes_close(kill: bool) -> i64 {
    let database = database::postgres().await;
    let house = TestHouse::open(&database).await;
    // Listed a day ago, to end soon; the processes go by the real time.
    house.set(chrono::Utc::now() + TimeDelta::seconds(10) - TimeDelta::days(1));
    let seller = house.person("seller", None, 0).await;
    let mut bidders = Vec::new();
    for n in 0..10 {
        bidders.push(house.person(&format!("b{n}"), None, 1_000_000).await);
    }
    let all = many(&house, &bidders, &seller).await;
    let url = database.url.clone();
    let start = move || [Process::serving(&url), Process::serving(&url)];
    let [mut first, second] = tokio::task::spawn_blocking(start).await.unwrap();
    while still_open(&house.db).await == i64::try_from(AUCTIONS).unwrap() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    if kill {
        first.kill();
        println!("killed with {} still open", still_open(&house.db).await);
    }
    while still_open(&house.db).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = all_ended_once(&house.db, &all).await;
    drop((first, second));
    database.finish().await;
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_close_200_auctions_each_once() {
    let last = two_processes_close(false).await;
    println!("two processes: the last of {AUCTIONS} ended {last} ms after the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_closing_leaves_nothing_undone_or_done_twice() {
    let last = two_processes_close(true).await;
    println!("one of two killed: the last of {AUCTIONS} ended {last} ms after the end");
}
