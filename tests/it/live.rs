//! Feeds: a snapshot or a replay, then live, with no hole between, whatever happens meanwhile and
//! whatever the bus does; and watchers who are too slow, who leave, who come all at once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use entity::{
    enums::{AuctionStatus, EventKind, ReserveStatus},
    ids::AuctionId,
};
use futures_util::{FutureExt, future::join_all};
use neighborbid::{
    domain::event::{AuctionState, Event},
    engine::{Clock, Engine, LaneSettings, Session, UpdateAuction},
    live::{
        bus::{AuctionNews, Bus, Health, Listening, News, Report, Subject, Take},
        feed::{Feed, REPLAY},
        rooms::Rooms,
        update::{Update, UpdateKind},
    },
    store::{events, transaction},
};
use sea_orm::ConnectionTrait;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use uuid::Uuid;

use crate::support::requests::{self, bid_request, reason};
use crate::support::{
    TestDatabase, TestHouse, database,
    database::number_of,
    dice::Dice,
    house::{code, money, rules},
    on_both,
};

/// The next update. It must come; the bound is only against hanging.
async fn next(feed: &mut Feed) -> Arc<Update> {
    let next = timeout(Duration::from_secs(120), feed.next()).await;
    next.expect("nothing comes").expect("the stream ended")
}

/// Whether nothing is there to be taken.
fn is_quiet(feed: &mut Feed) -> bool {
    feed.next().now_or_never().is_none()
}

fn is_snapshot(update: &Arc<Update>) -> bool {
    update.kind == UpdateKind::Snapshot
}

/// The whole log of an auction, oldest first.
async fn log(house: &TestHouse, auction: AuctionId) -> Vec<Arc<Event>> {
    let read = events::between(&house.db.read, auction, 0, i64::MAX, i64::MAX);
    read.await.unwrap()
}

/// These updates are what the log has after `after`, each once: what is left out is left out by a
/// snapshot, and no snapshot comes that leaves nothing out.
fn is_of_log(after: Option<i64>, updates: &[Arc<Update>], log: &[Arc<Event>]) {
    let mut last = after;
    for update in updates {
        let place = usize::try_from(update.sequence() - 1).unwrap();
        assert_eq!(update.auction.state, log[place].state);
        match last {
            None => assert!(is_snapshot(update), "begun without a snapshot"),
            Some(last) if is_snapshot(update) => {
                assert!(update.sequence() > last, "{} after {last}", update.sequence());
            }
            Some(last) => {
                assert_eq!(update.sequence(), last + 1, "a hole, or twice");
                assert_eq!(update.kind, UpdateKind::Event(log[place].kind));
                assert_eq!((&update.bid, update.at), (&log[place].bid, log[place].at));
            }
        }
        last = Some(update.sequence());
    }
}

/// A house, an auction in it, and two people with money without end.
struct Room {
    house: TestHouse,
    seller: Session,
    people: [Session; 2],
    lamp: AuctionId,
}

impl Room {
    async fn new(db: &TestDatabase) -> Self {
        let house = TestHouse::in_real_time(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 1_000_000_000).await;
        let ben = house.person("ben", None, 1_000_000_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        Self { house, seller, people: [ann, ben], lamp }
    }

    async fn watch(&self, after: Option<i64>) -> Feed {
        let feed = self.house.engine.watch(self.lamp, after).await;
        feed.unwrap().unwrap()
    }

    async fn newest(&self) -> i64 {
        self.state().await.sequence
    }

    async fn state(&self) -> AuctionState {
        let view = self.house.engine.auction(self.lamp).await;
        view.unwrap().unwrap().state
    }

    /// So many bids, each accepted, many at a time.
    async fn climb(&self, bids: i64) {
        climb(&self.house.engine, &self.people, self.lamp, bids).await;
    }
}

/// So many bids on an auction, each accepted, many at a time.
async fn climb(engine: &Engine, people: &[Session; 2], auction: AuctionId, bids: i64) {
    let state = engine.auction(auction).await.unwrap().unwrap().state;
    let first = state.minimum_bid.minor();
    let placing = (0..bids).zip(people.iter().cycle()).map(|(n, who)| {
        engine.place_bid(bid_request(who.user.id, auction, money(first + 50_000 * n), None, None))
    });
    for outcome in join_all(placing).await {
        assert_eq!(code(&outcome.unwrap()), None);
    }
}

/// A second event of an auction, as if it had been committed elsewhere; the database has none.
fn made_up(room: &Room) -> AuctionNews {
    let state = AuctionState {
        sequence: 2,
        status: AuctionStatus::Open,
        price: money(10_000),
        minimum_bid: money(10_000),
        bid_count: 0,
        leader: None,
        reserve_status: ReserveStatus::None,
        ends_at: room.house.now(),
    };
    let (auction, kind, at) = (room.lamp, EventKind::Opened, state.ends_at);
    let event = Arc::new(Event { auction, kind, at, bid: None, state });
    AuctionNews { event, listing: None }
}

/// Keeps what an engine publishes, so that a test hands it on as it likes.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<AuctionNews>>);

impl Bus for Kept {
    fn node(&self) -> Uuid {
        Uuid::nil()
    }

