//! Bids that wait in one lane are judged in one transaction: each as if it had come alone, in the
//! order in which they came.
//!
//! To make a batch, a test locks what the lane's next transaction needs, lets one bid run into
//! that lock, and only then sends the others: they wait in the lane until the lock is gone.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use entity::{
    bid,
    ids::{AuctionId, BidId, UserId},
};
use futures_util::{FutureExt, future::join_all};
use neighborbid::{
    domain::refusal::Code,
    engine::{BidOutcome, Error, LaneSettings, Session},
    store::{
        auctions,
        connection::Db,
        transaction::{self, Transaction},
    },
};
use sea_orm::{ConnectionTrait, EntityTrait, Statement};

use crate::support::requests::{BidRequest, bid_request, key_of};
use crate::support::{
    TestDatabase, TestHouse,
    books::Books,
    house::{code, leader, money, price},
    on_both,
};

/// A house with one lane.
struct Bench {
    house: TestHouse,
    other: Db,
    /// What blocks the lane, and who runs into it.
    gate: AuctionId,
    first: Session,
    ann: Session,
    ben: Session,
    lamp: AuctionId,
    vase: AuctionId,
}

type Placing = Pin<Box<dyn Future<Output = Result<BidOutcome, Error>> + Send>>;

/// Polls a future once: a bid is in its lane then.
async fn poll_once(placing: &mut Placing) -> Option<Result<BidOutcome, Error>> {
    poll_fn(|cx| match placing.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn ask(bidder: &Session, auction: AuctionId, amount: i64) -> BidRequest {
    bid_request(bidder.user.id, auction, money(amount), None, None)
}

fn keyed(bid: BidRequest, key: &str) -> BidRequest {
    BidRequest { key: Some(key_of(key)), ..bid }
}

/// A lane that is blocked: what is sent now waits in it.
struct Blocked {
    lock: Transaction,
    first: Placing,
}

impl Bench {
    async fn new(db: &TestDatabase, batch: usize, queue: usize) -> Self {
        Self::with(db, LaneSettings { lanes: 1, batch, queue, share: 4_096 }).await
    }

    async fn with(db: &TestDatabase, settings: LaneSettings) -> Self {
        let house = TestHouse::on(db.open().await, settings).await;
        let seller = house.person("seller", None, 0).await;
        let first = house.person("first", None, 100_000).await;
        let ann = house.person("ann", None, 20_000).await;
        let ben = house.person("ben", None, 100_000).await;
        let gate = house.list(&seller, house.a_lamp()).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let vase = house.list(&seller, house.a_lamp()).await;
        Self { house, other: db.open().await, gate, first, ann, ben, lamp, vase }
    }

    fn place(&self, bid: BidRequest) -> Placing {
        let engine = Arc::clone(&self.house.engine);
        Box::pin(async move { engine.place_bid(bid).await })
    }

    /// Connections of the engine on which something runs.
    fn busy(&self) -> usize {
        let write = &self.house.db.write;
        match write.get_database_backend() {
            sea_orm::DbBackend::Postgres => {
                let pool = write.get_postgres_connection_pool();
                pool.size() as usize - pool.num_idle()
            }
            _ => {
                let pool = write.get_sqlite_connection_pool();
                pool.size() as usize - pool.num_idle()
            }
        }
    }

    async fn until_busy(&self, busy: usize) {
        while self.busy() != busy {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Blocks the lane by a bid of this amount that waits for a lock.
    async fn block(&self, amount: i64) -> Blocked {
        self.until_busy(0).await;
        let lock = transaction::begin(&self.other).await.unwrap();
        auctions::lock(&lock, &[self.gate]).await.unwrap();
        let mut first = self.place(ask(&self.first, self.gate, amount));
        assert!(poll_once(&mut first).await.is_none());
        // Its transaction has begun: it alone was taken out of the lane.
        self.until_busy(1).await;
        Blocked { lock, first }
    }

    /// Sends bids into the blocked lane, in this order.
    async fn send(&self, bids: impl IntoIterator<Item = BidRequest>) -> Vec<Placing> {
        let mut sent = Vec::new();
        for bid in bids {
            let mut placing = self.place(bid);
            assert!(poll_once(&mut placing).await.is_none(), "answered too soon");
            sent.push(placing);
        }
        sent
    }

    /// Has these bids judged in one batch, in this order.
    async fn judge(&self, bids: impl IntoIterator<Item = BidRequest>) -> Vec<BidOutcome> {
        let blocked = self.block(10_000).await;
        let sent = self.send(bids).await;
        assert_eq!(code(&blocked.release().await), None);
        join_all(sent).await.into_iter().map(Result::unwrap).collect()
    }

    async fn bid(&self, id: BidId) -> bid::Model {
        let found = bid::Entity::find_by_id(id).one(&self.other.read).await;
        found.unwrap().unwrap()
    }

    /// What changes when anything is written, even if it is the same as before.
    async fn print(&self) -> String {
        let backend = self.other.write.get_database_backend();
        let sql = match backend {
            sea_orm::DbBackend::Postgres => {
                "SELECT string_agg(version, ' ' ORDER BY version) AS print FROM (
                 SELECT 'a' || xmin || ctid AS version FROM auctions UNION ALL
                 SELECT 'w' || xmin || ctid FROM wallets UNION ALL
                 SELECT 'e' || xmin || ctid FROM auction_events UNION ALL
                 SELECT 'k' || xmin || ctid FROM idempotency_keys UNION ALL
                 SELECT 't' || xmin || ctid FROM transfers) AS versions"
            }
            _ => "SELECT CAST(data_version AS TEXT) AS print FROM pragma_data_version",
        };
        let statement = Statement::from_string(backend, sql);
        let row = self.other.write.query_one_raw(statement).await.unwrap();
        row.unwrap().try_get("", "print").unwrap()
    }
}

impl Blocked {
    /// Lets the lane go on; answers with what became of the bid that blocked it.
    async fn release(self) -> BidOutcome {
        self.lock.rollback().await.unwrap();
        self.first.await.unwrap()
    }
}

on_both! {
    async fn bids_that_wait_are_judged_at_once_in_the_order_they_came(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let amounts = [10_000, 11_000, 12_000, 13_000, 14_000, 15_000];
        let bidders = [&bench.ann, &bench.ben].into_iter().cycle();
        let bids = amounts.into_iter().zip(bidders);
        let outcomes = bench.judge(bids.map(|(amount, who)| ask(who, bench.lamp, amount))).await;
        let mut times = Vec::new();
        for (place, outcome) in outcomes.iter().enumerate() {
            let bid = outcome.bid.as_ref().unwrap();
            assert_eq!((bid.amount.minor(), bid.sequence), (amounts[place], 2 + place as i64));
            assert_eq!(price(outcome), amounts[place], "each is shown the auction after it");
            times.push(bench.bid(bid.id).await.placed_at);
        }
        times.dedup();
        assert_eq!(times.len(), 1, "one transaction has one time");
    }

    async fn a_batch_has_a_bound(db: &TestDatabase) {
        let bench = Bench::new(db, 4, 64).await;
        let bids = (0..10).map(|n| ask(&bench.ben, bench.lamp, 10_000 + 1_000 * n));
        let outcomes = bench.judge(bids).await;
        let mut runs: Vec<(_, usize)> = Vec::new();
        for (sequence, outcome) in (2..).zip(&outcomes) {
            let bid = outcome.bid.as_ref().unwrap();
            assert_eq!(bid.sequence, sequence);
            let at = bench.bid(bid.id).await.placed_at;
            match runs.last_mut() {
                Some((last, count)) if *last == at => *count += 1,
                _ => runs.push((at, 1)),
            }
        }
        let sizes: Vec<_> = runs.iter().map(|(_, count)| *count).collect();
        assert_eq!(sizes, [4, 4, 2]);
    }

    async fn each_bid_sees_the_money_that_those_before_it_left(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let Bench { ann, ben, lamp, vase, .. } = &bench;
        let outcomes = bench.judge([
            ask(ann, *lamp, 15_000),
            ask(ann, *vase, 10_000),
            ask(ben, *lamp, 16_000),
            ask(ann, *vase, 20_000),
            ask(ann, *lamp, 17_000),
        ]).await;
        let codes: Vec<_> = outcomes.iter().map(code).collect();
        let poor = Some(Code::InsufficientFunds);
        assert_eq!(codes, [None, poor, None, None, poor], "20,000 are there, and given back once");
        assert_eq!(bench.house.balances(ann).await, (0, 20_000));
        assert_eq!(bench.house.balances(ben).await, (84_000, 16_000));
        assert_eq!(leader(&outcomes[4]), Some(ben.user.id), "a refusal shows the auction as it is");
        assert_eq!(price(&outcomes[4]), 16_000);
    }

    async fn one_key_twice_in_a_batch_counts_once(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let Bench { ann, ben, lamp, .. } = &bench;
        let bid = || keyed(ask(ann, *lamp, 10_000), "열쇠");
        let other = keyed(ask(ann, *lamp, 12_000), "열쇠");
        let outcomes = bench.judge([bid(), bid(), ask(ben, *lamp, 11_000), bid(), other]).await;
        for again in [&outcomes[1], &outcomes[3]] {
            assert!(again.bid.is_some() && again.refusal.is_none());
            assert_eq!(again.bid, outcomes[0].bid);
            assert_eq!(again.auction, outcomes[0].auction, "as it was right after the first");
        }
        assert_eq!(code(&outcomes[2]), None);
        assert_eq!(code(&outcomes[4]), Some(Code::IdempotencyMismatch));
        let later = bench.house.engine.place_bid(bid()).await.unwrap();
        assert_eq!((&later.bid, &later.auction), (&outcomes[0].bid, &outcomes[0].auction));
        let books = Books::read(db).await;
        assert_eq!(books.log[lamp].len(), 3, "opened, ann's, ben's");
        assert_eq!(bench.house.balances(ann).await, (20_000, 0));
    }

    async fn a_key_that_was_refused_counts_later_in_the_same_batch(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let Bench { ann, ben, lamp, vase, .. } = &bench;
        let bid = || keyed(ask(ann, *vase, 15_000), "열쇠");
        let outcomes = bench.judge([
            ask(ann, *lamp, 15_000),
            bid(),
            ask(ben, *lamp, 16_000),
            bid(),
            bid(),
        ]).await;
        let codes: Vec<_> = outcomes.iter().map(code).collect();
        assert_eq!(codes, [None, Some(Code::InsufficientFunds), None, None, None]);
        assert_eq!(outcomes[3].bid, outcomes[4].bid);
    }

    async fn a_bad_bid_in_a_batch_harms_nobody(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let Bench { ann, ben, lamp, house, .. } = &bench;
        let blocked = bench.block(10_000).await;
        let nobody = BidRequest { bidder: UserId::new(), ..ask(ann, *lamp, 11_000) };
        let sent = bench.send([
            ask(ann, *lamp, 10_000),
            ask(ben, *lamp, 9_000),
            nobody,
            ask(ben, AuctionId::new(), 11_000),
            ask(ben, *lamp, 999_000),
            ask(ben, *lamp, 11_000),
        ]).await;
        blocked.release().await;
        let outcomes = join_all(sent).await;
        assert!(matches!(outcomes[2], Err(Error::Fault(_))), "{:?}", outcomes[2]);
        let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().ok().map(code)).collect();
        let refused = |code| Some(Some(code));
        assert_eq!(codes, [
            Some(None),
            refused(Code::BidTooLow),
            None,
            refused(Code::AuctionNotFound),
            refused(Code::InsufficientFunds),
            Some(None),
        ]);
        assert_eq!(house.balances(ann).await, (20_000, 0));
        assert_eq!(house.balances(ben).await, (89_000, 11_000));
        assert_eq!(Books::read(db).await.log[lamp].len(), 3);
    }

    async fn a_batch_of_refusals_writes_nothing(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let Bench { ann, ben, lamp, vase, .. } = &bench;
        let before = bench.print().await;
        let blocked = bench.block(9_000).await;
        let sent = bench.send([
            keyed(ask(ann, *lamp, 9_000), "low"),
            ask(ann, *vase, 20_001),
            ask(ben, *vase, 1),
            ask(ben, AuctionId::new(), 10_000),
        ]).await;
        assert_eq!(code(&blocked.release().await), Some(Code::BidTooLow));
        for outcome in join_all(sent).await {
            assert!(outcome.unwrap().refusal.is_some());
        }
        bench.until_busy(0).await;
        assert_eq!(bench.print().await, before);
        bench.judge([ask(ann, *lamp, 10_000)]).await;
        assert_ne!(bench.print().await, before, "it would have been seen");
    }

    async fn a_full_lane_says_so_at_once_and_recovers(db: &TestDatabase) {
        // One auction may have half of the room.
        let bench = Bench::new(db, 4, 16).await;
        let Bench { ben, lamp, .. } = &bench;
        let blocked = bench.block(10_000).await;
        let bid = |n: i64| ask(ben, *lamp, 10_000 + 1_000 * n);
        let sent = bench.send((0..8).map(bid)).await;
        for n in 8..12 {
            let refused = poll_once(&mut bench.place(bid(n))).await;
            assert!(matches!(refused, Some(Err(Error::Overloaded))), "{refused:?}");
        }
        blocked.release().await;
        for outcome in join_all(sent).await {
            assert_eq!(code(&outcome.unwrap()), None);
        }
        let after = bench.place(bid(8)).await.unwrap();
        assert_eq!((code(&after), price(&after)), (None, 18_000));
        assert_eq!(Books::read(db).await.log[lamp].len(), 10, "opened, and nine bids");
    }

    async fn a_hot_auction_does_not_starve_its_neighbours(db: &TestDatabase) {
        let bench = Bench::new(db, 4, 16).await;
        let Bench { ann, ben, lamp, vase, .. } = &bench;
        let blocked = bench.block(10_000).await;
        let crowd = bench.send((0..8).map(|n| ask(ben, *lamp, 10_000 + 1_000 * n))).await;
        let neighbour = bench.send([ask(ann, *vase, 10_000)]).await;
        blocked.release().await;
        let placed_at = async |bids: Vec<Placing>| {
            let outcomes = join_all(bids).await.into_iter().map(|o| o.unwrap().bid.unwrap());
            outcomes.map(|bid| bid.placed_at).collect::<Vec<_>>()
        };
        // Bids of one batch have one time.
        let (crowd, neighbour) = (placed_at(crowd).await, placed_at(neighbour).await);
        assert_eq!(neighbour[0], crowd[0], "it came last, and is judged in the next batch");
        assert_eq!(crowd.iter().filter(|at| **at == crowd[0]).count(), 3, "with three others");
    }

    async fn a_bidder_has_a_share_of_the_room(db: &TestDatabase) {
        let settings = LaneSettings { lanes: 1, batch: 64, queue: 64, share: 8 };
        let bench = Bench::with(db, settings).await;
        let Bench { ann, ben, lamp, vase, .. } = &bench;
        let blocked = bench.block(10_000).await;
        let flood = bench.send((0..8).map(|n| ask(ben, *lamp, 10_000 + 1_000 * n))).await;
        for auction in [*lamp, *vase] {
            let refused = bench.place(ask(ben, auction, 30_000)).await;
            assert!(matches!(refused, Err(Error::Overloaded)), "{refused:?}");
        }
        let other = bench.send([ask(ann, *lamp, 18_000)]).await;
        blocked.release().await;
        let flood: Vec<_> = join_all(flood).await.into_iter().map(|o| code(&o.unwrap())).collect();
        let [other] = join_all(other).await.try_into().unwrap();
        assert_eq!(code(&other.unwrap()), None, "it came last");
        // Two stood in line before it, the rest behind.
        assert_eq!(flood[..2], [None; 2]);
        assert_eq!(flood[2..], [Some(Code::BidTooLow); 6]);
        let after = bench.place(ask(ben, *vase, 10_000)).await.unwrap();
        assert_eq!(code(&after), None, "there is room again");
    }

    async fn a_caller_that_goes_away_cancels_nothing(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let Bench { ann, ben, lamp, .. } = &bench;
        let blocked = bench.block(10_000).await;
        let mut sent = bench.send([
            keyed(ask(ann, *lamp, 10_000), "열쇠"),
            ask(ben, *lamp, 11_000),
            ask(ann, *lamp, 12_000),
        ]).await;
        let last = sent.pop().unwrap();
        drop(sent);
        blocked.release().await;
        let last = last.await.unwrap();
        assert_eq!((code(&last), last.bid.unwrap().sequence), (None, 4));
        let again = bench.place(keyed(ask(ann, *lamp, 10_000), "열쇠")).await.unwrap();
        assert_eq!(again.bid.unwrap().sequence, 2);
        assert_eq!(bench.house.balances(ben).await, (100_000, 0));
    }

    async fn a_lane_that_is_drained_answers_everybody(db: &TestDatabase) {
        let bench = Bench::new(db, 4, 64).await;
        let Bench { ben, lamp, house, .. } = &bench;
        let blocked = bench.block(10_000).await;
        let sent = bench.send((0..10).map(|n| ask(ben, *lamp, 10_000 + 1_000 * n))).await;
        let mut drained = Box::pin(house.engine.drain());
        assert!(drained.as_mut().now_or_never().is_none(), "bids wait");
        let late = poll_once(&mut bench.place(ask(ben, *lamp, 30_000))).await;
        assert!(matches!(late, Some(Err(Error::Overloaded))), "{late:?}");
        blocked.lock.rollback().await.unwrap();
        drained.await;
        let first = blocked.first.now_or_never().expect("answered by now").unwrap();
        assert_eq!(code(&first), None);
        for (sequence, placing) in (2..).zip(sent) {
            let outcome = placing.now_or_never().expect("answered by now").unwrap();
            assert_eq!(outcome.bid.unwrap().sequence, sequence);
        }
    }

    async fn a_commit_that_fails_is_told_to_nobody(db: &TestDatabase) {
        let bench = Bench::new(db, 64, 64).await;
        let Bench { ann, ben, lamp, house, other, .. } = &bench;
        let mut feed = house.engine.watch(*lamp, None).await.unwrap().unwrap();
        assert_eq!(feed.next().await.unwrap().sequence(), 1);
        // Every statement of the transaction is fine; only its COMMIT is not.
        let (spoil, mend) = match db.is_postgres() {
            true => (
                "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN RAISE EXCEPTION 'spoilt'; END $$;
                 CREATE CONSTRAINT TRIGGER spoil AFTER INSERT ON auction_events
                   DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spoil()",
                "DROP TRIGGER spoil ON auction_events; DROP FUNCTION spoil()",
            ),
            false => (
                "CREATE TABLE good (id INTEGER PRIMARY KEY);
                 CREATE TABLE spoilt (id REFERENCES good (id) DEFERRABLE INITIALLY DEFERRED);
                 CREATE TRIGGER spoil AFTER INSERT ON auction_events
                   BEGIN INSERT INTO spoilt VALUES (1); END",
                "DROP TRIGGER spoil; DROP TABLE spoilt; DROP TABLE good",
            ),
        };
        other.write.execute_unprepared(spoil).await.unwrap();
        let failed = bench.place(keyed(ask(ann, *lamp, 10_000), "열쇠")).await;
        assert!(matches!(failed, Err(Error::Fault(_) | Error::Database(_))), "{failed:?}");
        assert!(feed.next().now_or_never().is_none(), "told before it was committed");
        assert_eq!(house.balances(ann).await, (20_000, 0));
        other.write.execute_unprepared(mend).await.unwrap();
        let outcome = bench.place(keyed(ask(ann, *lamp, 10_000), "열쇠")).await.unwrap();
        assert_eq!(outcome.bid.unwrap().sequence, 2);
        bench.place(ask(ben, *lamp, 11_000)).await.unwrap();
        let told = [feed.next().await.unwrap(), feed.next().await.unwrap()];
        assert_eq!(told.map(|update| (update.sequence(), update.auction.state.price.minor())),
            [(2, 10_000), (3, 11_000)]);
    }
}
