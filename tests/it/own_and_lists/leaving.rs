//! A list learns what enters it and what leaves it.

use chrono::TimeDelta;
use entity::{
    enums::{AuctionStatus, EventKind},
    ids::{AuctionId, CategoryId},
};
use neighborbid::{
    domain::filter::Filter,
    engine::{CreateAuction, Session, UpdateAuction},
    live::{
        bus::NoBus,
        lists::{ListFeed, Lists},
        update::UpdateKind,
    },
};
use std::sync::Arc;

use super::tick;
use crate::support::requests::{self, description, reason, title};
use crate::support::{TestHouse, house::rules, on_both};

async fn watch(house: &TestHouse, filter: Filter) -> ListFeed {
    house.engine.watch_list(filter).await.unwrap()
}

fn only(status: AuctionStatus) -> Filter {
    Filter { status: vec![status], ..Filter::default() }
}

fn saying(word: &str) -> Filter {
    Filter { words: vec![word.to_owned()], ..Filter::default() }
}

/// The next update is this event.
async fn tells(feed: &mut ListFeed, auction: AuctionId, kind: EventKind, sequence: i64) {
    let update = tick(feed).await;
    let seen = (update.auction.listing.id, update.kind, update.sequence());
    assert_eq!(seen, (auction, UpdateKind::Event(kind), sequence));
}

async fn edit(house: &TestHouse, seller: &Session, id: AuctionId, title: &str, category: &str) {
    let category = Some(CategoryId(category.to_owned()));
    let (title, description) = (Some(requests::title(title)), Some(description("")));
    let wanted = UpdateAuction { id, title, description, category };
    house.engine.update_auction(seller, wanted).await.unwrap();
}

on_both! {
    async fn a_list_of_open_auctions_is_told_what_ends(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let [cancelled, sold] =
            [house.list(&seller, house.a_lamp()).await, house.list(&seller, house.a_lamp()).await];
        house.bid(&ann, sold, 10_000).await;
        // What they were before is in the log alone.
        let mut open = watch(&house, only(AuctionStatus::Open)).await;
        house.engine.cancel_auction(&seller, cancelled, reason("broken")).await.unwrap();
        house.engine.end_auction_early(&seller, sold).await.unwrap();
        tells(&mut open, cancelled, EventKind::Cancelled, 2).await;
        tells(&mut open, sold, EventKind::Sold, 3).await;
    }

    async fn a_list_of_scheduled_auctions_is_told_what_opens(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let mut scheduled = watch(&house, only(AuctionStatus::Scheduled)).await;
        let mut open = watch(&house, only(AuctionStatus::Open)).await;
        let starts_at = Some(house.now() + TimeDelta::hours(1));
        let later = house.list(&seller, CreateAuction { starts_at, ..house.a_lamp() }).await;
        // This one was never on the list.
        let at_once = house.list(&seller, house.a_lamp()).await;
        tells(&mut open, at_once, EventKind::Opened, 1).await;
        house.pass(TimeDelta::hours(1));
        house.engine.turn_due_auctions().await.unwrap();
        tells(&mut scheduled, later, EventKind::Opened, 1).await;
        tells(&mut open, later, EventKind::Opened, 1).await;
        // One that is edited while it waits, and one that is withdrawn.
        let starts_at = Some(house.now() + TimeDelta::hours(1));
        let later = house.list(&seller, CreateAuction { starts_at, ..house.a_lamp() }).await;
        edit(&house, &seller, later, "Chair", "lighting").await;
        tells(&mut scheduled, later, EventKind::Edited, 1).await;
        house.engine.cancel_auction(&seller, later, reason("broken")).await.unwrap();
        tells(&mut scheduled, later, EventKind::Cancelled, 2).await;
    }

    async fn a_list_up_to_a_price_is_told_once_that_the_price_passes_it(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 1_000_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let mut cheap =
            watch(&house, Filter { max_price: Some(12_000), ..Filter::default() }).await;
        for amount in [11_000, 12_000, 13_000, 14_000] {
            house.bid(&ann, lamp, amount).await;
        }
        let other = house.list(&seller, house.a_lamp()).await;
        for sequence in [2, 3, 4] {
            tells(&mut cheap, lamp, EventKind::BidPlaced, sequence).await;
        }
        tells(&mut cheap, other, EventKind::Opened, 1).await;
    }

    async fn a_list_by_words_or_category_is_told_what_is_edited_away(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let mut lamps = watch(&house, saying("lamp")).await;
        let mut chairs = watch(&house, saying("chair")).await;
        let lighting = vec![CategoryId("lighting".to_owned())];
        let mut lights =
            watch(&house, Filter { categories: lighting, ..Filter::default() }).await;
        let wanted = CreateAuction {
            title: title("Lamp"),
            description: description(""),
            category: Some(CategoryId("lighting".to_owned())),
            ..house.a_lamp()
        };
        let auction = house.list(&seller, wanted.clone()).await;
        edit(&house, &seller, auction, "Chair", "furniture").await;
        edit(&house, &seller, auction, "Armchair", "furniture").await;
        for feed in [&mut lamps, &mut lights] {
            tells(feed, auction, EventKind::Opened, 1).await;
            tells(feed, auction, EventKind::Edited, 2).await;
        }
        tells(&mut chairs, auction, EventKind::Edited, 2).await;
        tells(&mut chairs, auction, EventKind::Edited, 3).await;
        // The third is not theirs any more.
        let next = house.list(&seller, wanted).await;
        for feed in [&mut lamps, &mut lights] {
            tells(feed, next, EventKind::Opened, 1).await;
        }
    }

    async fn an_edit_whose_former_words_nobody_knows_is_told(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let wanted = CreateAuction { title: title("Lamp"), ..house.a_lamp() };
        let auction = house.list(&seller, wanted).await;
        // Another node's lists: they see the log alone.
        let lists = Lists::start(house.db.clone(), rules().increments, Arc::new(NoBus));
        let mut lamps = lists.watch(saying("lamp")).await.unwrap();
        edit(&house, &seller, auction, "Chair", "furniture").await;
        lists.sweep().await.unwrap();
        tells(&mut lamps, auction, EventKind::Edited, 2).await;
        // Now they are known.
        edit(&house, &seller, auction, "Armchair", "furniture").await;
        let next = house.list(&seller, house.a_lamp()).await;
        lists.sweep().await.unwrap();
        tells(&mut lamps, next, EventKind::Opened, 1).await;
    }
}
