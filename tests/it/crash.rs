//! The real program, killed with SIGKILL in the middle of a storm and started again on the same
//! database: what was acknowledged is there, once, and nobody who watches misses anything.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::support::{
    TestDatabase,
    bidder::{self, Bidder, Board, Note, UNIT},
    books::Books,
    client::{Answer, Api, Lost, Offer},
    dice::Dice,
    on_both, served,
    watcher::{self, Watcher, Where},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_neighborbid");

/// `neighborbid serve`; killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    async fn start(database: &TestDatabase) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .args(served::flags(database))
            .args(["--log-format", "json", "--log", "info"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || {
            let mut lines = log.lines().map_while(Result::ok);
            let address = lines.find_map(|line| address_of(&line));
            let _ = tell.send(address);
            // Read to its end, so that the program never waits for a reader.
            lines.for_each(drop);
        });
        let told = tokio::time::timeout(Duration::from_secs(120), told).await;
        let address = told.expect("it does not start").unwrap();
        Self { child, address: address.expect("it ended at once") }
    }

    /// SIGKILL; returns when the process is gone.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it serves, if the line of its log says so.
fn address_of(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = &line["fields"];
    (fields["message"] == "serving").then(|| fields["address"].as_str().unwrap().parse().unwrap())
}

/// `neighborbid audit` finds nothing wrong.
fn audit(database: &TestDatabase) {
    let audit =
        Command::new(PROGRAM).args(["audit", "--database-url", &database.url]).output().unwrap();
    let found = String::from_utf8_lossy(&audit.stdout);
    assert!(audit.status.success() && found.contains("ok "), "{found}");
}

/// Bids until the storm is over, whether the house is there or not.
async fn bid_on(
    mut bidder: Bidder,
    mut house: Where,
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) -> Vec<Note> {
    while !is_over.load(Ordering::Relaxed) {
        match bidder.turn().await {
            Ok(()) => {
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(Lost::Broken(_)) => bidder.moved(watcher::moved(&mut house).await),
            Err(Lost::Errors(errors)) => panic!("{errors:?}"),
        }
    }
    bidder.repeat_all().await.unwrap();
    bidder.notes
}

async fn until(answered: &AtomicUsize, enough: usize) {
    while answered.load(Ordering::Relaxed) < enough {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

on_both! {
    async fn what_was_acknowledged_survives_kill_9(db: &TestDatabase) {
        let mut server = Server::start(db).await;
        let mut api = Api::new(server.address);
        let seller = api.sign_up("seller", 0).await;
        let ann = api.sign_up("ann", 1_000_000).await;
        let lamp = api.create_auction(&seller, json!({})).await;
        for (number, amount) in (1..).zip([10_000, 20_000, 30_000, 40_000]) {
            let key = Some(format!("{number}"));
            let offer = Offer { auction: lamp, amount, maximum: None, key };
            let first = api.place_bid(&ann, &offer).await.unwrap();
            server.kill();
            audit(db);
            server = Server::start(db).await;
            api = Api::new(server.address);
            assert_eq!(api.place_bid(&ann, &offer).await.unwrap(), first);
            let Answer::Accepted(placed) = first else { panic!("{first:?}") };
            assert_eq!((placed.amount, placed.after.bids), (amount, number));
        }
        server.kill();
        let books = Books::read(db).await;
        books.check();
        assert_eq!(books.bids.len(), 4);
    }

    async fn a_storm_goes_on_where_kill_9_cut_it(db: &TestDatabase) {
        let mut server = Server::start(db).await;
        let api = Api::new(server.address);
        let seller = api.sign_up("seller", 0).await;
        let names: Vec<_> = (0..8).map(|n| format!("person{n}")).collect();
        let people = join_all(names.iter().map(|name| api.sign_up(name, 150_000))).await;
        let unit = json!({ "bidUnit": UNIT.to_string() });
        let auctions = (0..6).map(|_| api.create_auction(&seller, unit.clone()));
        let board = Board::new(join_all(auctions).await, 150_000);

        let (moves, house) = watch::channel(server.address);
        let (end, ends) = watch::channel(HashMap::new());
        let watchers: Vec<_> = (1_000..).zip(board.auctions.iter().cycle().take(18)).collect();
        let watchers: Vec<_> = watchers
            .into_iter()
            .map(|(seed, (auction, _))| Watcher {
                house: house.clone(),
                auction: *auction,
                is_restless: seed % 3 == 0,
                dice: Dice::new(seed),
                ends: ends.clone(),
            })
            .map(Watcher::start)
            .collect();
        let (answered, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let bidders: Vec<_> = (0..24)
            .zip(people.iter().cycle())
            .map(|(n, person)| Bidder::new(n, person, &api, &board).with_keys_only())
            .map(|b| tokio::spawn(bid_on(b, house.clone(), answered.clone(), is_over.clone())))
            .collect();

        for _ in 0..4 {
            until(&answered, answered.load(Ordering::Relaxed) + 100).await;
            server.kill();
            audit(db);
            server = Server::start(db).await;
            moves.send(server.address).unwrap();
        }
        until(&answered, answered.load(Ordering::Relaxed) + 100).await;
        is_over.store(true, Ordering::Relaxed);
        let notes = join_all(bidders).await.into_iter().flat_map(Result::unwrap);
        let notes: Vec<_> = notes.collect();

        let books = Books::read(db).await;
        books.check();
        end.send(books.log.keys().map(|id| (*id, books.newest(*id))).collect()).unwrap();
        for watching in watchers {
            watching.await.unwrap().check(&books);
        }
        let tally = bidder::compare(&notes, &books);
        assert!(tally.accepted > 0 && tally.replayed > 0 && tally.lost > 0, "{tally:?}");
        assert_eq!(tally.refused.get("IDEMPOTENCY_MISMATCH"), None, "{tally:?}");
        server.kill();
        audit(db);
    }
}
