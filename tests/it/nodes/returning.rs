//! Hundreds of sockets that come back at once to a node that was just started again, each from
//! where it left off: the node asks the database once.

use entity::ids::AuctionId;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{HANGS, cluster::Nodes};
use crate::support::{
    books::Books,
    client::{Answer, Api, Lost, Offer, Person, Socket, Update},
    database,
    nats::Nats,
};

const AUCTIONS: usize = 2;
const BIDS: i64 = 60;
const SOCKETS: i64 = 300;

async fn bid(api: &Api, people: &[Person], auction: AuctionId, number: i64) -> i64 {
    let amount = 10_000 + 1_000 * number;
    let offer = Offer { auction, amount, maximum: None, key: None };
    let bidder = &people[usize::try_from(number).unwrap() % people.len()];
    match api.place_bid(bidder, &offer).await.unwrap() {
        Answer::Accepted(placed) => placed.sequence,
        refused @ Answer::Refused { .. } => panic!("{refused:?}"),
    }
}

/// Everything up to a sequence.
async fn up_to(
    socket: &mut Socket,
    id: &str,
    newest: i64,
    mut last: Option<i64>,
) -> Result<Vec<Update>, Lost> {
    let mut updates = Vec::new();
    while last != Some(newest) {
        let update = timeout(HANGS, socket.update(id)).await.expect("nothing comes");
        let update = update?.expect("the stream ended");
        last = Some(update.sequence);
        updates.push(update);
    }
    Ok(updates)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_come_back_at_once_cost_one_snapshot_query_an_auction() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let mut nodes = Nodes::start(&db, [nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let api = nodes.api(0);
    let seller = api.sign_up("seller", 0).await;
    let people = join_all(["ann", "ben"].map(|name| api.sign_up(name, 10_000_000))).await;
    let lamp = async || api.create_auction(&seller, json!({ "bidUnit": "1000" })).await;
    let auctions = join_all((0..AUCTIONS).map(|_| lamp())).await;
    let mut newest = 0;
    for number in 1..=BIDS {
        for auction in &auctions {
            newest = bid(&api, &people, *auction, number).await;
        }
    }

    let old = nodes.address(1);
    let before = (0..SOCKETS).zip(auctions.iter().cycle()).map(async |(_, auction)| {
        let mut socket = Socket::open(old, None).await.unwrap();
        let id = socket.watch(*auction, None).await.unwrap();
        assert_eq!(socket.update(&id).await.unwrap().unwrap().sequence, newest);
        (socket, id)
    });
    let before = join_all(before).await;
    assert_eq!(nodes.number(1, "neighborbid_snapshots_total").await, AUCTIONS as f64);
    nodes.stop(1);
    for (mut socket, id) in before {
        let Err(Lost::Broken(why)) = socket.update(&id).await else { panic!("still open") };
        assert!(why.contains("Away"), "{why}");
    }
    nodes.start_again(1);

    // Every one from somewhere else, while bids go on.
    let new = nodes.address(1);
    let coming = (0..SOCKETS).zip(auctions.iter().cycle()).map(async |(number, auction)| {
        let after = Some(number * newest / SOCKETS);
        let mut socket = Socket::open(new, None).await.unwrap();
        let id = socket.watch(*auction, after).await.unwrap();
        let updates = up_to(&mut socket, &id, newest + 1, after).await.unwrap();
        // Kept open, so that the auction stays watched until all have come.
        (*auction, after, updates, socket)
    });
    let bidding = async {
        for auction in &auctions {
            assert_eq!(bid(&api, &people, *auction, BIDS + 1).await, newest + 1);
        }
    };
    let (came, ()) = tokio::join!(join_all(coming), bidding);
    let books = Books::read(&db).await;
    for (auction, after, updates, _) in &came {
        books.told(*auction, *after, updates);
        assert!(!updates.iter().any(Update::is_snapshot));
    }
    assert_eq!(nodes.number(1, "neighborbid_snapshots_total").await, AUCTIONS as f64);
    let reads = nodes.number(1, "neighborbid_log_reads_total").await;
    assert!(reads <= 3.0 * AUCTIONS as f64, "the log was read {reads} times");
    nodes.stop_all();
    db.finish().await;
}
