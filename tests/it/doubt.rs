//! Connections to Postgres that break, at each message of a bid's transaction, and above all
//! between COMMIT and its answer; deadlocks; and two nodes on one database. However it comes,
//! the bidder is told what is true, and the bid stands once.

use std::{iter, sync::Arc, time::Duration};

use entity::ids::AuctionId;
use futures_util::future::join_all;
use neighborbid::{
    engine::{BidOutcome, Engine, LaneSettings, Session},
    store::{auctions, connection::Db, transaction, wallets},
};
use sea_orm::ConnectionTrait;
use tokio::sync::oneshot;

use crate::support::requests::bid_request;
use crate::support::{
    TestHouse,
    bidder::{self, Note, Outcome, Tally},
    books::Books,
    client::{Answer, Offer, Placed, Seen},
    database::{self, POOLS, TestDatabase, number_of},
    dice::Dice,
    house::{code, leader, money, price},
    proxy::{At, How, Proxy},
};

const LANES: LaneSettings = LaneSettings { lanes: 4, batch: 64, queue: 4_096, share: 4_096 };

/// A house that reaches its database through the proxy.
struct Shaky {
    house: TestHouse,
    proxy: Proxy,
    /// Straight to the database.
    other: Db,
    ann: Session,
    ben: Session,
    lamp: AuctionId,
}

impl Shaky {
    async fn new(database: &TestDatabase) -> Self {
        let proxy = Proxy::to(&database.url).await;
        let db = Db::open(&proxy.url, &POOLS).await.unwrap();
        let house = TestHouse::on(db, LANES).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 10_000_000).await;
        let ben = house.person("ben", None, 10_000_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        Self { house, proxy, other: database.open().await, ann, ben, lamp }
    }

