//! Live updates under attack: lists that match nothing, replays over and over, watchers who do not
//! read. Whoever watches beside them hears every event.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use entity::ids::AuctionId;
use futures_util::FutureExt;
use neighborbid::{
    engine::{Error, Session, Watcher},
    live::{feed::Feed, settings::LiveSettings, update::UpdateKind},
};
use serde_json::{Value, json};

use super::address;
use crate::support::{
    TestHouse,
    attack::Usage,
    binary::Server,
    client::{Answer, Api, Lost, Offer, Person, Socket},
    database, on_both,
};

const LIST: &str = "subscription List($filter: AuctionFilter) { auctionsUpdated(filter: $filter) {
    kind sequence auction { id } } }";

/// How many operations a socket runs.
const OPERATIONS: usize = 50;

/// A seller's auction and two people who bid on it in turn, by the least step.
struct Market {
    api: Api,
    auction: AuctionId,
    people: [Person; 2],
    bids: usize,
}

impl Market {
    async fn open(address: SocketAddr, description: &str) -> Self {
        let api = Api::new(address);
        let seller = api.sign_up("marketseller", 0).await;
        let more = json!({ "bidUnit": "100", "description": description });
        let auction = api.create_auction(&seller, more).await;
        let people = [api.sign_up("ann", 100_000_000).await, api.sign_up("ben", 100_000_000).await];
        Self { api, auction, people, bids: 0 }
    }

    /// Places so many bids, each accepted; answers the sequence of the last.
    async fn bid(&mut self, bids: usize) -> i64 {
        let mut last = 0;
        for _ in 0..bids {
            let amount = 10_000 + 100 * i64::try_from(self.bids).unwrap();
            let offer = Offer { auction: self.auction, amount, maximum: None, key: None };
            match self.api.place_bid(&self.people[self.bids % 2], &offer).await {
                Ok(Answer::Accepted(placed)) => last = placed.sequence,
                other => panic!("{other:?}"),
            }
            self.bids += 1;
        }
        last
    }
}

