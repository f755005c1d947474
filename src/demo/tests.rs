//! The demo on a clock that runs as fast as the market takes its turns.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{TimeDelta, Utc};
use clap::Parser;
use entity::{enums::OrderStatus, ids::AuctionId, order};

use super::*;
use crate::{
    audit,
    domain::filter::Filter,
    store::{auction_page::Sort, connection::Db, page::Page},
};

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    house: HouseConfig,
    #[command(flatten)]
    clients: ClientConfig,
}

fn page<C>() -> Page<C> {
    Page { after: None, before: None, size: 100, backwards: false }
}

#[tokio::test]
async fn the_market_stays_lively_and_its_books_balance() {
    let path = std::env::temp_dir().join(format!("neighborbid-{}", uuid::Uuid::now_v7()));
    let folder = Folder::claim(&path).unwrap();
    let time = Arc::new(Mutex::new(Utc::now()));
    let settings = Settings::parse_from(["demo", "--listen", "127.0.0.1:0"]);
    let clock = Clock::Held(Arc::clone(&time));
    let config = config(&folder, settings.house, settings.clients, clock);
    let database = config.database.clone();
    let house = House::open(config).await.unwrap();
    let (welcome, mut market) = fill(&house, &folder).await.unwrap();
    assert!(welcome.lines().count() < 36, "{welcome}");
    let example = market.example().unwrap().listing.id.to_string();
    assert!(welcome.contains(&example) && welcome.contains(&house.address.to_string()));

    // Eight minutes, two seconds a turn.
    for _ in 0..240 {
        *time.lock().unwrap_or_else(PoisonError::into_inner) += TimeDelta::seconds(2);
        house.engine.turn_due_auctions().await.unwrap();
        market.turn(&mut Ticker::new(true)).await.unwrap();
    }
    assert!((20..=24).contains(&market.auctions()), "{}", market.auctions());

    let engine = &house.engine;
    let all = engine.auction_places(&Filter::default(), Sort::Newest, &page()).await.unwrap();
    let ids: Vec<AuctionId> = all.iter().map(|place| place.id).collect();
    assert!(ids.len() > stalls::STALLS.len(), "nothing was listed anew");
    let mut bids = 0;
    for id in ids {
        for bid in engine.bids_of_auction(id, &page()).await.unwrap() {
            assert!(market.bidders.contains(&bid.bidder.id), "{bid:?}");
            bids += 1;
        }
    }
    assert!(bids > 150, "{bids} bids");

    let mut completed = 0;
    for person in market.people() {
        let orders = engine.orders_of(person.id(), &page()).await.unwrap();
        let is_done = |order: &&order::Model| order.status == OrderStatus::Completed;
        completed += orders.iter().filter(is_done).count();
    }
    assert!(completed > 0, "no sale came to its end");

    house.close().await.unwrap();
    let db = Db::open(&database.database_url, &database.pools()).await.unwrap();
    for finding in audit::run(&db).await.unwrap() {
        assert_eq!(finding.broken, 0, "{}", audit::line(&finding));
    }
    db.close().await;
    drop(folder);
    std::fs::remove_dir_all(path).unwrap();
}