    fn publish(&self, news: &[News]) {
        let of_auctions = news.iter().filter_map(|news| match news {
            News::Auction(news) => Some(news.clone()),
            News::Person(_) | News::SignedOut(_) => None,
        });
        self.0.lock().unwrap().extend(of_auctions);
    }

    fn report(&self, _: &Report) {}

    fn listen(&self, _: Subject, _: Take) -> Listening {
        Listening::default()
    }

    fn health(&self) -> Option<watch::Receiver<Health>> {
        None
    }
}

impl Kept {
    fn take(&self) -> Vec<AuctionNews> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A room, with an engine beside whose news nobody hears of until the test hands them on.
async fn aside(db: &TestDatabase) -> (Room, Arc<Engine>, Arc<Kept>) {
    let room = Room::new(db).await;
    let kept = Arc::new(Kept::default());
    let lanes = LaneSettings { lanes: 1, batch: 16, queue: 4_096, share: 4_096 };
    let (db, clock) = (room.house.db.clone(), Clock::Real);
    let rooms = Rooms::open(&db, &rules().increments, Arc::clone(&kept) as Arc<dyn Bus>);
    let engine = Engine::start(db, rules(), clock, lanes, rooms).await.unwrap();
    (room, engine, kept)
}

/// Takes what comes after `after`, until `last` came.
fn until(mut feed: Feed, after: Option<i64>, last: i64) -> JoinHandle<Vec<Arc<Update>>> {
    tokio::spawn(async move {
        let mut updates: Vec<Arc<Update>> = Vec::new();
        while updates.last().map(|u| u.sequence()).or(after).is_none_or(|seen| seen < last) {
            updates.push(next(&mut feed).await);
        }
        updates
    })
}

on_both! {
    async fn first_a_snapshot_then_each_event(db: &TestDatabase) {
        let room = Room::new(db).await;
        let [ann, ben] = &room.people;
        room.house.bid_up_to(ann, room.lamp, 10_000, 30_000).await;
        let mut feed = room.watch(None).await;
        let first = next(&mut feed).await;
        assert!(is_snapshot(&first) && first.bid.is_none());
        assert_eq!((first.sequence(), &first.auction.state), (2, &room.state().await));
        assert!(is_quiet(&mut feed));
        let outcome = room.house.bid(ben, room.lamp, 12_000).await;
        let told = [next(&mut feed).await, next(&mut feed).await];
        assert_eq!(told[0].bid, outcome.bid, "ben's, then ann's automatic one");
        assert!(told[1].bid.as_ref().unwrap().is_automatic);
        assert_eq!(told[1].auction.state, outcome.auction.unwrap().1);
        is_of_log(Some(2), &told, &log(&room.house, room.lamp).await);
        assert!(is_quiet(&mut feed));
    }

    async fn after_a_sequence_comes_what_followed_it_then_live(db: &TestDatabase) {
        let room = Room::new(db).await;
        room.climb(20).await;
        for after in [0, 1, 10, 20] {
            let mut feed = room.watch(Some(after)).await;
            let mut updates = Vec::new();
            for _ in after..21 {
                updates.push(next(&mut feed).await);
            }
            assert!(updates.iter().all(|update| !is_snapshot(update)));
            is_of_log(Some(after), &updates, &log(&room.house, room.lamp).await);
            assert!(is_quiet(&mut feed));
        }
        let (mut early, mut level) = (room.watch(Some(19)).await, room.watch(Some(21)).await);
        assert!(is_quiet(&mut level), "nothing new to it");
        room.climb(1).await;
        assert_eq!(next(&mut level).await.sequence(), 22);
        for sequence in 20..=22 {
            assert_eq!(next(&mut early).await.sequence(), sequence);
        }
    }

    async fn a_sequence_that_never_was_gets_a_snapshot(db: &TestDatabase) {
        let room = Room::new(db).await;
        room.climb(3).await;
        for after in [5, i64::MAX, -1, i64::MIN] {
            let mut feed = room.watch(Some(after)).await;
            let first = next(&mut feed).await;
            assert!(is_snapshot(&first), "{after}");
            assert_eq!(first.auction.state, room.state().await);
            assert!(is_quiet(&mut feed));
        }
    }

    async fn who_missed_more_than_a_thousand_gets_one_snapshot(db: &TestDatabase) {
        let room = Room::new(db).await;
        room.climb(1_050).await;
        let newest = room.newest().await;
        let mut feed = room.watch(Some(newest - REPLAY)).await;
        let log = log(&room.house, room.lamp).await;
        let mut updates = Vec::new();
        for _ in 0..REPLAY {
            updates.push(next(&mut feed).await);
        }
        assert!(updates.iter().all(|update| !is_snapshot(update)));
        is_of_log(Some(newest - REPLAY), &updates, &log);
        for after in [newest - REPLAY - 1, 0] {
            let mut feed = room.watch(Some(after)).await;
            let first = next(&mut feed).await;
            assert!(is_snapshot(&first) && first.sequence() == newest);
            assert!(is_quiet(&mut feed));
        }
    }

    async fn nothing_falls_between_the_beginning_and_live(db: &TestDatabase) {
        let room = Room::new(db).await;
        let bids = 600;
        let (engine, lamp) = (Arc::clone(&room.house.engine), room.lamp);
        let people = room.people.clone();
        let storm = tokio::spawn(async move {
            for _ in 0..bids / 20 {
                climb(&engine, &people, lamp, 20).await;
            }
        });
        let mut dice = Dice::new(7);
        let mut watching = Vec::new();
        while !storm.is_finished() {
            let newest = room.newest().await;
            let after = match dice.roll(3) {
                0 => None,
                1 => Some(newest),
                _ => Some(newest - i64::try_from(dice.roll(100)).unwrap().min(newest)),
            };
            watching.push((after, until(room.watch(after).await, after, bids + 1)));
        }
        storm.await.unwrap();
        assert!(watching.len() > 5, "only {} joined meanwhile", watching.len());
        let log = log(&room.house, room.lamp).await;
        for (after, updates) in watching {
            is_of_log(after, &updates.await.unwrap(), &log);
        }
    }

    async fn a_watcher_that_is_too_slow_gets_one_snapshot_then_live(db: &TestDatabase) {
        let room = Room::new(db).await;
        let (mut slow, mut slower) = (room.watch(None).await, room.watch(Some(1)).await);
        assert!(is_snapshot(&next(&mut slow).await));
        let quick = until(room.watch(None).await, None, 1_201);
        let quick = tokio::spawn(async move { quick.await.unwrap() });
        for _ in 0..60 {
            room.climb(20).await;
        }
        let log = log(&room.house, room.lamp).await;
        is_of_log(None, &quick.await.unwrap(), &log);
        for feed in [&mut slow, &mut slower] {
            let caught_up = next(feed).await;
            assert!(is_snapshot(&caught_up));
            assert_eq!(caught_up.auction.state, room.state().await, "the newest state");
            assert!(is_quiet(feed), "and nothing of what it left out");
        }
        room.climb(2).await;
        for sequence in [1_202, 1_203] {
            for feed in [&mut slow, &mut slower] {
                let live = next(feed).await;
                assert_eq!((is_snapshot(&live), live.sequence()), (false, sequence));
            }
        }
    }

    async fn an_unknown_auction_is_no_silence(db: &TestDatabase) {
        let room = Room::new(db).await;
        for after in [None, Some(0), Some(7)] {
            let feed = room.house.engine.watch(AuctionId::new(), after).await;
            assert!(feed.unwrap().is_none());
        }
    }

    async fn news_in_any_order_and_twice_are_told_once_and_in_order(db: &TestDatabase) {
        let (room, engine, kept) = aside(db).await;
        let mut dice = Dice::new(11);
        for _ in 0..4 {
            let start = room.newest().await;
            let mut watching = Vec::new();
            for after in [None, Some(start), Some(start - 1)] {
                watching.push((after, until(room.watch(after).await, after, start + 200)));
            }
            climb(&engine, &room.people, room.lamp, 200).await;
            let mut news = kept.take();
            news.extend(news.clone());
            dice.shuffle(&mut news);
            news.into_iter().for_each(|news| room.house.hub.receive(news));
            let log = log(&room.house, room.lamp).await;
            for (after, updates) in watching {
                let updates = updates.await.unwrap();
                assert!(updates[1..].iter().all(|update| !is_snapshot(update)));
                is_of_log(after, &updates, &log);
            }
        }
    }

    async fn lost_news_are_read_from_the_log(db: &TestDatabase) {
        let (room, engine, kept) = aside(db).await;
        for keep_every in [3, 50, 1_000] {
            let start = room.newest().await;
            let watching = until(room.watch(Some(start)).await, Some(start), start + 200);
            climb(&engine, &room.people, room.lamp, 200).await;
            let news = kept.take();
            let last = news.len() - 1;
            for (place, news) in news.into_iter().enumerate() {
                if place == last || place % keep_every == 2 {
                    room.house.hub.receive(news);
                }
            }
            let updates = watching.await.unwrap();
            assert!(updates.iter().all(|update| !is_snapshot(update)));
            is_of_log(Some(start), &updates, &log(&room.house, room.lamp).await);
        }
    }

    async fn more_early_news_than_are_kept_do_not_matter(db: &TestDatabase) {
        let (room, engine, kept) = aside(db).await;
        let watching = until(room.watch(None).await, None, 1_301);
        climb(&engine, &room.people, room.lamp, 1_300).await;
        let mut news = kept.take();
        let last = news.pop().unwrap();
        for news in news.into_iter().skip(1) {
            room.house.hub.receive(news);
        }
        room.house.hub.receive(last);
        is_of_log(None, &watching.await.unwrap(), &log(&room.house, room.lamp).await);
    }

    async fn new_words_reach_watchers_even_when_their_news_are_lost(db: &TestDatabase) {
        let (room, engine, kept) = aside(db).await;
        let mut feed = room.watch(None).await;
        assert_eq!(next(&mut feed).await.auction.listing.title, "황동 스탠드 램프");
        let words = |title: &str| UpdateAuction {
            id: room.lamp,
            title: Some(requests::title(title)),
            description: None,
            category: None,
        };
        room.house.engine.update_auction(&room.seller, words("램프")).await.unwrap();
        let told = next(&mut feed).await;
        assert_eq!(told.kind, UpdateKind::Event(EventKind::Edited));
        assert_eq!(told.auction.listing.title, "램프");
        engine.update_auction(&room.seller, words("새 램프")).await.unwrap();
        kept.take();
        room.climb(1).await;
        for kind in [EventKind::Edited, EventKind::BidPlaced] {
            let told = next(&mut feed).await;
            assert_eq!(told.kind, UpdateKind::Event(kind));
            assert_eq!(told.auction.listing.title, "새 램프");
        }
    }

    async fn a_sequence_that_was_not_told_here_yet_is_known_from_the_log(db: &TestDatabase) {
        let (room, engine, kept) = aside(db).await;
        // Somebody watches, so the auction is in memory, and what is there is behind.
        let mut early = room.watch(None).await;
        assert_eq!(next(&mut early).await.sequence(), 1);
        climb(&engine, &room.people, room.lamp, 5).await;
        let mut level = room.watch(Some(6)).await;
        assert!(is_quiet(&mut level), "6 was committed: it is not told again");
        let mut future = room.watch(Some(7)).await;
        let first = next(&mut future).await;
        assert_eq!((is_snapshot(&first), first.sequence()), (true, 6));
        kept.take().into_iter().for_each(|news| room.house.hub.receive(news));
        room.climb(1).await;
        for feed in [&mut level, &mut future] {
            assert_eq!(next(feed).await.sequence(), 7);
        }
        for sequence in 2..=7 {
            assert_eq!(next(&mut early).await.sequence(), sequence);
        }
    }

    async fn the_stream_ends_by_itself_after_the_final_event(db: &TestDatabase) {
        let room = Room::new(db).await;
        let mut feeds = vec![room.watch(None).await, room.watch(Some(1)).await];
        assert!(is_snapshot(&next(&mut feeds[0]).await));
        room.house.engine.cancel_auction(&room.seller, room.lamp, reason("broken")).await.unwrap();
        // Those who come later too; nothing is left for the one who has seen the end.
        feeds.push(room.watch(Some(1)).await);
        feeds.push(room.watch(Some(0)).await);
        assert_eq!(next(&mut feeds[3]).await.sequence(), 1);
        for mut feed in feeds {
            let told = next(&mut feed).await;
            assert_eq!(told.kind, UpdateKind::Event(EventKind::Cancelled));
            assert_eq!(told.auction.state, room.state().await);
            assert!(feed.next().await.is_none());
        }
        let mut late = room.watch(Some(2)).await;
        assert!(late.next().await.is_none());
        let mut later = room.watch(None).await;
        let told = next(&mut later).await;
        assert!(is_snapshot(&told) && told.is_final());
        assert!(later.next().await.is_none());
    }

    async fn the_final_event_is_told_even_to_the_slowest(db: &TestDatabase) {
        let room = Room::new(db).await;
        let slow = room.watch(Some(1)).await;
        for _ in 0..60 {
            room.climb(20).await;
        }
        room.house.engine.end_auction_early(&room.seller, room.lamp).await.unwrap();
        let late = room.watch(Some(1)).await;
        for mut feed in [slow, late] {
            let told = next(&mut feed).await;
            assert_eq!((is_snapshot(&told), told.sequence()), (true, 1_201));
            let told = next(&mut feed).await;
            assert_eq!((told.kind, told.sequence()), (UpdateKind::Event(EventKind::Sold), 1_202));
            assert!(feed.next().await.is_none());
        }
        let updates = until(room.watch(Some(1_000)).await, Some(1_000), 1_202).await.unwrap();
        assert_eq!(updates.len(), 202);
        is_of_log(Some(1_000), &updates, &log(&room.house, room.lamp).await);
    }

    async fn a_topic_that_nobody_watches_is_forgotten(db: &TestDatabase) {
        let room = Room::new(db).await;
        // To nobody.
        room.house.hub.receive(made_up(&room));
        let (mut one, mut other) = (room.watch(None).await, room.watch(None).await);
        assert_eq!(next(&mut one).await.sequence(), 1, "told to nobody, kept by nobody");
        drop(one);
        assert_eq!(next(&mut other).await.sequence(), 1);
        room.house.hub.receive(made_up(&room));
        assert_eq!(next(&mut other).await.sequence(), 2, "one still watches");
        assert_eq!(next(&mut room.watch(None).await).await.sequence(), 2);
        drop(other);
        // The database never heard of that event: memory of it would show.
        assert_eq!(next(&mut room.watch(None).await).await.sequence(), 1);
    }
}

/// Postgres shows who waits for a lock; SQLite's readers wait for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_join_at_once_the_auction_is_read_once() {
    let database = database::postgres().await;
    let room = Arc::new(Room::new(&database).await);
    let other = database.open().await;
    let lock = transaction::begin(&other).await.unwrap();
    let all = "LOCK TABLE auctions IN ACCESS EXCLUSIVE MODE";
    lock.execute_unprepared(all).await.unwrap();
    let joining: Vec<_> = (0..50)
        .map(|_| {
            let room = Arc::clone(&room);
            tokio::spawn(async move { next(&mut room.watch(None).await).await.sequence() })
        })
        .collect();
    let readers = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while number_of(&other.read, readers).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Long enough for a second reader to show, if there were one.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(number_of(&other.read, readers).await.unwrap(), 1);
    lock.rollback().await.unwrap();
    for joined in join_all(joining).await {
        assert_eq!(joined.unwrap(), 1);
    }
    other.close().await;
    database.finish().await;
}