/// A socket full of lists that match nothing, and one of everything that tells when they run.
async fn flooder(address: SocketAddr, number: usize) -> (Socket, String) {
    let mut socket = Socket::open(address, None).await.unwrap();
    for place in 1..OPERATIONS {
        let n = number * OPERATIONS + place;
        let filter = match n % 4 {
            0 => json!({ "query": format!("brass nothing{n}") }),
            1 => json!({ "query": format!("a{n}b {n}") }),
            2 => json!({ "minPrice": (1_000_000_000 + n).to_string(), "status": ["OPEN"] }),
            _ => json!({ "status": ["CANCELLED"], "maxPrice": (100_000_000 + n).to_string() }),
        };
        socket.begin(LIST, json!({ "filter": filter })).await.unwrap();
    }
    let all = socket.begin(LIST, json!({})).await.unwrap();
    (socket, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_lists_that_match_nothing_slows_nobody_elses_list() {
    const FLOODERS: usize = 60;
    const EVENTS: u32 = 40;
    let database = database::sqlite().await;
    let flags = ["--payments", "simulated", "--rate-limit", "off", "--lists-per-address", "5000"];
    let server = Server::start(&database.url, &flags);
    // Every word that is looked for is looked for in 9,000 characters.
    let mut market = Market::open(address(&server), &"a brass lamp ".repeat(700)).await;
    let mut flood = Vec::new();
    for number in 0..FLOODERS {
        flood.push(flooder(address(&server), number).await);
    }
    let mut honest = Socket::open(address(&server), None).await.unwrap();
    let list = honest.begin(LIST, json!({ "filter": { "status": ["OPEN"] } })).await.unwrap();
    // Until all are watched.
    for (socket, id) in &mut flood {
        begun(socket, id, &mut market).await;
    }
    begun(&mut honest, &list, &mut market).await;
    let with_deliveries = cost(&server, &mut honest, &list, &mut market, EVENTS / 2).await;
    for (socket, id) in &mut flood {
        socket.end(id).await.unwrap();
    }
    let cost = cost(&server, &mut honest, &list, &mut market, EVENTS).await;
    eprintln!("CPU an event: {cost:?}, and {with_deliveries:?} with 60 lists that are told");
    // Each asked by itself, they cost seven times as much and more.
    assert!(cost < Duration::from_millis(50), "{cost:?} an event");
    drop(flood);
    server.stop();
    database.finish().await;
}

/// Bids until a list has told of one.
async fn begun(socket: &mut Socket, id: &str, market: &mut Market) {
    loop {
        market.bid(1).await;
        let told = tokio::time::timeout(Duration::from_millis(100), socket.next(id)).await;
        if told.is_ok_and(|told| told.unwrap().is_some()) {
            return;
        }
    }
}

/// Reads a list until it has told of an event, each as itself and in order.
async fn hears(socket: &mut Socket, id: &str, first: Option<i64>, last: i64) {
    let mut before = first.map(|first| first - 1);
    loop {
        let next = socket.next(id).await.unwrap().unwrap();
        let update = &next["auctionsUpdated"];
        assert_eq!(update["kind"], "BID_PLACED", "{update}");
        let sequence = update["sequence"].as_i64().unwrap();
        assert!(before.is_none_or(|before| before + 1 == sequence), "{sequence} after {before:?}");
        if sequence == last {
            return;
        }
        before = Some(sequence);
    }
}

/// The CPU time of an event that a list is told of.
async fn cost(
    server: &Server,
    socket: &mut Socket,
    id: &str,
    market: &mut Market,
    events: u32,
) -> Duration {
    let now = market.bid(1).await;
    hears(socket, id, None, now).await;
    let before = Usage::of(server);
    let last = market.bid(events as usize).await;
    hears(socket, id, Some(now + 1), last).await;
    before.cpu_since(server) / events
}

/// The code with which an operation is refused; `None` when it is answered.
fn refused(answer: Result<Option<Value>, Lost>) -> Option<String> {
    match answer {
        Err(Lost::Errors(codes)) => codes.into_iter().next(),
        Err(lost) => panic!("{lost:?}"),
        Ok(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_bounded_for_an_address_and_an_account_and_nothing_else_of_the_socket_ends() {
    let database = database::sqlite().await;
    let bounds = ["--lists-per-address", "5", "--lists-per-account", "2"];
    let flags = [&["--payments", "simulated", "--rate-limit", "off"][..], &bounds[..]].concat();
    let server = Server::start(&database.url, &flags);
    let mut market = Market::open(address(&server), "").await;
    let token = market.people[0].token.clone();
    let mut anns = Socket::open(address(&server), Some(&token)).await.unwrap();
    let mut elsewhere = Socket::open(address(&server), Some(&token)).await.unwrap();
    let mut nobodys = Socket::open(address(&server), None).await.unwrap();
    let watching = anns.watch(market.auction, None).await.unwrap();
    assert!(anns.update(&watching).await.unwrap().unwrap().is_snapshot());

    let (first, second) = (
        anns.begin(LIST, json!({})).await.unwrap(),
        elsewhere.begin(LIST, json!({})).await.unwrap(),
    );
    begun(&mut anns, &first, &mut market).await;
    begun(&mut elsewhere, &second, &mut market).await;
    let third = anns.begin(LIST, json!({})).await.unwrap();
    assert_eq!(refused(anns.next(&third).await).as_deref(), Some("\"RATE_LIMITED\""));
    for _ in 0..3 {
        let list = nobodys.begin(LIST, json!({})).await.unwrap();
        begun(&mut nobodys, &list, &mut market).await;
    }
    let sixth = nobodys.begin(LIST, json!({})).await.unwrap();
    assert_eq!(refused(nobodys.next(&sixth).await).as_deref(), Some("\"RATE_LIMITED\""));

    // What runs, runs on; and what is ended makes room.
    let last = market.bid(1).await;
    while anns.update(&watching).await.unwrap().unwrap().sequence < last {}
    anns.end(&first).await.unwrap();
    let again = anns.begin(LIST, json!({})).await.unwrap();
    begun(&mut anns, &again, &mut market).await;
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_over_and_over_end_in_snapshots_and_hold_no_memory() {
    const MISSED: i64 = 300;
    const ROUNDS: usize = 4;
    let database = database::sqlite().await;
    let flags = ["--payments", "simulated", "--bids-per-second", "1000000"];
    let server =
        Server::start(&database.url, &[&flags[..], &["--replayed-per-minute", "2000"]].concat());
    let mut market = Market::open(address(&server), "").await;
    let newest = market.bid(usize::try_from(MISSED).unwrap()).await;
    let before = Usage::of(&server);
    let (mut events, mut snapshots) = (0, 0);
    for _ in 0..ROUNDS {
        let mut socket = Socket::open(address(&server), None).await.unwrap();
        let mut begun = Vec::new();
        for _ in 0..OPERATIONS - 5 {
            begun.push(socket.watch(market.auction, Some(newest - MISSED)).await.unwrap());
        }
        for id in begun {
            // Every one comes to the newest, one way or the other.
            loop {
                let update = socket.update(&id).await.unwrap().unwrap();
                *(if update.is_snapshot() { &mut snapshots } else { &mut events }) += 1;
                if update.sequence == newest {
                    break;
                }
                assert!(!update.is_snapshot());
            }
        }
    }
    // Without a bound it would be 54,000. Some budget comes back meanwhile.
    assert!(events <= 8_000, "{events} events were replayed");
    assert!(snapshots >= 100, "{snapshots} snapshots");
    let growth = before.growth_since(&server);
    eprintln!("{events} events and {snapshots} snapshots: {growth} bytes more");
    assert!(growth < 100 << 20, "{growth} bytes more");
    server.stop();
    database.finish().await;
}

/// Two people who bid on an auction in turn, by steps of a thousand.
async fn climb(house: &TestHouse, people: &[Session; 2], auction: AuctionId, bids: i64) -> i64 {
    let mut last = 0;
    for n in 0..bids {
        let state = house.engine.auction(auction).await.unwrap().unwrap().state;
        let amount = state.minimum_bid.minor();
        let placed = house.bid(&people[usize::from(n % 2 == 1)], auction, amount).await;
        last = placed.auction.unwrap().1.sequence;
    }
    last
}

/// What is there to be read: whether it is a snapshot, and its sequence.
fn read(feed: &mut Feed) -> Vec<(bool, i64)> {
    let next = || feed.next().now_or_never().flatten();
    std::iter::from_fn(next).map(|it| (it.kind == UpdateKind::Snapshot, it.sequence())).collect()
}

fn client(address: [u8; 4], account: Option<&Session>) -> Watcher {
    Watcher::new(Some(IpAddr::from(address)), account.map(|session| session.user.id))
}

on_both! {
    async fn who_has_spent_its_replays_gets_a_snapshot_and_then_every_event(db: &TestDatabase) {
        let replayed_per_minute = Some(50.try_into().unwrap());
        let bounds = LiveSettings { replayed_per_minute, ..LiveSettings::unlimited() };
        let house = TestHouse::watched_within(db, bounds).await;
        let seller = house.person("seller", None, 0).await;
        let people = [
            house.person("ann", None, 10_000_000).await,
            house.person("ben", None, 10_000_000).await,
        ];
        let lamp = house.list(&seller, house.a_lamp()).await;
        let newest = climb(&house, &people, lamp, 40).await;
        let watch = async |watcher: Watcher| {
            house.engine.watch_as(&watcher, lamp, Some(1)).await.unwrap().unwrap()
        };
        let all: Vec<_> = (2..=newest).map(|sequence| (false, sequence)).collect();
        assert_eq!(read(&mut watch(client([1; 4], Some(&people[0]))).await), all);
        for spent in [client([1; 4], None), client([2; 4], Some(&people[0]))] {
            let mut feed = watch(spent).await;
            let newest = house.engine.auction(lamp).await.unwrap().unwrap().state.sequence;
            assert_eq!(read(&mut feed), [(true, newest)]);
            let next = climb(&house, &people, lamp, 1).await;
            assert_eq!(read(&mut feed), [(false, next)], "and then live");
            // A few missed events cost no more than a snapshot.
            let after = Some(next - 2);
            let near = house.engine.watch_as(&spent, lamp, after).await.unwrap();
            assert_eq!(read(&mut near.unwrap()), [(false, newest), (false, next)]);
        }
        let end = house.engine.auction(lamp).await.unwrap().unwrap().state.sequence + 1;
        house.engine.end_auction_early(&seller, lamp).await.unwrap();
        let mut feed = watch(client([1; 4], None)).await;
        assert_eq!(read(&mut feed), [(true, end - 1), (false, end)], "the end is told as itself");
    }

    async fn rings_of_all_auctions_together_hold_no_more_than_they_may(db: &TestDatabase) {
        let bounds = LiveSettings { ring_bytes: 64 << 10, ..LiveSettings::unlimited() };
        let house = TestHouse::watched_within(db, bounds).await;
        let seller = house.person("seller", None, 0).await;
        let people = [
            house.person("ann", None, 1_000_000_000).await,
            house.person("ben", None, 1_000_000_000).await,
        ];
        let mut feeds = Vec::new();
        for _ in 0..6 {
            let lamp = house.list(&seller, house.a_lamp()).await;
            let quick = house.engine.watch(lamp, Some(1)).await.unwrap().unwrap();
            let slow = house.engine.watch(lamp, Some(1)).await.unwrap().unwrap();
            feeds.push((lamp, quick, slow));
        }
        let mut most = 0;
        for (lamp, quick, _) in &mut feeds {
            for _ in 0..60 {
                let sequence = climb(&house, &people, *lamp, 1).await;
                assert_eq!(read(quick), [(false, sequence)], "who keeps up hears every event");
                most = most.max(house.hub.ring_bytes());
            }
        }
        assert!((32 << 10..=64 << 10).contains(&most), "{most} bytes");
        // The auction that was quiet for longest has nothing left, the latest has all.
        let [first, .., last] = &mut feeds[..] else { panic!() };
        assert_eq!(read(&mut first.2), [(true, 61)]);
        assert_eq!(read(&mut last.2), (2..=61).map(|n| (false, n)).collect::<Vec<_>>());
    }

    async fn own_affairs_and_presence_are_bounded_too(db: &TestDatabase) {
        let bounds = LiveSettings {
            own_feeds_per_account: 2,
            presences_per_address: 2,
            ..LiveSettings::unlimited()
        };
        let house = TestHouse::watched_within(db, bounds).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let own = async |whose: &Session| house.engine.watch_own(whose.user.id).await;
        let mut feeds = [own(&ann).await.unwrap(), own(&ann).await.unwrap()];
        assert!(matches!(own(&ann).await, Err(Error::TooMany(_))));
        own(&seller).await.unwrap();
        for feed in &mut feeds {
            assert!(feed.next().await.unwrap().wallet_changed, "what runs, runs on");
        }
        drop(feeds);
        own(&ann).await.unwrap();

        let presence = async |address| {
            house.engine.watch_presence(&client(address, None), lamp).await
        };
        let mut first = presence([1; 4]).await.unwrap().unwrap();
        let second = presence([1; 4]).await.unwrap();
        assert!(matches!(presence([1; 4]).await, Err(Error::TooMany(_))));
        presence([2; 4]).await.unwrap();
        assert_eq!(first.next().await, Some(0));
        drop(second);
        presence([1; 4]).await.unwrap();
    }
}
