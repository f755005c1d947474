//! Live updates of one's own affairs and of lists: to whom they belong, when they happen, and to a
//! slow reader the newest.

mod leaving;
mod neighbours;
mod skewed;
mod socket;
mod telling;

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use entity::enums::{AuctionScope, AuctionStatus, EventKind, NotificationKind as Told};
use neighborbid::{
    domain::{filter::Filter, order::Action},
    engine::{CreateAuction, Engine, Session},
    live::{
        bus::{AuctionNews, NoBus},
        lists::{ListFeed, Lists},
        people::{OwnFeed, OwnUpdate},
        update::{Update, UpdateKind},
    },
    store::events,
};

use crate::support::requests::{description, title};
use crate::support::{
    TestHouse,
    house::{money, region, rules},
    on_both,
};

/// Longer than anything here takes; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(20);

async fn within<T>(next: impl Future<Output = Option<T>>) -> T {
    let next = tokio::time::timeout(PATIENCE, next).await;
    next.expect("nothing came").expect("it ended")
}

/// The next news of a person, in short.
async fn news(feed: &mut OwnFeed) -> (bool, Option<Told>) {
    let OwnUpdate { wallet_changed, notification, .. } = within(feed.next()).await;
    (wallet_changed, notification.map(|row| row.kind))
}

async fn tick(feed: &mut ListFeed) -> Arc<Update> {
    within(feed.next()).await
}

/// Waits until everything that was published before has been matched: news are matched in order,
/// so an event that this feed alone sees comes last.
async fn settled(house: &TestHouse, seller: &Session) {
    let mut feed = house
        .engine
        .watch_list(Filter { words: vec!["marker".to_owned()], ..Filter::default() })
        .await
        .unwrap();
    let wanted = CreateAuction { title: title("Marker"), ..house.a_lamp() };
    let marker = house.list(seller, wanted).await;
    while tick(&mut feed).await.auction.listing.id != marker {}
}

/// An auction whose price may rise by as little for ever.
fn by_thousands(house: &TestHouse) -> CreateAuction {
    CreateAuction { bid_unit: Some(money(1_000)), ..house.a_lamp() }
}

/// An event of a list, in short.
fn seen(update: &Update) -> (UpdateKind, i64) {
    (update.kind, update.sequence())
}

const BID: UpdateKind = UpdateKind::Event(EventKind::BidPlaced);
const SNAPSHOT: UpdateKind = UpdateKind::Snapshot;

