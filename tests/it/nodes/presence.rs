//! How many watch an auction, over all nodes.

use std::time::{Duration, Instant};

use entity::ids::AuctionId;
use serde_json::json;

use super::{
    Watching,
    cluster::{Nodes, until},
};
use crate::support::{
    client::{Api, Socket},
    database,
    nats::Nats,
};

/// How long a node that was killed may be counted: what it said lives 15 s.
const FORGOTTEN: Duration = Duration::from_secs(20);

async fn watch(node: &Api, lamp: AuctionId, count: usize) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        let mut socket = Socket::open(node.address, None).await.unwrap();
        let id = socket.watch(lamp, None).await.unwrap();
        socket.update(&id).await.unwrap().unwrap();
        sockets.push(socket);
    }
    sockets
}

/// What a node answers to a query.
async fn count(node: &Api, lamp: AuctionId) -> i64 {
    let query = "query Count($id: ID!) { auction(id: $id) { watcherCount } }";
    let answer = node.run(None, query, json!({ "id": lamp.to_string() })).await.unwrap();
    answer["auction"]["watcherCount"].as_i64().unwrap()
}

async fn agree(nodes: &[&Api], lamp: AuctionId, number: i64) {
    for node in nodes {
        let what = format!("{} counts {number}", node.address);
        until(&what, async || count(node, lamp).await == number).await;
    }
}

/// Watches the number until it is told so.
async fn is_told(presence: &mut Watching, number: i64) {
    while presence.next().await["watcherCount"] != number {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_are_counted_over_all_nodes_and_dead_nodes_are_forgotten() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let mut nodes = Nodes::start(&db, [nats.url(), nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let [a, b, c] = [0, 1, 2].map(|node| nodes.api(node));
    let seller = a.sign_up("seller", 0).await;
    let lamp = a.create_auction(&seller, json!({})).await;
    let query =
        format!("subscription {{ auctionPresence(auctionId: \"{lamp}\") {{ watcherCount }} }}");
    let mut told = Watching::begin(&b, None, "auctionPresence", &query).await;
    assert_eq!(told.next().await["watcherCount"], 0);

    let mut on_a = watch(&a, lamp, 4).await;
    let _on_b = watch(&b, lamp, 2).await;
    let on_c = watch(&c, lamp, 1).await;
    agree(&[&a, &b, &c], lamp, 7).await;
    is_told(&mut told, 7).await;
    on_a.truncate(3);
    agree(&[&a, &b, &c], lamp, 6).await;
    is_told(&mut told, 6).await;

    // One that closes in order says so; its watchers do not wait to be forgotten.
    nodes.stop(2);
    let stopped = Instant::now();
    is_told(&mut told, 5).await;
    agree(&[&a, &b], lamp, 5).await;
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    drop(on_c);

    nodes.kill(0);
    let killed = Instant::now();
    is_told(&mut told, 2).await;
    assert!(killed.elapsed() < FORGOTTEN, "{:?}", killed.elapsed());
    assert_eq!(count(&b, lamp).await, 2);
    nodes.start_again(0);
    agree(&[&nodes.api(0), &b], lamp, 2).await;
    nodes.stop_all();
    db.finish().await;
}
