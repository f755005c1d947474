//! Callers that go away at every await of every use case that writes: what they asked for happens
//! as a whole and is told, or does not happen at all; and no connection is left in a transaction.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use chrono::TimeDelta;
use entity::{
    enums::TransferKind,
    ids::{AuctionId, NotificationId, OrderId},
    notification,
};
use futures_util::FutureExt;
use neighborbid::{
    domain::order::Action,
    engine::{Credentials, Engine, Page, Session, SignIn, SignUp, UpdateAuction, WalletMove},
    live::{feed::Feed, people::OwnFeed},
    store::transaction,
};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};

use crate::support::requests::{BidRequest, bid_request, key_of, reason, title};
use crate::support::{TestDatabase, TestHouse, database::number_of, house::money, on_both};

type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Drops a future right after its n-th poll; says whether it was done by then.
async fn dropped_after(polls: usize, mut act: Act) -> bool {
    let mut polled = 0;
    poll_fn(move |cx| {
        polled += 1;
        match act.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if polled >= polls => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A house with one thing of everything, and those who watch it.
struct Scene {
    house: TestHouse,
    seller: Session,
    ann: Session,
    ben: Session,
    admin: Session,
    number: usize,
}

/// What a use case is tried on.
struct Stage {
    auction: AuctionId,
    order: Option<OrderId>,
    note: Option<NotificationId>,
    session: Option<Session>,
    number: usize,
}

/// What there is of everything that is told, and of what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    events: i64,
    of_people: i64,
    others: i64,
}

impl Scene {
    async fn open(database: &TestDatabase) -> Self {
        let house = TestHouse::open(database).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 50_000_000).await;
        let ben = house.person("ben", None, 50_000_000).await;
        let admin = house.admin("admin").await;
        Self { house, seller, ann, ben, admin, number: 0 }
    }

    /// An auction with a bid, sold or not, and what follows.
    async fn stage(&mut self, is_sold: bool, done: &[Action], has_bid: bool) -> Stage {
        let house = &self.house;
        self.number += 1;
        let wanted = neighborbid::engine::CreateAuction {
            buy_now_price: Some(money(500_000)),
            ..house.a_lamp()
        };
        let auction = house.list(&self.seller, wanted).await;
        if has_bid {
            house.bid(&self.ben, auction, 10_000).await;
        }
        let mut order = None;
        if is_sold {
            house.engine.end_auction_early(&self.seller, auction).await.unwrap();
            order = house.engine.order_of_auction(auction).await.unwrap().map(|order| order.id);
        }
        for action in done {
            let who = if *action == Action::HandOver { &self.seller } else { &self.ben };
            let words = (*action == Action::Dispute).then(|| reason("broken"));
            house.engine.act_on_order(who, order.unwrap(), *action, words).await.unwrap();
        }
        let page = Page { after: None, before: None, size: 1, backwards: false };
        let notes = house.engine.notifications_of(self.ben.user.id, true, &page).await.unwrap();
        let note = notes.first().map(|note| note.id);
        Stage { auction, order, note, session: None, number: self.number }
    }

    async fn count(&self) -> Counted {
        let db = &self.house.db.read;
        let count = async |sql: &str| number_of(db, sql).await.unwrap();
        Counted {
            events: count("SELECT COUNT(*) FROM auction_events").await,
            of_people: count(
                "SELECT (SELECT COUNT(*) FROM transfers) + (SELECT COUNT(*) FROM notifications)",
            )
            .await,
            others: count(
                "SELECT (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM sessions)
                    + (SELECT COUNT(*) FROM blocked_bidders)
                    + (SELECT COUNT(*) FROM notifications WHERE is_read)",
            )
            .await,
        }
    }

    /// Waits until nothing writes any more.
    async fn until_idle(&self) {
        let mut idle = 0;
        while idle < 5 {
            idle = if self.busy() == 0 { idle + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until something writes.
    async fn until_busy(&self) {
        while self.busy() == 0 {
            tokio::task::yield_now().await;
        }
    }

    fn busy(&self) -> usize {
        let write = &self.house.db.write;
        match self.house.db.backend() {
            DbBackend::Postgres => {
                let pool = write.get_postgres_connection_pool();
                pool.size() as usize - pool.num_idle()
            }
            _ => {
                let pool = write.get_sqlite_connection_pool();
                pool.size() as usize - pool.num_idle()
            }
        }
    }

    /// Every connection is out of every transaction.
    async fn is_clean(&self) {
        if self.house.db.backend() == DbBackend::Postgres {
            let left = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
                AND state LIKE 'idle in transaction%'";
            assert_eq!(number_of(&self.house.db.read, left).await.unwrap(), 0);
        }
        for _ in 0..4 {
            let tx = transaction::begin(&self.house.db).await.unwrap();
            tx.rollback().await.unwrap();
        }
    }

    /// Hangs up at every await of a use case, each time on a stage of its own; and then while it
    /// writes, until that was seen to change nothing.
    async fn hang_up(
        &mut self,
        name: &str,
        stage: impl AsyncFn(&mut Self) -> Stage,
        act: impl Fn(&Self, &Stage) -> Act,
    ) {
        self.hang_up_at_awaits(name, &stage, &act).await;
        for _ in 0..100 {
            let Gone { is_done, is_committed } = self.hang_up_once(name, &stage, &act, None).await;
            if is_committed && !is_done {
                return;
            }
        }
        panic!("{name} was never left while it wrote");
    }

    async fn hang_up_at_awaits(
        &mut self,
        name: &str,
        stage: impl AsyncFn(&mut Self) -> Stage,
        act: impl Fn(&Self, &Stage) -> Act,
    ) {
        let mut polls = 1;
        while !self.hang_up_once(name, &stage, &act, Some(polls)).await.is_done {
            polls += 1;
            assert!(polls < 200, "{name} is never done");
        }
    }

    async fn hang_up_once(
        &mut self,
        name: &str,
        stage: impl AsyncFn(&mut Self) -> Stage,
        act: impl Fn(&Self, &Stage) -> Act,
        polls: Option<usize>,
    ) -> Gone {
        let on = stage(self).await;
        let engine = Arc::clone(&self.house.engine);
        let newest = engine.auction(on.auction).await.unwrap().unwrap().state.sequence;
        let mut room = engine.watch(on.auction, Some(newest)).await.unwrap().unwrap();
        let mut people = Vec::new();
        for who in [&self.seller, &self.ann, &self.ben] {
            let mut feed = engine.watch_own(who.user.id).await.unwrap();
            // First of all it tells that the wallet may have changed.
            assert!(feed.next().await.is_some());
            people.push(feed);
        }
        self.until_idle().await;
        let before = self.count().await;
        let act = act(self, &on);
        let is_done = match polls {
            Some(polls) => dropped_after(polls, act).await,
            None => tokio::select! {
                biased;
                () = act => true,
                () = self.until_busy() => false,
            },
        };
        self.until_idle().await;
        let after = self.count().await;
        let is_committed = before != after;
        assert!(is_committed || !is_done, "{name} changed nothing");
        // A new auction is nobody's room yet.
        if name != "create" {
            let told = drain(&mut room);
            assert_eq!(told, after.events - before.events, "{name}, in the room: {polls:?}");
        }
        let told: usize = people.iter_mut().map(drain_own).sum();
        let of_people = after.of_people - before.of_people;
        assert_eq!(told > 0, of_people > 0, "{name}, to people: {polls:?}");
        self.is_clean().await;
        Gone { is_done, is_committed }
    }
}

/// What became of a use case whose caller went away.
struct Gone {
    /// The caller had its answer.
    is_done: bool,
    is_committed: bool,
}

fn drain(feed: &mut Feed) -> i64 {
    let mut told = 0;
    while let Some(Some(_)) = feed.next().now_or_never() {
        told += 1;
    }
    told
}

fn drain_own(feed: &mut OwnFeed) -> usize {
    let mut told = 0;
    while let Some(Some(_)) = feed.next().now_or_never() {
        told += 1;
    }
    told
}

/// A use case as its caller has it.
fn acted<F>(scene: &Scene, act: impl FnOnce(Arc<Engine>) -> F) -> Act
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::pin(act(Arc::clone(&scene.house.engine)))
}

fn ordered(action: Action, who: fn(&Scene) -> &Session) -> impl Fn(&Scene, &Stage) -> Act {
    move |scene, stage| {
        let (who, order) = (who(scene).clone(), stage.order.unwrap());
        acted(scene, async move |engine| {
            let words = (action != Action::HandOver).then(|| reason("because"));
            engine.act_on_order(&who, order, action, words).await.unwrap();
        })
    }
}

on_both! {
    async fn whoever_hangs_up_on_a_bid_or_a_purchase_changes_nothing(db: &TestDatabase) {
        let mut scene = Scene::open(db).await;
        let fresh = async |scene: &mut Scene| scene.stage(false, &[], true).await;
        scene.hang_up("bid", fresh, |scene, stage| {
            let (bidder, key) = (scene.ann.user.id, stage.number.to_string());
            let bid = bid_request(bidder, stage.auction, money(20_000), None, Some(&key));
            acted(scene, async move |engine| drop(engine.place_bid(bid).await.unwrap()))
        }).await;
        scene.hang_up("buy now", fresh, |scene, stage| {
            let purchase = BidRequest::buy_now(scene.ann.user.id, stage.auction);
            acted(scene, async move |engine| drop(engine.place_bid(purchase).await.unwrap()))
        }).await;
    }

    async fn whoever_hangs_up_on_a_listing_changes_nothing(db: &TestDatabase) {
        let mut scene = Scene::open(db).await;
        let fresh = async |scene: &mut Scene| scene.stage(false, &[], false).await;
        let bid_on = async |scene: &mut Scene| scene.stage(false, &[], true).await;
        scene.hang_up("create", fresh, |scene, _| {
            let (seller, wanted) = (scene.seller.clone(), scene.house.a_lamp());
            acted(scene, async move |engine| {
                engine.create_auction(&seller, wanted).await.unwrap();
            })
        }).await;
        scene.hang_up("update", fresh, |scene, stage| {
            let (seller, id) = (scene.seller.clone(), stage.auction);
            let title = Some(title("Another lamp"));
            let wanted = UpdateAuction { id, title, description: None, category: None };
            acted(scene, async move |engine| {
                engine.update_auction(&seller, wanted).await.unwrap();
            })
        }).await;
        scene.hang_up("cancel", bid_on, |scene, stage| {
            let (seller, id) = (scene.seller.clone(), stage.auction);
            acted(scene, async move |engine| {
                engine.cancel_auction(&seller, id, reason("broken")).await.unwrap();
            })
        }).await;
        scene.hang_up("end early", bid_on, |scene, stage| {
            let (seller, id) = (scene.seller.clone(), stage.auction);
            acted(scene, async move |engine| {
                engine.end_auction_early(&seller, id).await.unwrap();
            })
        }).await;
    }

    async fn whoever_hangs_up_on_an_order_changes_nothing(db: &TestDatabase) {
        use Action::{Cancel, ConfirmReceipt, Dispute, HandOver, PaySeller, RefundBuyer};
        let mut scene = Scene::open(db).await;
        let sold = async |scene: &mut Scene| scene.stage(true, &[], true).await;
        scene.hang_up("hand over", sold, ordered(HandOver, |scene| &scene.seller)).await;
        scene.hang_up("dispute", sold, ordered(Dispute, |scene| &scene.ben)).await;
        let handed_over = async |scene: &mut Scene| scene.stage(true, &[HandOver], true).await;
        let confirm = ordered(ConfirmReceipt, |scene| &scene.ben);
        scene.hang_up("confirm", handed_over, confirm).await;
        let disputed = async |scene: &mut Scene| scene.stage(true, &[Dispute], true).await;
        scene.hang_up("pay", disputed, ordered(PaySeller, |scene| &scene.admin)).await;
        scene.hang_up("refund", disputed, ordered(RefundBuyer, |scene| &scene.admin)).await;
        let late = async |scene: &mut Scene| {
            let stage = scene.stage(true, &[], true).await;
            scene.house.pass(TimeDelta::hours(73));
            stage
        };
        scene.hang_up("cancel order", late, ordered(Cancel, |scene| &scene.ben)).await;
        let overdue = async |scene: &mut Scene| {
            let stage = scene.stage(true, &[HandOver], true).await;
            scene.house.pass(TimeDelta::days(8));
            stage
        };
        scene.hang_up("complete", overdue, |scene, _| {
            acted(scene, async move |engine| {
                engine.complete_due_orders().await.unwrap();
            })
        }).await;
    }

    async fn whoever_hangs_up_on_a_deadline_changes_nothing(db: &TestDatabase) {
        let mut scene = Scene::open(db).await;
        let over = async |scene: &mut Scene| {
            while scene.house.engine.turn_due_auctions().await.unwrap() > 0 {}
            let stage = scene.stage(false, &[], true).await;
            scene.house.pass(TimeDelta::days(2));
            stage
        };
        scene.hang_up_at_awaits("endings", over, |scene, _| {
            acted(scene, async move |engine| {
                engine.turn_due_auctions().await.unwrap();
            })
        }).await;
    }

    async fn whoever_hangs_up_on_money_or_an_account_changes_nothing(db: &TestDatabase) {
        let mut scene = Scene::open(db).await;
        let fresh = async |scene: &mut Scene| scene.stage(false, &[], false).await;
        for kind in [TransferKind::Deposit, TransferKind::Withdrawal] {
            scene.hang_up("move money", fresh, |scene, stage| {
                let who = scene.ann.clone();
                let idempotency_key = key_of(&format!("{kind:?} {}", stage.number));
                let wanted = WalletMove { kind, amount: money(5), idempotency_key, user: None };
                acted(scene, async move |engine| {
                    engine.move_money(&who, wanted).await.unwrap();
                })
            }).await;
        }
        let unwanted = async |scene: &mut Scene| {
            let stage = scene.stage(false, &[], false).await;
            let person = scene.house.person(&format!("unwanted{}", stage.number), None, 0).await;
            Stage { session: Some(person), ..stage }
        };
        scene.hang_up("block", unwanted, |scene, stage| {
            let (seller, who) = (scene.seller.user.id, stage.session.as_ref().unwrap().user.id);
            acted(scene, async move |engine| {
                engine.set_blocked(seller, who, true).await.unwrap();
            })
        }).await;
        let sold = async |scene: &mut Scene| scene.stage(true, &[], true).await;
        scene.hang_up("mark read", sold, |scene, stage| {
            let (ben, note) = (scene.ben.user.id, stage.note.unwrap());
            acted(scene, async move |engine| {
                engine.mark_read(ben, &[note]).await.unwrap();
            })
        }).await;
        let password = || "correct horse".to_owned();
        scene.hang_up("sign up", fresh, |scene, stage| {
            let username = format!("newcomer{}", stage.number);
            let credentials = Credentials { username, password: password() };
            acted(scene, async move |engine| {
                engine.sign_up(SignUp { credentials, home_region: None }).await.unwrap();
            })
        }).await;
        let credentials = || Credentials { username: "guest".into(), password: password() };
        let guest = SignUp { credentials: credentials(), home_region: None };
        scene.house.engine.sign_up(guest).await.unwrap();
        scene.hang_up("sign in", fresh, |scene, _| {
            let credentials = credentials();
            acted(scene, async move |engine| drop(engine.sign_in(credentials).await.unwrap()))
        }).await;
        let signed_in = async |scene: &mut Scene| {
            let signed_in = scene.house.engine.sign_in(credentials()).await.unwrap();
            let SignIn::Done(_, session) = signed_in else { panic!("{signed_in:?}") };
            Stage { session: Some(session), ..scene.stage(false, &[], false).await }
        };
        scene.hang_up("sign out", signed_in, |scene, stage| {
            let session = stage.session.as_ref().unwrap().id;
            acted(scene, async move |engine| engine.sign_out(session).await.unwrap())
        }).await;
        let unread = notification::Entity::find().filter(notification::Column::IsRead.eq(true));
        assert!(!unread.all(&scene.house.db.read).await.unwrap().is_empty());
    }
}