on_both! {
    async fn ones_own_affairs_come_as_they_happen(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let ben = house.person("ben", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let engine = &house.engine;
        let mut anns = engine.watch_own(ann.user.id).await.unwrap();
        let mut bens = engine.watch_own(ben.user.id).await.unwrap();
        let mut sellers = engine.watch_own(seller.user.id).await.unwrap();
        for feed in [&mut anns, &mut bens, &mut sellers] {
            assert_eq!(news(feed).await, (true, None), "first the wallet");
        }
        house.bid(&ann, lamp, 10_000).await;
        assert_eq!(news(&mut anns).await, (true, None), "a lead is won");
        house.bid(&ben, lamp, 11_000).await;
        assert_eq!(news(&mut anns).await, (true, Some(Told::Outbid)), "and lost");
        assert_eq!(news(&mut bens).await, (true, None));
        house.deposit(&ann, 5, "more").await;
        assert_eq!(news(&mut anns).await, (true, None), "a payment");
        house.pass(TimeDelta::days(1));
        engine.turn_due_auctions().await.unwrap();
        assert_eq!(news(&mut bens).await, (true, Some(Told::Won)));
        assert_eq!(news(&mut sellers).await, (false, Some(Told::Sold)), "nothing is paid yet");
        let order = engine.order_of_auction(lamp).await.unwrap().unwrap();
        let act = async |who, action| {
            engine.act_on_order(who, order.id, action, None).await.unwrap();
        };
        act(&seller, Action::HandOver).await;
        assert_eq!(news(&mut bens).await, (false, Some(Told::HandedOver)));
        act(&ben, Action::ConfirmReceipt).await;
        assert_eq!(news(&mut sellers).await, (true, Some(Told::OrderCompleted)), "paid");
        // Nobody got what is another's: the next that each sees is their own marker.
        for (who, feed) in [(&ann, &mut anns), (&ben, &mut bens), (&seller, &mut sellers)] {
            house.deposit(who, 7, "marker").await;
            let next = within(feed.next()).await;
            assert_eq!((next.user, next.notification), (who.user.id, None));
        }
    }

    async fn who_reads_ones_own_affairs_slowly_is_told_that_the_wallet_changed(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let ann = house.person("ann", None, 0).await;
        let mut feed = house.engine.watch_own(ann.user.id).await.unwrap();
        let mut second = house.engine.watch_own(ann.user.id).await.unwrap();
        for n in 0..200 {
            house.deposit(&ann, 1, &format!("d{n}")).await;
        }
        let mut told = 0;
        while tokio::time::timeout(Duration::from_millis(500), feed.next()).await.is_ok() {
            told += 1;
        }
        assert!((2..=70).contains(&told), "{told} of 200, and the first");
        drop(feed);
        house.deposit(&ann, 1, "after").await;
        assert_eq!(news(&mut second).await, (true, None), "another's leaving ends nothing");
        assert_eq!(house.balances(&ann).await, (201, 0));
    }

    async fn a_list_shows_what_it_would_show_when_it_happens(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let mut all = house.engine.watch_list(Filter::default()).await.unwrap();
        let dear = Filter { min_price: Some(12_000), ..Filter::default() };
        let mut dear = house.engine.watch_list(dear).await.unwrap();
        let lamps = Filter { words: vec!["램프".to_owned()], ..Filter::default() };
        let mut lamps = house.engine.watch_list(lamps).await.unwrap();
        let (title, description) = (title("의자"), description(""));
        let wanted = CreateAuction { title, description, ..house.a_lamp() };
        let chair = house.list(&seller, wanted).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let opened = UpdateKind::Event(EventKind::Opened);
        for expected in [chair, lamp] {
            let update = tick(&mut all).await;
            assert_eq!((update.auction.listing.id, seen(&update)), (expected, (opened, 1)));
        }
        let update = tick(&mut lamps).await;
        assert_eq!((update.auction.listing.id, seen(&update)), (lamp, (opened, 1)));
        house.bid(&ann, chair, 11_000).await;
        house.bid(&ann, chair, 12_000).await;
        let update = tick(&mut dear).await;
        assert_eq!((update.auction.listing.id, seen(&update)), (chair, (BID, 3)));
        assert_eq!(update.auction.state.price, money(12_000));
        assert_eq!(update.bid.as_ref().unwrap().bidder.id, ann.user.id);
        house.bid(&ann, lamp, 12_000).await;
        for feed in [&mut dear, &mut lamps] {
            let update = tick(feed).await;
            assert_eq!((update.auction.listing.id, seen(&update)), (lamp, (BID, 2)));
        }
    }

    async fn a_regions_list_shows_its_own_those_inside_and_every_national_one(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", Some("11110101"), 0).await;
        let other = house.person("other", Some("26110"), 0).await;
        let within = |code| Filter { region: Some(region(code)), ..Filter::default() };
        let mut seoul = house.engine.watch_list(within("11")).await.unwrap();
        let mut jongno = house.engine.watch_list(within("11110")).await.unwrap();
        let mut lists = Vec::new();
        for (who, scope, code) in [
            (&seller, AuctionScope::Regional, "11"),
            (&seller, AuctionScope::Regional, "11110"),
            (&seller, AuctionScope::Regional, "11110101"),
            (&other, AuctionScope::Regional, "26110"),
            (&other, AuctionScope::National, "26110"),
        ] {
            let wanted = CreateAuction { scope, region: Some(region(code)), ..house.a_lamp() };
            lists.push(house.list(who, wanted).await);
        }
        for expected in [0, 1, 2, 4] {
            assert_eq!(tick(&mut seoul).await.auction.listing.id, lists[expected], "{expected}");
        }
        for expected in [1, 2, 4] {
            assert_eq!(tick(&mut jongno).await.auction.listing.id, lists[expected], "{expected}");
        }
    }

    async fn equal_filters_share_each_update(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let filter = || Filter { max_price: Some(50_000), ..Filter::default() };
        let mut one = house.engine.watch_list(filter()).await.unwrap();
        let mut two = house.engine.watch_list(filter()).await.unwrap();
        house.list(&seller, house.a_lamp()).await;
        let (first, second) = (tick(&mut one).await, tick(&mut two).await);
        assert!(Arc::ptr_eq(&first, &second), "one evaluation");
        drop(one);
        let lamp = house.list(&seller, house.a_lamp()).await;
        assert_eq!(tick(&mut two).await.auction.listing.id, lamp, "another's leaving ends nothing");
    }

    async fn a_slow_reader_gets_the_newest_of_each_auction_as_a_snapshot(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 1_000_000).await;
        let lamp = house.list(&seller, by_thousands(&house)).await;
        let quiet = house.list(&seller, house.a_lamp()).await;
        let mut slow = house.engine.watch_list(Filter::default()).await.unwrap();
        house.bid(&ann, quiet, 10_000).await;
        for n in 0..300 {
            house.bid(&ann, lamp, 10_000 + n * 1_000).await;
        }
        settled(&house, &seller).await;
        let update = tick(&mut slow).await;
        assert_eq!((update.auction.listing.id, seen(&update)), (quiet, (BID, 2)), "all there was");
        let update = tick(&mut slow).await;
        let (kind, first) = seen(&update);
        assert_eq!((update.auction.listing.id, kind), (lamp, SNAPSHOT));
        assert!((40..60).contains(&first), "the newest of those that are not kept: {first}");
        assert_eq!(i64::from(update.auction.state.bid_count), first - 1);
        assert!(update.bid.is_none());
        for sequence in first + 1..=301 {
            assert_eq!(seen(&*tick(&mut slow).await), (BID, sequence), "the newest one by one");
        }
        assert_eq!(tick(&mut slow).await.auction.listing.title, "Marker");
        house.bid(&ann, lamp, 400_000).await;
        assert_eq!(seen(&*tick(&mut slow).await), (BID, 302), "and then live again");
    }

    async fn a_final_event_is_never_dropped(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 1_000_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let other = house.list(&seller, by_thousands(&house)).await;
        let brass = Filter { words: vec!["brass".to_owned()], ..Filter::default() };
        let mut slow = house.engine.watch_list(brass).await.unwrap();
        for n in 0..9 {
            house.bid(&ann, lamp, 10_000 + n * 1_000).await;
        }
        house.engine.end_auction_early(&seller, lamp).await.unwrap();
        for n in 0..270 {
            house.bid(&ann, other, 10_000 + n * 1_000).await;
        }
        settled(&house, &seller).await;
        let update = tick(&mut slow).await;
        assert_eq!((update.auction.listing.id, seen(&update)), (lamp, (SNAPSHOT, 10)), "before");
        assert_eq!(update.auction.state.status, AuctionStatus::Open);
        let update = tick(&mut slow).await;
        let sold = UpdateKind::Event(EventKind::Sold);
        assert_eq!((update.auction.listing.id, seen(&update)), (lamp, (sold, 11)));
        let update = tick(&mut slow).await;
        assert_eq!((update.auction.listing.id, update.kind), (other, SNAPSHOT));
    }

    async fn late_and_repeated_news_of_a_list_are_told_once_and_in_order(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 1_000_000).await;
        let lists = Lists::start(house.db.clone(), rules().increments, Arc::new(NoBus));
        let mut quick = lists.watch(Filter::default()).await.unwrap();
        let mut slow = lists.watch(Filter::default()).await.unwrap();
        let lamp = house.list(&seller, house.a_lamp()).await;
        for n in 0..5 {
            house.bid(&ann, lamp, 10_000 + n * 1_000).await;
        }
        let log = events::between(&house.db.read, lamp, 0, 6, 10).await.unwrap();
        let give = |number: usize| {
            let event = log[number - 1].clone();
            lists.receive(&AuctionNews { event, listing: None });
        };
        give(1);
        assert_eq!(tick(&mut quick).await.sequence(), 1);
        // Of several at once, late and repeated, and of one that overtook the others: what lies
        // between is in the log.
        for number in [3, 1, 2, 3, 1] {
            give(number);
        }
        for number in 2..=3 {
            assert_eq!(seen(&*tick(&mut quick).await), (BID, number));
        }
        give(6);
        for number in 4..=6 {
            assert_eq!(seen(&*tick(&mut quick).await), (BID, number));
        }
        for number in [6, 5, 1] {
            give(number);
        }
        let other = house.list(&seller, house.a_lamp()).await;
        let opened = events::between(&house.db.read, other, 0, 1, 1).await.unwrap().pop().unwrap();
        lists.receive(&AuctionNews { event: opened, listing: None });
        assert_eq!(tick(&mut quick).await.auction.listing.id, other);
        for number in 1..=6 {
            assert_eq!(tick(&mut slow).await.sequence(), number);
        }
        assert_eq!(tick(&mut slow).await.auction.listing.id, other);
    }

    async fn who_comes_while_the_last_one_leaves_misses_nothing(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        for round in 0..20 {
            let watch = async |engine: Arc<Engine>| {
                engine.watch_list(Filter::default()).await.unwrap()
            };
            let engine = Arc::clone(&house.engine);
            let leaves = tokio::spawn(async move {
                for _ in 0..20 {
                    drop(watch(Arc::clone(&engine)).await);
                }
            });
            let engine = Arc::clone(&house.engine);
            let comes = tokio::spawn(async move {
                for _ in 0..20 {
                    // Half of them give up on the way.
                    let watching = watch(Arc::clone(&engine));
                    let _ = tokio::time::timeout(Duration::from_micros(500), watching).await;
                }
                watch(engine).await
            });
            let mut feed = comes.await.unwrap();
            leaves.await.unwrap();
            let lamp = house.list(&seller, house.a_lamp()).await;
            assert_eq!(tick(&mut feed).await.auction.listing.id, lamp, "round {round}");
        }
    }
}
