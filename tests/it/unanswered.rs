//! A COMMIT whose answer is lost, in every use case that writes: done or not, the caller is told
//! what is true, it is done once, and whoever watches is told, however long the line was dead.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use entity::{enums::TransferKind, ids::AuctionId};
use neighborbid::{
    domain::order::Action,
    engine::{Credentials, LaneSettings, Session, SignIn, SignUp, UpdateAuction, WalletMove},
    live::update::UpdateKind,
    store::{auctions, connection::Db},
};
use sea_orm::ConnectionTrait;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::requests::{key_of, reason, title};
use crate::support::{
    TestDatabase, TestHouse,
    database::{self, POOLS, number_of},
    house::{code, money},
    proxy::{At, How, Proxy},
};

const LANES: LaneSettings = LaneSettings { lanes: 1, batch: 64, queue: 4_096, share: 4_096 };

/// Only against hanging.
const GUARD: Duration = Duration::from_secs(60);

/// A house that reaches its database through the proxy, with a clock that the test holds.
struct Shaky {
    house: TestHouse,
    proxy: Proxy,
    other: Db,
    seller: Session,
    ann: Session,
}

impl Shaky {
    async fn new(database: &TestDatabase) -> Self {
        let proxy = Proxy::to(&database.url).await;
        let db = Db::open(&proxy.url, &POOLS).await.unwrap();
        let house = TestHouse::held_on(db, LANES).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 10_000_000).await;
        Self { house, proxy, other: database.open().await, seller, ann }
    }

    async fn count(&self, of: &str) -> i64 {
        number_of(&self.other.read, &format!("SELECT COUNT(*) FROM {of}")).await.unwrap()
    }

    /// An auction with a bid of ann's.
    async fn lamp(&self) -> AuctionId {
        let lamp = self.house.list(&self.seller, self.house.a_lamp()).await;
        assert_eq!(code(&self.house.bid(&self.ann, lamp, 10_000).await), None);
        lamp
    }

    /// Does something with its COMMIT cut before and after the server has seen it; each time one
    /// more row is there.
    async fn cut(&self, of: &str, act: impl AsyncFn(usize)) {
        for (number, how) in (0..).zip([How::After, How::Before]) {
            let (rows, cuts) = (self.count(of).await, self.proxy.cuts());
            self.proxy.cut(At::Commit, how);
            act(number).await;
            assert_eq!(self.proxy.cuts(), cuts + 1, "nothing was cut");
            assert_eq!(self.count(of).await, rows + 1, "of {of}");
        }
    }
}

