//! Two servers on one database without a bus tell each other's watchers, within two seconds.

use std::time::Duration;

use entity::{enums::NotificationKind as Told, ids::AuctionId};
use neighborbid::{
    domain::filter::Filter,
    engine::{Feed, Session},
    live::{lists::ListFeed, people::OwnFeed, update::UpdateKind},
};
use sea_orm::{ConnectionTrait, TransactionTrait};
use tokio::time::{Instant, timeout_at};

use super::{BID, news, seen};
use crate::support::{TestDatabase, TestHouse, database::POOLS, on_both};

/// What is promised, from the answer on.
const SOON: Duration = Duration::from_secs(2);

/// Ann and Ben bid on one server; another's watchers see it.
pub(super) struct Scene {
    pub here: TestHouse,
    pub there: TestHouse,
    pub lamp: AuctionId,
    pub ann: Session,
    pub ben: Session,
    pub auction: Feed,
    pub list: ListFeed,
    pub own: OwnFeed,
    price: i64,
}

impl Scene {
    pub async fn set(db: &TestDatabase) -> Self {
        let (here, there) = (TestHouse::in_real_time(db).await, TestHouse::in_real_time(db).await);
        let seller = here.person("seller", None, 0).await;
        let ann = here.person("ann", None, 10_000_000).await;
        let ben = here.person("ben", None, 10_000_000).await;
        let lamp = here.list(&seller, here.a_lamp()).await;
        let mut price = 10_000;
        // Much that nobody may be told anew.
        for _ in 0..10 {
            for who in [&ann, &ben] {
                assert!(here.bid(who, lamp, price).await.refusal.is_none());
                price += 1_000;
            }
        }
        let mut auction = there.engine.watch(lamp, None).await.unwrap().unwrap();
        assert_eq!(seen(&auction.next().await.unwrap()), (UpdateKind::Snapshot, 21));
        let list = there.engine.watch_list(Filter::default()).await.unwrap();
        let mut own = there.engine.watch_own(ann.user.id).await.unwrap();
        assert_eq!(news(&mut own).await, (true, None), "first the wallet");
        Self { here, there, lamp, ann, ben, auction, list, own, price }
    }

    async fn bid(&mut self, who: &Session) -> i64 {
        let placed = self.here.bid(who, self.lamp, self.price).await;
        assert!(placed.refusal.is_none());
        self.price += 1_000;
        placed.auction.unwrap().1.sequence
    }

    /// Ann leads and is outbid; each is seen in time, once.
    pub async fn round(&mut self) {
        let (ann, ben) = (self.ann.clone(), self.ben.clone());
        let sequence = self.bid(&ann).await;
        self.sees(sequence).await;
        let by = Instant::now() + SOON;
        let told = timeout_at(by, news(&mut self.own)).await.expect("nothing of one's own");
        assert_eq!(told, (true, None), "she leads");
        let sequence = self.bid(&ben).await;
        let by = Instant::now() + SOON;
        self.sees(sequence).await;
        let (mut has_wallet, mut notes) = (false, Vec::new());
        while !has_wallet || notes.is_empty() {
            let told = timeout_at(by, news(&mut self.own)).await.expect("nothing of one's own");
            has_wallet |= told.0;
            notes.extend(told.1);
        }
        assert_eq!(notes, [Told::Outbid]);
    }

    async fn sees(&mut self, sequence: i64) {
        let by = Instant::now() + SOON;
        let update = timeout_at(by, self.auction.next()).await.expect("nothing on the auction");
        assert_eq!(seen(&update.unwrap()), (BID, sequence));
        let update = timeout_at(by, self.list.next()).await.expect("nothing on the list");
        assert_eq!(seen(&update.unwrap()), (BID, sequence));
    }
}

on_both! {
    async fn what_one_server_commits_another_tells_within_two_seconds(db: &TestDatabase) {
        let mut scene = Scene::set(db).await;
        let _sweeps = scene.there.sweeps();
        for _ in 0..3 {
            scene.round().await;
        }
    }

    async fn reads_that_take_every_connection_keep_nobody_untold(db: &TestDatabase) {
        let mut scene = Scene::set(db).await;
        let mut taken = Vec::new();
        for _ in 0..POOLS.read_connections {
            taken.push(scene.there.db.read.begin().await.unwrap());
        }
        let _sweeps = scene.there.sweeps();
        for _ in 0..3 {
            scene.round().await;
        }
    }

    async fn one_part_that_fails_keeps_no_other_from_being_told(db: &TestDatabase) {
        let mut scene = Scene::set(db).await;
        let _sweeps = scene.there.sweeps();
        let db = scene.here.db.write.clone();
        let rename = async |from: &str, to: &str| {
            let sql = format!("ALTER TABLE {from} RENAME TO {to}");
            db.execute_unprepared(&sql).await.unwrap();
        };
        rename("notifications", "mislaid").await;
        scene.there.rooms.people.sweep().await.unwrap_err();
        // Nobody is told anything of it: she raises her own bid.
        let ben = scene.ben.clone();
        for _ in 0..2 {
            let sequence = scene.bid(&ben).await;
            scene.sees(sequence).await;
        }
        rename("mislaid", "notifications").await;
        scene.round().await;
    }
}
