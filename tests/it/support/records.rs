//! What a test reads from the database besides the engine's own answers, and engines that share a
//! test's database.

use std::sync::{Arc, Mutex};

use entity::{
    Time, auction, auction_event,
    enums::{AuctionStatus, EventKind, NotificationKind, TransferKind},
    ids::{AuctionId, UserId},
    notification, order, transfer,
};
use neighborbid::{
    engine::{Clock, Engine, LaneSettings, Rules, Session},
    live::{bus::NoBus, rooms::Rooms},
    store::connection::Db,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::database::number_of;

/// Another engine on the same database, with rules and a clock of its own.
pub async fn engine_on(db: &Db, rules: Rules, clock: &Arc<Mutex<Time>>) -> Arc<Engine> {
    let lanes = LaneSettings { lanes: 1, batch: 64, queue: 4_096, share: 4_096 };
    let rooms = Rooms::open(db, &rules.increments, Arc::new(NoBus));
    let clock = Clock::Held(Arc::clone(clock));
    Engine::start(db.clone(), rules, clock, lanes, rooms).await.unwrap()
}

/// What a person was told, oldest first.
pub async fn notes(db: &Db, who: &Session) -> Vec<(NotificationKind, AuctionId)> {
    notification::Entity::find()
        .filter(notification::Column::UserId.eq(who.user.id))
        .order_by_asc(notification::Column::Id)
        .all(&db.write)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.kind, row.auction_id))
        .collect()
}

/// What a person was told about one auction, oldest first.
pub async fn told(db: &Db, who: &Session, of: AuctionId) -> Vec<NotificationKind> {
    let all = notes(db, who).await;
    all.into_iter().filter(|(_, auction)| *auction == of).map(|(kind, _)| kind).collect()
}

/// The events of an auction, in order.
pub async fn events(db: &Db, of: AuctionId) -> Vec<auction_event::Model> {
    auction_event::Entity::find()
        .filter(auction_event::Column::AuctionId.eq(of))
        .order_by_asc(auction_event::Column::Sequence)
        .all(&db.write)
        .await
        .unwrap()
}

/// The kinds of an auction's events, in order.
pub async fn kinds(db: &Db, of: AuctionId) -> Vec<EventKind> {
    events(db, of).await.iter().map(|event| event.kind).collect()
}

/// The money that moved for an auction, in order.
pub async fn payments(db: &Db, of: AuctionId) -> Vec<(UserId, TransferKind, i64)> {
    transfer::Entity::find()
        .filter(transfer::Column::AuctionId.eq(of))
        .order_by_asc(transfer::Column::Id)
        .all(&db.write)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.user_id, row.kind, row.amount))
        .collect()
}

/// An auction's row.
pub async fn row(db: &Db, of: AuctionId) -> auction::Model {
    auction::Entity::find_by_id(of).one(&db.write).await.unwrap().unwrap()
}

/// Where an auction stands.
pub async fn status(db: &Db, of: AuctionId) -> AuctionStatus {
    row(db, of).await.status
}

/// The order of an auction, if it opened one.
pub async fn order(db: &Db, of: AuctionId) -> Option<order::Model> {
    order::Entity::find().filter(order::Column::AuctionId.eq(of)).one(&db.write).await.unwrap()
}

/// How many rows there are of everything that an auction or an order may write.
pub async fn counts(db: &Db) -> [i64; 5] {
    let mut counts = [0; 5];
    let tables = ["bids", "transfers", "auction_events", "orders", "notifications"];
    for (count, table) in counts.iter_mut().zip(tables) {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        *count = number_of(&db.write, &sql).await.unwrap();
    }
    counts
}