    /// Waits until a transaction waits for a lock.
    async fn until_blocked(&self) {
        let blocked = "SELECT COUNT(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while number_of(&self.other.read, blocked).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many bids are recorded.
    async fn bids(&self) -> i64 {
        let count = "SELECT COUNT(*) FROM bids";
        number_of(&self.other.read, count).await.unwrap()
    }

    /// The number of a bid that was accepted, at its amount, and stands once.
    async fn stands(&self, outcome: &BidOutcome, amount: i64, who: &Session) {
        assert_eq!(code(outcome), None);
        assert_eq!((price(outcome), leader(outcome)), (amount, Some(who.user.id)));
        let bid = outcome.bid.as_ref().unwrap();
        let state = &outcome.auction.as_ref().unwrap().1;
        assert_eq!((bid.amount.minor(), bid.sequence), (amount, state.sequence));
        assert_eq!(i64::from(state.bid_count), self.bids().await);
    }

    /// Cuts the transaction of one bid there, then of the next bid a message later, and so on
    /// until one is through before its cut; says how many were cut.
    async fn cut_each(&self, at: impl Fn(usize) -> At, how: impl Fn() -> How) -> usize {
        let mut amount = 10_000;
        for n in 0.. {
            let cuts = self.proxy.cuts();
            self.proxy.cut(at(n), how());
            let who = if n % 2 == 0 { &self.ann } else { &self.ben };
            let outcome = self.house.bid(who, self.lamp, amount).await;
            self.stands(&outcome, amount, who).await;
            amount += 5_000;
            if self.proxy.cuts() == cuts {
                return n;
            }
        }
        unreachable!()
    }
}

/// Gives the test its house, and audits in the end.
async fn shaken(test: impl AsyncFnOnce(&Shaky)) {
    let database = database::postgres().await;
    let shaky = Shaky::new(&database).await;
    test(&shaky).await;
    Books::read(&database).await.check();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bid_stands_once_wherever_its_connection_is_cut() {
    shaken(async |shaky| {
        let cut = shaky.cut_each(At::Message, || How::Before).await;
        assert!(cut > 10, "a transaction has more than {cut} messages");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bid_stands_once_whichever_answer_is_lost() {
    shaken(async |shaky| {
        let cut = shaky.cut_each(At::Request, || How::After).await;
        assert!(cut > 4, "a transaction has more than {cut} requests");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_done_and_not_answered_is_found() {
    shaken(async |shaky| {
        let Shaky { house, proxy, ann, ben, lamp, .. } = shaky;
        let mut feed = house.engine.watch(*lamp, None).await.unwrap().unwrap();
        house.bid_up_to(ben, *lamp, 10_000, 30_000).await;
        proxy.cut(At::Commit, How::After);
        // Two recorded bids: ann's, and ben's automatic answer.
        let outcome = house.bid(ann, *lamp, 12_000).await;
        assert_eq!((code(&outcome), price(&outcome)), (None, 13_000));
        assert_eq!((proxy.cuts(), shaky.bids().await), (1, 3));
        assert_eq!(outcome.bid.unwrap().sequence, 3);
        for sequence in 1..=4 {
            assert_eq!(feed.next().await.unwrap().sequence(), sequence, "told once");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_never_done_is_done_again() {
    shaken(async |shaky| {
        let Shaky { house, proxy, ann, lamp, .. } = shaky;
        let mut feed = house.engine.watch(*lamp, None).await.unwrap().unwrap();
        proxy.cut(At::Commit, How::Before);
        let outcome = house.bid(ann, *lamp, 10_000).await;
        shaky.stands(&outcome, 10_000, ann).await;
        assert_eq!((proxy.cuts(), shaky.bids().await), (1, 1));
        for sequence in 1..=2 {
            assert_eq!(feed.next().await.unwrap().sequence(), sequence, "told once");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_still_on_its_way_is_waited_for() {
    for arrives in [true, false] {
        shaken(async |shaky| {
            let Shaky { house, proxy, ann, lamp, .. } = shaky;
            let (word, held) = oneshot::channel();
            proxy.cut(At::Commit, How::Late(held));
            let release = async {
                // The second attempt waits for the first one's locks: it cannot know yet.
                shaky.until_blocked().await;
                assert_eq!(shaky.bids().await, 0);
                match arrives {
                    true => word.send(()).unwrap(),
                    false => drop(word),
                }
            };
            let (outcome, ()) = tokio::join!(house.bid(ann, *lamp, 10_000), release);
            shaky.stands(&outcome, 10_000, ann).await;
            assert_eq!((proxy.cuts(), shaky.bids().await), (1, 1));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_that_records_no_bid_is_found_too() {
    shaken(async |shaky| {
        let Shaky { house, proxy, ann, lamp, .. } = shaky;
        let first = house.bid(ann, *lamp, 10_000).await.bid.unwrap();
        let mut maximum = 10_000;
        for how in [How::Before, How::After, How::After, How::Before] {
            maximum += 5_000;
            proxy.cut(At::Commit, how);
            let raised = house.bid_up_to(ann, *lamp, 10_000, maximum).await;
            assert_eq!((code(&raised), price(&raised)), (None, 10_000));
            assert_eq!(raised.bid.as_ref(), Some(&first), "it answers with the raised bid");
            assert_eq!(house.balances(ann).await.1, maximum, "held once");
        }
        assert_eq!((proxy.cuts(), shaky.bids().await), (4, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_a_doubtful_commit_counts_once() {
    shaken(async |shaky| {
        let Shaky { house, proxy, ann, ben, lamp, .. } = shaky;
        for (amount, how) in [(10_000, How::Before), (20_000, How::After)] {
            let bid = bid_request(
                ann.user.id,
                *lamp,
                money(amount),
                None,
                Some(&format!("열쇠 {amount}")),
            );
            proxy.cut(At::Commit, how);
            let first = house.engine.place_bid(bid.clone()).await.unwrap();
            house.bid(ben, *lamp, amount + 5_000).await;
            let again = house.engine.place_bid(bid).await.unwrap();
            assert_eq!((&again.bid, &again.auction), (&first.bid, &first.auction));
            assert_eq!(first.bid.unwrap().amount, money(amount));
        }
        assert_eq!((proxy.cuts(), shaky.bids().await), (2, 4));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_victim_of_a_deadlock_tries_again() {
    shaken(async |shaky| {
        let Shaky { house, other, ann, lamp, .. } = shaky;
        let rival = async {
            // Against the order: first the wallet, then the auction.
            let tx = transaction::begin(other).await.unwrap();
            tx.execute_unprepared("SET LOCAL deadlock_timeout = '1h'").await.unwrap();
            wallets::lock(&tx, [ann.user.id].into_iter(), iter::empty()).await.unwrap();
            let placing = house.bid(ann, *lamp, 10_000);
            let provoke = async {
                shaky.until_blocked().await;
                auctions::lock(&tx, &[*lamp]).await.unwrap();
                tx.rollback().await.unwrap();
            };
            tokio::join!(placing, provoke).0
        };
        let outcome = rival.await;
        shaky.stands(&outcome, 10_000, ann).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ends_are_replaced() {
    shaken(async |shaky| {
        let Shaky { house, other, ann, lamp, .. } = shaky;
        let tx = transaction::begin(other).await.unwrap();
        auctions::lock(&tx, &[*lamp]).await.unwrap();
        let end = async {
            shaky.until_blocked().await;
            let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            tx.execute_unprepared(all).await.unwrap();
            tx.rollback().await.unwrap();
        };
        let (outcome, ()) = tokio::join!(house.bid(ann, *lamp, 10_000), end);
        assert_eq!((code(&outcome), price(&outcome)), (None, 10_000));
    })
    .await;
}

/// An outcome, as a client would see it.
fn answer(outcome: &BidOutcome) -> Answer {
    let seen = outcome.auction.as_ref().map(|(_, state)| Seen {
        sequence: state.sequence,
        price: state.price.minor(),
        minimum: state.minimum_bid.minor(),
        bids: state.bid_count.into(),
        leader: state.leader.as_ref().map(|leader| leader.id),
    });
    match (&outcome.bid, &outcome.refusal) {
        (Some(bid), None) => Answer::Accepted(Placed {
            bid: bid.id,
            amount: bid.amount.minor(),
            sequence: bid.sequence,
            after: seen.unwrap(),
        }),
        (None, Some(refusal)) => Answer::Refused { code: format!("{:?}", refusal.code), seen },
        _ => panic!("neither or both: {outcome:?}"),
    }
}

/// One of many who bid on whatever is there, through whichever of the nodes.
struct Caller {
    number: u64,
    who: Session,
    nodes: Vec<Arc<Engine>>,
    auctions: Vec<AuctionId>,
}

impl Caller {
    async fn run(self, bids: usize) -> Vec<Note> {
        let mut dice = Dice::new(self.number);
        let mut notes = Vec::new();
        for n in 0..bids {
            let auction = self.auctions[dice.place(self.auctions.len())];
            let node = &self.nodes[dice.place(self.nodes.len())];
            let state = node.auction(auction).await.unwrap().unwrap().state;
            let amount = state.minimum_bid.minor() + 500 * i64::try_from(dice.roll(4)).unwrap();
            let offer = Offer {
                auction,
                amount,
                maximum: (dice.roll(2) == 0).then_some(amount + 10_000),
                key: Some(format!("{} {n}", self.number)),
            };
            // The same key at the same time, at each node.
            let placed = join_all(self.nodes.iter().map(|node| self.place(node, &offer)));
            notes.extend(placed.await);
        }
        notes
    }

    async fn place(&self, node: &Engine, offer: &Offer) -> Note {
        let bid = bid_request(
            self.who.user.id,
            offer.auction,
            money(offer.amount),
            offer.maximum.map(money),
            offer.key.as_deref(),
        );
        let outcome = node.place_bid(bid).await.expect("no answer");
        Note {
            bidder: self.who.user.id,
            offer: offer.clone(),
            outcome: Outcome::Answered(answer(&outcome)),
        }
    }
}

/// Who bids in a storm, and on what.
async fn crowd(house: &TestHouse) -> (Vec<Session>, Vec<AuctionId>) {
    let seller = house.person("owner", None, 0).await;
    let (mut people, mut auctions) = (Vec::new(), Vec::new());
    for n in 0..8 {
        people.push(house.person(&format!("p{n}"), None, 100_000).await);
    }
    for _ in 0..12 {
        auctions.push(house.list(&seller, house.a_lamp()).await);
    }
    (people, auctions)
}

/// 24 callers bid, through these houses.
async fn storm(
    database: &TestDatabase,
    houses: &[&TestHouse],
    (people, auctions): (Vec<Session>, Vec<AuctionId>),
) -> Tally {
    let callers = (0..24).zip(people.iter().cycle());
    let callers = callers.map(|(number, who)| Caller {
        number,
        who: who.clone(),
        nodes: houses.iter().map(|h| Arc::clone(&h.engine)).collect(),
        auctions: auctions.clone(),
    });
    let running: Vec<_> = callers.map(|c| tokio::spawn(c.run(12))).collect();
    let notes = join_all(running).await.into_iter();
    let notes: Vec<_> = notes.flat_map(Result::unwrap).collect();
    let books = Books::read(database).await;
    books.check();
    bidder::compare(&notes, &books)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_over_a_bad_line_loses_no_answer() {
    let database = database::postgres().await;
    let shaky = Shaky::new(&database).await;
    let crowd = crowd(&shaky.house).await;
    shaky.proxy.cut_every(Some(5));
    let tally = storm(&database, &[&shaky.house], crowd).await;
    shaky.proxy.cut_every(None);
    assert!(shaky.proxy.cuts() > 10, "{} cuts", shaky.proxy.cuts());
    assert!(tally.accepted > 50, "{tally:?}");
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_lock_in_one_order_and_lose_no_answer() {
    let database = database::postgres().await;
    let one = TestHouse::on(database.open().await, LANES).await;
    let two = TestHouse::on(database.open().await, LANES).await;
    let crowd = crowd(&one).await;
    let tally = storm(&database, &[&one, &two], crowd).await;
    assert!(tally.accepted > 50 && tally.replayed > 50, "{tally:?}");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(number_of(&one.db.read, deadlocks).await.unwrap(), 0);
    database.finish().await;
}
