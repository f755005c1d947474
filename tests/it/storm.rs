//! Storms: many people, over HTTP and WebSockets, against one auction and against fifty. What
//! they were told is what the database holds in the end, and the watchers missed nothing.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};

use crate::support::{
    TestDatabase,
    bidder::{self, Bidder, Board, Note, Tally, UNIT},
    books::Books,
    client::{Api, Person},
    dice::Dice,
    on_both, served,
    watcher::{Ends, Given, Watcher, Where},
};

const TASKS: u64 = 64;

/// Fewer than tasks: several phones of one person bid against the same money.
const PEOPLE: usize = 16;

struct Storm {
    auctions: usize,
    /// Of each task, besides those that are sent again in the end.
    bids: usize,
    /// Of each person.
    money: i64,
    watchers: usize,
}

async fn prepare(api: &Api, storm: &Storm) -> (Vec<Person>, Arc<Board>) {
    let seller = api.sign_up("seller", 0).await;
    let names: Vec<_> = (0..PEOPLE).map(|n| format!("person{n}")).collect();
    let people = join_all(names.iter().map(|name| api.sign_up(name, storm.money))).await;
    let unit = json!({ "bidUnit": UNIT.to_string() });
    let auctions = (0..storm.auctions).map(|_| api.create_auction(&seller, unit.clone()));
    let board = Board::new(join_all(auctions).await, storm.money);
    (people, board)
}

fn watch_all(house: &Where, board: &Board, ends: &Ends, count: usize) -> Vec<JoinHandle<Given>> {
    let auctions = board.auctions.iter().cycle().take(count);
    let watchers = (1_000..).zip(auctions).map(|(seed, (auction, _))| Watcher {
        house: house.clone(),
        auction: *auction,
        is_restless: seed % 2 == 0,
        dice: Dice::new(seed),
        ends: ends.clone(),
    });
    watchers.map(Watcher::start).collect()
}

async fn bid_all(people: &[Person], api: &Api, board: &Arc<Board>, bids: usize) -> Vec<Note> {
    let tasks = (0..TASKS).zip(people.iter().cycle()).map(|(n, person)| {
        let mut bidder = Bidder::new(n, person, api, board);
        tokio::spawn(async move {
            for _ in 0..bids {
                bidder.turn().await.unwrap();
            }
            bidder.repeat_all().await.unwrap();
            bidder.notes
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let notes = join_all(tasks).await.into_iter().map(Result::unwrap);
    notes.flatten().collect()
}

async fn rage(db: &TestDatabase, storm: Storm) -> Tally {
    let house = served::open(db).await;
    let api = Api::new(house.address);
    let (people, board) = prepare(&api, &storm).await;
    let (_stays, address) = watch::channel(house.address);
    let (end, ends) = watch::channel(HashMap::new());
    let early = watch_all(&address, &board, &ends, storm.watchers / 2);
    let late = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        watch_all(&address, &board, &ends, storm.watchers / 2)
    };
    let (notes, late) = tokio::join!(bid_all(&people, &api, &board, storm.bids), late);

    let books = Books::read(db).await;
    let newest = board.auctions.iter().map(|(id, _)| (*id, books.newest(*id)));
    end.send(newest.collect()).unwrap();
    for watching in early.into_iter().chain(late) {
        watching.await.unwrap().check(&books);
    }
    house.close().await.unwrap();

    let books = Books::read(db).await;
    books.check();
    let tally = bidder::compare(&notes, &books);
    assert_eq!(tally.lost, 0);
    let happened = [
        tally.accepted,
        tally.replayed,
        tally.left,
        tally.refused["BID_TOO_LOW"],
        tally.refused["INSUFFICIENT_FUNDS"],
    ];
    assert!(happened.iter().all(|times| *times > 0), "{tally:?}");
    assert_eq!(tally.refused.len(), 2, "{tally:?}");
    tally
}

on_both! {
    async fn sixty_four_bid_on_one_auction(db: &TestDatabase) {
        let storm = Storm { auctions: 1, bids: 16, money: 150_000, watchers: 12 };
        let tally = rage(db, storm).await;
        assert!(tally.accepted > 64, "{tally:?}");
    }

    async fn sixty_four_bid_on_fifty_auctions(db: &TestDatabase) {
        let storm = Storm { auctions: 50, bids: 20, money: 60_000, watchers: 80 };
        let tally = rage(db, storm).await;
        assert!(tally.accepted > 64, "{tally:?}");
    }
}
