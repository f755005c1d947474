//! What lists tell depends on the log alone: each event once, one by one, nothing from before, and
//! whatever nobody announced as well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use entity::{enums::NotificationKind as Told, ids::AuctionId};
use neighborbid::{
    domain::filter::Filter,
    live::{bus::NoBus, lists::ListFeed, rooms::Rooms, sweep},
};
use tokio_util::sync::CancellationToken;

use super::{BID, news, seen, settled, tick};
use crate::support::{TestHouse, house::rules, on_both};

/// The rooms of another node that hears nothing.
fn elsewhere(house: &TestHouse) -> Rooms {
    Rooms::open(&house.db, &rules().increments, Arc::new(NoBus))
}

async fn tells(feed: &mut ListFeed, expected: &[AuctionId]) {
    for (number, auction) in expected.iter().enumerate() {
        assert_eq!(tick(feed).await.auction.listing.id, *auction, "number {number}");
    }
}

on_both! {
    async fn events_of_one_instant_are_told_one_by_one(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let ben = house.person("ben", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let mut list = house.engine.watch_list(Filter::default()).await.unwrap();
        house.bid_up_to(&ann, lamp, 10_000, 50_000).await;
        // One transaction, two events: his bid, and hers that answers it.
        house.bid(&ben, lamp, 20_000).await;
        settled(&house, &seller).await;
        for sequence in [2, 3, 4] {
            let update = tick(&mut list).await;
            assert_eq!(seen(&update), (BID, sequence));
            assert!(update.bid.is_some());
        }
    }

    async fn nothing_from_before_a_subscription_is_told_to_it(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let rooms = elsewhere(&house);
        let list = async || house.list(&seller, house.a_lamp()).await;
        let watch = async || rooms.lists.watch(Filter::default()).await.unwrap();
        let mut expected = Vec::new();
        let mut feeds = Vec::new();
        for round in 0..4 {
            list().await;
            feeds.push(watch().await);
            expected.push(Vec::new());
            let told = list().await;
            expected.iter_mut().for_each(|expected| expected.push(told));
            if round == 2 {
                rooms.lists.sweep().await.unwrap();
            }
            let before_the_next = list().await;
            expected.iter_mut().for_each(|expected| expected.push(before_the_next));
        }
        rooms.lists.sweep().await.unwrap();
        // The first ones are told, too, what came before the others.
        for (mut feed, expected) in feeds.into_iter().zip(expected) {
            let mut seen = Vec::new();
            while seen.last() != expected.last() {
                let auction = tick(&mut feed).await.auction.listing.id;
                assert!(!seen.contains(&auction), "twice");
                seen.push(auction);
            }
            assert_eq!(&seen[..1], &expected[..1], "the first is the first after it came");
        }
        // A new beginning after everybody left.
        list().await;
        let mut feed = watch().await;
        let told = list().await;
        rooms.lists.sweep().await.unwrap();
        tells(&mut feed, &[told]).await;
    }

    async fn what_is_committed_late_is_told_to_lists(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let rooms = elsewhere(&house);
        house.set(Utc::now());
        let known = house.list(&seller, house.a_lamp()).await;
        let mut feed = rooms.lists.watch(Filter::default()).await.unwrap();
        let ann = house.person("ann", None, 100_000).await;
        // Times that were read before the log was looked at last, or by a clock that is ahead.
        for skew in [-20, 20, -20] {
            rooms.lists.sweep().await.unwrap();
            house.set(Utc::now() + TimeDelta::seconds(skew));
            let lamp = house.list(&seller, house.a_lamp()).await;
            rooms.lists.sweep().await.unwrap();
            rooms.lists.sweep().await.unwrap();
            tells(&mut feed, &[lamp]).await;
        }
        house.set(Utc::now());
        assert!(house.bid(&ann, known, 10_000).await.refusal.is_none());
        rooms.lists.sweep().await.unwrap();
        tells(&mut feed, &[known]).await;
    }

    async fn what_is_committed_late_is_told_to_its_owner_once(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let ben = house.person("ben", None, 100_000).await;
        house.set(Utc::now() - TimeDelta::hours(1));
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.set(Utc::now());
        let mut price = 10_000;
        let mut outbid = async || {
            for who in [&ann, &ben] {
                house.bid(who, lamp, price).await;
                price += 1_000;
            }
        };
        outbid().await;
        let rooms = elsewhere(&house);
        let mut anns = rooms.people.watch(ann.user.id).await.unwrap();
        assert_eq!(news(&mut anns).await, (true, None), "first the wallet");
        for (round, skew) in [-20, 20, -20].into_iter().enumerate() {
            rooms.people.sweep().await.unwrap();
            house.set(Utc::now() + TimeDelta::seconds(skew));
            outbid().await;
            let mut late = rooms.people.watch(ann.user.id).await.unwrap();
            assert_eq!(news(&mut late).await, (true, None), "first the wallet");
            // Her money was held and is free again: nothing changed.
            assert_eq!(news(&mut anns).await, (false, Some(Told::Outbid)));
            rooms.people.sweep().await.unwrap();
            house.deposit(&ann, 1, &format!("{round}")).await;
            rooms.people.sweep().await.unwrap();
            for feed in [&mut anns, &mut late] {
                assert_eq!(news(feed).await, (true, None), "told once, and not who came later");
            }
        }
    }

    async fn while_nobody_watches_the_log_is_not_read(db: &TestDatabase) {
        let mut pools = db.open().await;
        let statements = Arc::new(AtomicUsize::new(0));
        for pool in [&mut *pools.read, &mut *pools.reserved, &mut pools.write] {
            let statements = Arc::clone(&statements);
            pool.set_metric_callback(move |_| {
                statements.fetch_add(1, Ordering::Relaxed);
            });
        }
        let rooms = Rooms::open(&pools, &rules().increments, Arc::new(NoBus));
        let stop = CancellationToken::new();
        let sweeps = tokio::spawn(sweep::run(rooms.clone(), stop.clone()));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(statements.load(Ordering::Relaxed), 0);
        let feed = rooms.lists.watch(Filter::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(statements.load(Ordering::Relaxed) > 1, "they are counted");
        drop(feed);
        stop.cancel();
        sweeps.await.unwrap();
        pools.close().await;
    }
}
