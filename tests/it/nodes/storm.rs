//! Storms over three nodes while NATS and the nodes die, stall, close and come back, and over
//! lines that lose, repeat and reorder: everybody sees what is in the log, to the final event.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use entity::ids::AuctionId;
use futures_util::future::join_all;
use serde_json::json;
use tokio::{task::JoinHandle, time::timeout};

use super::{
    HANGS, Watching,
    cluster::{Addresses, Nodes},
    roamer::{Journey, Roamer, any},
};
use crate::support::{
    TestDatabase,
    bidder::{self, Bidder, Board, Note, UNIT},
    books::Books,
    bus_proxy::BusProxy,
    client::{Api, Lost, Person},
    database,
    dice::Dice,
    nats::Nats,
};

const AUCTIONS: usize = 4;
const BIDDERS: u64 = 12;
const WATCHERS: u64 = 24;
const MONEY: i64 = 5_000_000;

/// Bidders and watchers on all nodes.
struct Storm {
    seller: Person,
    people: Vec<Person>,
    board: Arc<Board>,
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    bidders: Vec<JoinHandle<Vec<Note>>>,
    watchers: Vec<JoinHandle<Journey>>,
}

/// Bids until the storm is over, wherever there is a node.
async fn bid_on(
    mut bidder: Bidder,
    mut nodes: Addresses,
    mut dice: Dice,
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) -> Vec<Note> {
    while !is_over.load(Ordering::Relaxed) {
        match bidder.turn().await {
            Ok(()) => drop(answered.fetch_add(1, Ordering::Relaxed)),
            Err(Lost::Broken(_)) => bidder.moved(any(&mut nodes, &mut dice).await),
            Err(Lost::Errors(errors)) => panic!("{errors:?}"),
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(20))).await;
    }
    bidder.moved(any(&mut nodes, &mut dice).await);
    bidder.repeat_all().await.unwrap();
    bidder.notes
}

impl Storm {
    async fn begin(nodes: &Nodes) -> Self {
        let api = nodes.api(0);
        let seller = api.sign_up("seller", 0).await;
        let names: Vec<_> = (0..6).map(|n| format!("person{n}")).collect();
        let people = join_all(names.iter().map(|name| api.sign_up(name, MONEY))).await;
        let unit = json!({ "bidUnit": UNIT.to_string() });
        let auctions = (0..AUCTIONS).map(|_| api.create_auction(&seller, unit.clone()));
        let board = Board::new(join_all(auctions).await, MONEY);
        let (answered, is_over) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let watchers = (1_000..1_000 + WATCHERS).zip(board.auctions.iter().cycle());
        let watchers = watchers.map(|(seed, (auction, _))| Roamer {
            nodes: nodes.addresses(),
            auction: *auction,
            is_restless: seed % 2 == 0,
            dice: Dice::new(seed),
        });
        let watchers = watchers.map(Roamer::start).collect();
        let bidders = (0..BIDDERS).zip(people.iter().cycle()).map(|(n, person)| {
            let node = usize::try_from(n).unwrap() % 3;
            let bidder = Bidder::new(n, person, &nodes.api(node), &board).with_keys_only();
            let (answered, is_over) = (Arc::clone(&answered), Arc::clone(&is_over));
            tokio::spawn(bid_on(bidder, nodes.addresses(), Dice::new(n), answered, is_over))
        });
        let bidders = bidders.collect();
        Self { seller, people, board, answered, is_over, bidders, watchers }
    }

    /// Waits for so many more answers.
    async fn rages(&self, more: usize) {
        let enough = self.answered.load(Ordering::Relaxed) + more;
        let raging = async {
            while self.answered.load(Ordering::Relaxed) < enough {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(HANGS, raging).await.expect("the bids stopped");
    }

    fn auctions(&self) -> Vec<AuctionId> {
        self.board.auctions.iter().map(|(id, _)| *id).collect()
    }

    /// No more bids; every one was answered as the books have it.
    async fn calm(&mut self, db: &TestDatabase) -> Vec<Note> {
        self.is_over.store(true, Ordering::Relaxed);
        let bidders = timeout(HANGS, join_all(self.bidders.drain(..))).await.unwrap();
        let notes: Vec<_> = bidders.into_iter().flat_map(Result::unwrap).collect();
        let books = Books::read(db).await;
        books.check();
        let tally = bidder::compare(&notes, &books);
        assert!(tally.accepted > 100, "{tally:?}");
        assert_eq!(tally.refused.get("IDEMPOTENCY_MISMATCH"), None, "{tally:?}");
        notes
    }

    async fn sell(&self, api: &Api, auctions: &[AuctionId]) {
        let query = "mutation End($input: AuctionIdInput!) { endAuctionEarly(input: $input) {
            auction { status } userErrors { code } } }";
        for auction in auctions {
            let input = json!({ "input": { "id": auction.to_string() } });
            let done = api.run(Some(&self.seller.token), query, input).await.unwrap();
            assert_eq!(done["endAuctionEarly"]["auction"]["status"], "SOLD", "{done}");
        }
    }

