//! A storm of bids in rough times: on nodes that turn people away for a while, and say so.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    api::Client,
    bidder::{Bidder, Board, Note, UNIT},
    binary::Server,
    client::{Api, Lost},
};

/// What a storm has seen so far.
#[derive(Debug, Default)]
struct Seen {
    /// By node.
    answered: Vec<AtomicUsize>,
    overloaded: AtomicUsize,
    is_over: AtomicBool,
    /// When each node answered last, and its longest silence.
    silences: Vec<Mutex<(Instant, Duration)>>,
}

impl Seen {
    fn answered(&self, node: usize) {
        self.answered[node].fetch_add(1, Ordering::Relaxed);
        let mut silence = self.silences[node].lock().unwrap();
        let last = std::mem::replace(&mut silence.0, Instant::now());
        silence.1 = silence.1.max(last.elapsed());
    }
}

/// Sixteen bidders, each with a key a bid, who come again when they are turned away.
#[derive(Debug)]
pub struct Storm {
    pub api: Api,
    seen: Arc<Seen>,
    bidders: Vec<JoinHandle<Vec<Note>>>,
}

impl Storm {
    /// Begins, each bidder on one of the nodes.
    pub async fn begin(nodes: &[SocketAddr]) -> Self {
        let api = Api::new(nodes[0]);
        let seller = api.sign_up("seller", 0).await;
        let names: Vec<_> = (0..8).map(|n| format!("person{n}")).collect();
        let people = join_all(names.iter().map(|name| api.sign_up(name, 1_500_000))).await;
        let unit = json!({ "bidUnit": UNIT.to_string() });
        let auctions = (0..4).map(|_| api.create_auction(&seller, unit.clone()));
        let board = Board::new(join_all(auctions).await, 1_500_000);
        let answered = nodes.iter().map(|_| AtomicUsize::new(0)).collect();
        let silences = nodes.iter().map(|_| Mutex::new((Instant::now(), Duration::ZERO))).collect();
        let seen = Arc::new(Seen { answered, silences, ..Seen::default() });
        let apis: Vec<_> = nodes.iter().map(|node| Api::new(*node)).collect();
        let bidders = (0..16)
            .zip(people.iter().cycle())
            .map(|(n, person)| {
                let node = n % nodes.len();
                let bidder = Bidder::new(n as u64, person, &apis[node], &board).with_keys_only();
                tokio::spawn(bid_on(bidder, node, Arc::clone(&seen)))
            })
            .collect();
        Self { api, seen, bidders }
    }

    /// Waits until so many more were answered, and so many turned away.
    pub async fn more(&self, answered: usize, overloaded: usize) {
        self.until(|| self.seen.answered.iter().map(now).sum(), answered, overloaded).await;
    }

    /// Waits until so many more were answered by one node.
    pub async fn more_of(&self, node: usize, answered: usize) {
        self.until(|| now(&self.seen.answered[node]), answered, 0).await;
    }

    async fn until(&self, count: impl Fn() -> usize, answered: usize, overloaded: usize) {
        let (first, second) = (count() + answered, now(&self.seen.overloaded) + overloaded);
        for _ in 0..60_000 {
            if count() >= first && now(&self.seen.overloaded) >= second {
                return;
            }
            assert!(!self.bidders.iter().any(JoinHandle::is_finished), "a bidder gave up");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{:?}", self.seen);
    }

    /// The longest time in which a node answered nobody.
    pub fn longest_silence(&self, node: usize) -> Duration {
        self.seen.silences[node].lock().unwrap().1
    }

    /// How many were turned away.
    pub fn turned_away(&self) -> usize {
        now(&self.seen.overloaded)
    }

    /// Ends it; each bid is sent once more first.
    pub async fn end(self) -> Vec<Note> {
        self.seen.is_over.store(true, Ordering::Relaxed);
        join_all(self.bidders).await.into_iter().flat_map(Result::unwrap).collect()
    }
}

fn now(count: &AtomicUsize) -> usize {
    count.load(Ordering::Relaxed)
}

async fn bid_on(mut bidder: Bidder, node: usize, seen: Arc<Seen>) -> Vec<Note> {
    while !seen.is_over.load(Ordering::Relaxed) {
        match bidder.turn().await {
            Ok(()) => {
                seen.answered(node);
                continue;
            }
            Err(Lost::Errors(codes)) => assert_eq!(codes, ["\"OVERLOADED\""]),
            Err(Lost::Broken(why)) => assert!(why.contains("Try again later"), "{why}"),
        }
        // As a client would: later.
        tokio::time::sleep(Duration::from_millis(50)).await;
        seen.overloaded.fetch_add(1, Ordering::Relaxed);
    }
    for _ in 0..200 {
        match bidder.repeat_all().await {
            Ok(()) => return bidder.notes,
            Err(Lost::Errors(codes)) => assert_eq!(codes, ["\"OVERLOADED\""]),
            Err(Lost::Broken(why)) => assert!(why.contains("Try again later"), "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a bidder is turned away for ever")
}

/// Waits until operators are told this status; answers with the words.
pub async fn until_readyz(server: &Server, status: u16) -> String {
    let operator = Client::of(&server.admin);
    for _ in 0..1_200 {
        let (is, text) = operator.get("/readyz").await.unwrap();
        if is == status {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("/readyz never says {status}");
}
