//! Several nodes of one house: real processes on one Postgres, with a real NATS between them that
//! dies, stalls, lies and comes back. Whichever node somebody is on, they see what is in the log.

mod cluster;
mod forging;
mod presence;
mod returning;
mod roamer;
mod signing_in;
mod signing_out;
mod storm;
mod without_bus;

use std::{collections::HashSet, time::Duration};

use entity::ids::AuctionId;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use crate::support::{
    client::{Answer, Api, Offer, Person, Socket},
    database,
    nats::Nats,
};
use cluster::Nodes;

/// Against hanging alone.
const HANGS: Duration = Duration::from_secs(60);

/// How often the bids of a scene are far more than one sweep of the log could explain.
const ROUNDS: u32 = 10;

/// A subscription that runs on a socket of its own.
struct Watching {
    socket: Socket,
    id: String,
    field: &'static str,
}

impl Watching {
    async fn begin(node: &Api, who: Option<&Person>, field: &'static str, query: &str) -> Self {
        let token = who.map(|person| person.token.as_str());
        let mut socket = Socket::open(node.address, token).await.unwrap();
        let id = socket.begin(query, json!({})).await.unwrap();
        Self { socket, id, field }
    }

    async fn next(&mut self) -> Value {
        let next = timeout(HANGS, self.socket.next(&self.id)).await;
        let next = next.expect("nothing comes").unwrap();
        next.expect("the stream ended")[self.field].take()
    }
}

/// Ann and Ben bid in turns through the first node. The auction, a list and Ann's own affairs
/// are watched through the second.
struct Scene {
    api: Api,
    people: Vec<Person>,
    lamp: AuctionId,
    price: i64,
    turn: usize,
    auction: Watching,
    list: Watching,
    own: Watching,
    /// The notifications that Ann was shown.
    notes: HashSet<String>,
}

impl Scene {
    async fn set(nodes: &Nodes) -> Self {
        let mut scene = Self::set_unheard(nodes).await;
        scene.is_heard().await;
        scene
    }

    async fn set_unheard(nodes: &Nodes) -> Self {
        let (api, other) = (nodes.api(0), nodes.api(1));
        let seller = api.sign_up("seller", 0).await;
        let people = join_all(["ann", "ben"].map(|name| api.sign_up(name, 10_000_000))).await;
        let lamp = api.create_auction(&seller, json!({ "bidUnit": "1000" })).await;
        let query = format!(
            "subscription {{ auctionUpdated(auctionId: \"{lamp}\") {{ sequence kind \
             auction {{ currentPrice }} }} }}"
        );
        let mut auction = Watching::begin(&other, None, "auctionUpdated", &query).await;
        assert_eq!(auction.next().await["kind"], "SNAPSHOT");
        let query = "subscription { viewerUpdated { wallet { locked } notification { id kind } } }";
        let mut own = Watching::begin(&other, Some(&people[0]), "viewerUpdated", query).await;
        assert_eq!(own.next().await["wallet"]["locked"], "0");
        let query = "subscription { auctionsUpdated { sequence auction { id } } }";
        let list = Watching::begin(&other, None, "auctionsUpdated", query).await;
        let notes = HashSet::new();
        Self { api, people, lamp, price: 10_000, turn: 0, auction, list, own, notes }
    }

    /// Bids until the list tells: that it listens is told to nobody.
    async fn is_heard(&mut self) {
        for _ in 0..20 {
            let sequence = self.bid().await;
            assert_eq!(self.auction.next().await["sequence"], sequence);
            let told = timeout(Duration::from_secs(3), self.list_tells(sequence)).await.is_ok();
            // Ann's turn comes next.
            if told && self.turn == 0 {
                return;
            }
        }
        panic!("the list is silent");
    }

    /// The next bid, whoever's turn it is; its sequence.
    async fn bid(&mut self) -> i64 {
        self.price += 1_000;
        let offer = Offer { auction: self.lamp, amount: self.price, maximum: None, key: None };
        let answer = self.api.place_bid(&self.people[self.turn], &offer).await.unwrap();
        self.turn = 1 - self.turn;
        match answer {
            Answer::Accepted(placed) => placed.sequence,
            refused @ Answer::Refused { .. } => panic!("{refused:?}"),
        }
    }

    /// A bid of each; all is seen at most so long after the reply.
    async fn round(&mut self, within: Duration) {
        for _ in 0..2 {
            let sequence = self.bid().await;
            let replied = Instant::now();
            let by = replied + within;
            let seen = timeout_at(by, self.auction.next()).await.expect("nothing on the auction");
            let price = self.price.to_string();
            let due = json!({ "sequence": sequence, "kind": "BID_PLACED",
                "auction": { "currentPrice": price } });
            assert_eq!(seen, due);
            let told = timeout_at(by, self.list_tells(sequence));
            told.await.expect("nothing on the list");
            let told = timeout_at(by, self.ann_is_told());
            told.await.expect("nothing of one's own");
        }
    }

    async fn list_tells(&mut self, sequence: i64) {
        let mut last = 0;
        while last < sequence {
            let update = self.list.next().await;
            assert_eq!(update["auction"]["id"], self.lamp.to_string());
            let next = update["sequence"].as_i64().unwrap();
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        assert_eq!(last, sequence);
    }

    /// That she leads, after her own bid; that she was outbid and has her money, after Ben's.
    async fn ann_is_told(&mut self) {
        let leads = self.turn == 1;
        let due = if leads { self.price.to_string() } else { "0".to_owned() };
        let (mut has_wallet, mut has_note) = (false, leads);
        while !(has_wallet && has_note) {
            let update = self.own.next().await;
            if let Some(locked) = update["wallet"]["locked"].as_str() {
                has_wallet = locked == due;
            }
            let note = &update["notification"];
            if let Some(id) = note["id"].as_str() {
                assert_eq!(note["kind"], "OUTBID");
                assert!(self.notes.insert(id.to_owned()), "told twice: {id}");
                has_note = true;
            }
        }
    }

    /// Everything comes far sooner and more often than the log is read unasked.
    async fn by_the_bus(&mut self, nodes: &Nodes) {
        let swept = async || nodes.number(1, "neighborbid_swept_events_total").await;
        let (before, began) = (swept().await, Instant::now());
        for _ in 0..ROUNDS {
            self.round(HANGS).await;
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(ROUNDS.into()), "{took:?}");
        let by_sweeps = swept().await - before;
        assert!(by_sweeps <= 2.0, "{by_sweeps} events came by the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_on_one_node_is_seen_at_once_on_another() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let nodes = Nodes::start(&db, [nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let mut scene = Scene::set(&nodes).await;
    scene.by_the_bus(&nodes).await;
    nodes.stop_all();
    db.finish().await;
}