    /// Every watcher was told what is in the log, to its end; says how connections were lost.
    async fn check(self, db: &TestDatabase) -> Vec<String> {
        let journeys = timeout(HANGS, join_all(self.watchers)).await;
        let journeys = journeys.expect("some never heard of the end");
        let books = Books::read(db).await;
        let mut lost = Vec::new();
        for journey in journeys {
            let journey = journey.unwrap();
            journey.check(&books);
            lost.extend(journey.lost);
        }
        lost
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_misses_anything_while_nats_and_nodes_die_and_come_back() {
    let db = database::postgres().await;
    let mut nats = Nats::running();
    let mut nodes = Nodes::start(&db, [nats.url(), nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let mut storm = Storm::begin(&nodes).await;
    storm.rages(100).await;
    nats.kill();
    nodes.know_the_bus(false).await;
    storm.rages(100).await;
    nats.start();
    storm.rages(100).await;
    nodes.kill(0);
    storm.rages(100).await;
    nodes.start_again(0);
    nodes.know_the_bus(true).await;
    nats.pause();
    storm.rages(50).await;
    nodes.stop(1);
    storm.rages(50).await;
    nodes.know_the_bus(false).await;
    nodes.start_again(1);
    nats.resume();
    storm.rages(50).await;
    nats.pause();
    nodes.kill(2);
    storm.rages(50).await;
    nats.resume();
    nodes.start_again(2);
    nodes.know_the_bus(true).await;
    storm.rages(50).await;

    storm.calm(&db).await;
    let auctions = storm.auctions();
    let (well, ill) = auctions.split_at(AUCTIONS / 2);
    storm.sell(&nodes.api(0), well).await;
    nats.pause();
    storm.sell(&nodes.api(1), ill).await;
    let lost = storm.check(&db).await;
    assert!(lost.iter().any(|why| why.contains("Away")), "nobody was sent away: {lost:?}");
    assert!(lost.iter().any(|why| !why.contains("Away")), "nobody was cut off: {lost:?}");
    nats.resume();
    nodes.stop_all();
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_sends_watchers_to_other_nodes_without_a_hole() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let mut nodes = Nodes::start(&db, [nats.url(), nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let mut storm = Storm::begin(&nodes).await;
    for node in [0, 1, 2, 0] {
        storm.rages(100).await;
        nodes.stop(node);
        storm.rages(50).await;
        nodes.start_again(node);
    }
    storm.rages(50).await;
    storm.calm(&db).await;
    storm.sell(&nodes.api(1), &storm.auctions()).await;
    let lost = storm.check(&db).await;
    assert!(lost.len() >= 10, "{lost:?}");
    assert!(lost.iter().all(|why| why.contains("Away")), "not closed with 1001: {lost:?}");
    nodes.stop_all();
    db.finish().await;
}

/// What a list and one's own affairs showed; ends when nothing comes any more.
async fn listen(mut watching: Watching, is_over: Arc<AtomicBool>) -> Vec<serde_json::Value> {
    let mut heard = Vec::new();
    loop {
        match timeout(Duration::from_secs(3), watching.next()).await {
            Ok(update) => heard.push(update),
            Err(_) if is_over.load(Ordering::Relaxed) => return heard,
            Err(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_lose_repeat_and_reorder_bring_nothing_twice_or_out_of_order() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let proxies = join_all((7..10).map(|seed| BusProxy::to(nats.address, seed))).await;
    let nodes = Nodes::start(&db, proxies.iter().map(BusProxy::url));
    nodes.know_the_bus(true).await;
    let mut storm = Storm::begin(&nodes).await;
    let query = "subscription { auctionsUpdated { sequence auction { id } } }";
    let list = Watching::begin(&nodes.api(1), None, "auctionsUpdated", query).await;
    let query = "subscription { viewerUpdated { wallet { locked } notification { id } } }";
    let person = Some(&storm.people[0]);
    let own = Watching::begin(&nodes.api(2), person, "viewerUpdated", query).await;
    let heard = [list, own].map(|watching| tokio::spawn(listen(watching, storm.is_over.clone())));
    storm.rages(800).await;
    storm.calm(&db).await;
    nodes.know_the_bus(true).await;
    storm.sell(&nodes.api(0), &storm.auctions()).await;
    let lost = storm.check(&db).await;
    assert_eq!(lost, [""; 0]);

    let [list, own] = heard.map(async |heard| heard.await.unwrap());
    let mut newest = HashMap::new();
    for update in list.await {
        let sequence = update["sequence"].as_i64().unwrap();
        let former = newest.insert(update["auction"]["id"].to_string(), sequence);
        assert!(former.is_none_or(|former| former < sequence), "{sequence} after {former:?}");
    }
    assert_eq!(newest.len(), AUCTIONS);
    let mut told = HashSet::new();
    for update in own.await {
        let note = update["notification"]["id"].as_str();
        assert!(note.is_none_or(|id| told.insert(id.to_owned())), "told twice: {update}");
    }
    assert!(!told.is_empty());
    for proxy in &proxies {
        let mischief = &proxy.mischief;
        for count in [&mischief.passed, &mischief.dropped, &mischief.doubled, &mischief.delayed] {
            assert!(count.load(Ordering::Relaxed) > 10, "{mischief:?}");
        }
    }
    nodes.stop_all();
    db.finish().await;
}