async fn shaken(test: impl AsyncFnOnce(&Shaky)) {
    let database = database::postgres().await;
    let shaky = Shaky::new(&database).await;
    test(&shaky).await;
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_money_and_listings_are_made_once() {
    shaken(async |shaky| {
        let Shaky { house, seller, ann, .. } = shaky;
        let engine = &house.engine;
        let credentials = |number: usize| Credentials {
            username: format!("guest{number}"),
            password: "correct horse".to_owned(),
        };
        let sign_up = async |number: usize| {
            let guest = SignUp { credentials: credentials(number), home_region: None };
            let (token, session) = engine.sign_up(guest).await.unwrap();
            assert_eq!(engine.session(token.reveal()).await.unwrap().unwrap().id, session.id);
        };
        shaky.cut("users", sign_up).await;
        let sign_in = async |number: usize| {
            let signed_in = engine.sign_in(credentials(number)).await.unwrap();
            let SignIn::Done(token, session) = signed_in else { panic!("{signed_in:?}") };
            assert_eq!(engine.session(token.reveal()).await.unwrap().unwrap().id, session.id);
            engine.sign_out(session.id).await.unwrap();
            assert!(engine.session(token.reveal()).await.unwrap().is_none());
            engine.sign_in(credentials(number)).await.unwrap();
        };
        shaky.cut("sessions", sign_in).await;
        let deposit = async |number: usize| {
            let before = house.balances(ann).await.0;
            let wanted = WalletMove {
                kind: TransferKind::Deposit,
                amount: money(7),
                idempotency_key: key_of(&format!("d{number}")),
                user: None,
            };
            let (_, after) = engine.move_money(ann, wanted).await.unwrap();
            assert_eq!(
                (after.available.minor(), house.balances(ann).await.0),
                (before + 7, before + 7)
            );
        };
        shaky.cut("transfers", deposit).await;
        let create = async |_: usize| {
            house.list(seller, house.a_lamp()).await;
        };
        shaky.cut("auctions", create).await;
        let ben = house.person("ben", None, 0).await;
        let block = async |number: usize| {
            let bidder = [ann, &ben][number].user.id;
            engine.set_blocked(seller.user.id, bidder, true).await.unwrap();
        };
        shaky.cut("blocked_bidders", block).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auctions_changes_are_done_once_and_told() {
    shaken(async |shaky| {
        let Shaky { house, seller, ann, .. } = shaky;
        let engine = &house.engine;
        let edited = async |_: usize| {
            let id = house.list(seller, house.a_lamp()).await;
            let mut feed = engine.watch(id, Some(1)).await.unwrap().unwrap();
            let title = Some(title("Another lamp"));
            let wanted = UpdateAuction { id, title, description: None, category: None };
            assert_eq!(engine.update_auction(seller, wanted).await.unwrap().state.sequence, 2);
            let update = timeout(GUARD, feed.next()).await.unwrap().unwrap();
            assert_eq!(update.auction.listing.title, "Another lamp");
        };
        // The listing's COMMIT is cut first, then the edit's.
        for how in [How::After, How::Before] {
            shaky.proxy.cut(At::Commit, how);
            edited(0).await;
        }
        for (number, how) in
            [How::After, How::Before, How::After, How::Before].into_iter().enumerate()
        {
            let lamp = shaky.lamp().await;
            let mut feed = engine.watch(lamp, Some(2)).await.unwrap().unwrap();
            let cuts = shaky.proxy.cuts();
            shaky.proxy.cut(At::Commit, how);
            match number < 2 {
                true => drop(engine.cancel_auction(seller, lamp, reason("broken")).await.unwrap()),
                false => drop(engine.end_auction_early(seller, lamp).await.unwrap()),
            }
            assert_eq!(shaky.proxy.cuts(), cuts + 1);
            let update = timeout(GUARD, feed.next()).await.unwrap().unwrap();
            assert_eq!((update.sequence(), update.is_final()), (3, true));
        }
        // The two that were sold.
        for how in [How::After, How::Before] {
            let lamp = shaky.lamp().await;
            engine.end_auction_early(seller, lamp).await.unwrap();
            let order = engine.order_of_auction(lamp).await.unwrap().unwrap().id;
            shaky.proxy.cut(At::Commit, how);
            engine.act_on_order(seller, order, Action::HandOver, None).await.unwrap();
            engine.act_on_order(ann, order, Action::ConfirmReceipt, None).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_is_told_though_its_commit_was_not_answered() {
    for (how, away) in [
        (How::After, Duration::from_millis(300)),
        (How::Before, Duration::from_millis(300)),
        (How::After, Duration::ZERO),
    ] {
        shaken(async |shaky| {
            let Shaky { house, proxy, .. } = shaky;
            let lamp = shaky.lamp().await;
            let mut feed = house.engine.watch(lamp, Some(2)).await.unwrap().unwrap();
            house.pass(TimeDelta::days(2));
            proxy.cut_and_stay_away(At::Commit, how, away);
            let stop = CancellationToken::new();
            tokio::spawn(Arc::clone(&house.engine).keep_endings(stop.clone()));
            let update = timeout(GUARD, feed.next()).await.unwrap().unwrap();
            assert!(update.is_final() && update.kind != UpdateKind::Snapshot);
            let fresh =
                house.engine.watch(lamp, None).await.unwrap().unwrap().next().await.unwrap();
            assert_eq!((fresh.sequence(), fresh.is_final()), (3, true));
            assert_eq!(proxy.cuts(), 1);
            stop.cancel();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bid_waits_for_a_database_that_is_away_after_its_commit_for_it_may_be_there() {
    for (how, price) in [(How::After, 12_000), (How::Before, 12_000)] {
        shaken(async |shaky| {
            let Shaky { house, proxy, .. } = shaky;
            let lamp = shaky.lamp().await;
            let ben = house.person("ben", None, 100_000).await;
            proxy.cut_and_stay_away(At::Commit, how, Duration::from_secs(5));
            let outcome = timeout(GUARD, house.bid(&ben, lamp, price)).await.unwrap();
            assert_eq!((code(&outcome), proxy.cuts()), (None, 1));
            assert_eq!(shaky.count("bids").await, 2);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_asked_again_on_another_connection_when_theirs_was_ended() {
    shaken(async |shaky| {
        let Shaky { house, other, .. } = shaky;
        let lamp = shaky.lamp().await;
        for _ in 0..5 {
            let reads = (0..8).map(|_| {
                let engine = Arc::clone(&house.engine);
                tokio::spawn(async move { engine.auctions(&[lamp]).await })
            });
            // All connections that read are open, and then ended.
            for read in reads {
                read.await.unwrap().unwrap();
            }
            let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            other.write.execute_unprepared(all).await.unwrap();
            for _ in 0..20 {
                assert_eq!(house.engine.auctions(&[lamp]).await.unwrap().len(), 1);
            }
        }
        // The bystander's own connection lives on.
        auctions::existing(&other.write, &[lamp]).await.unwrap();
    })
    .await;
}
