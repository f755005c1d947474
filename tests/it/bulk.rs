//! Set-wise writes: each row gets its own values, and what is NULL or odd stays as it is.

use chrono::SubsecRound;
use entity::{enums::OrderStatus, ids::OrderId, order};
use neighborbid::store::bulk;
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    EntityTrait, TransactionTrait,
};

use crate::support::{TestHouse, on_both};

/// Texts that a list of texts could take for something else.
const ODD: [Option<&str>; 8] = [
    None,
    Some(""),
    Some("NULL"),
    Some("null"),
    Some("a\"b\\c"),
    Some("{a,b}"),
    Some("둘\n'줄' $1"),
    Some("\\"),
];

async fn sold(house: &TestHouse) -> Vec<OrderId> {
    let seller = house.person("seller", None, 0).await;
    let buyer = house.person("buyer", None, 1_000_000).await;
    let mut orders = Vec::new();
    for _ in ODD {
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.bid(&buyer, lamp, 10_000).await;
        house.engine.end_auction_early(&seller, lamp).await.unwrap();
        orders.push(house.engine.order_of_auction(lamp).await.unwrap().unwrap().id);
    }
    orders
}

on_both! {
    async fn each_row_gets_its_own_values(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let ids = sold(&house).await;
        let now = house.now().trunc_subsecs(6);
        let times: Vec<_> = (0..ids.len()).map(|n| (n % 2 == 0).then_some(now)).collect();
        let status = |time: &Option<_>| match time {
            Some(_) => OrderStatus::HandedOver,
            None => OrderStatus::AwaitingHandover,
        };
        let changes: Vec<_> = (ids.iter().zip(ODD).zip(&times))
            .map(|((id, text), time)| order::ActiveModel {
                id: Unchanged(*id),
                status: Set(status(time)),
                dispute_reason: Set(text.map(str::to_owned)),
                completes_at: Set(*time),
                ..Default::default()
            })
            .collect();
        let before = order::Entity::find_by_id(ids[3]).one(&*house.db.read).await.unwrap().unwrap();
        let tx = house.db.write.begin().await.unwrap();
        bulk::write(&tx, [bulk::update(&changes)]).await.unwrap();
        tx.commit().await.unwrap();
        for ((id, text), time) in ids.iter().zip(ODD).zip(times) {
            let row = order::Entity::find_by_id(*id).one(&*house.db.read).await.unwrap().unwrap();
            assert_eq!((row.dispute_reason.as_deref(), row.completes_at), (text, time));
        }
        let after = order::Entity::find_by_id(ids[3]).one(&*house.db.read).await.unwrap().unwrap();
        let (dispute_reason, completes_at) = (Some("null".to_owned()), None);
        assert_eq!(after, order::Model { dispute_reason, completes_at, ..before });
    }

    async fn rows_that_set_different_columns_are_no_write(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let ids = sold(&house).await;
        let noted = order::ActiveModel {
            id: Unchanged(ids[0]),
            resolution_note: Set(Some("seen".to_owned())),
            ..Default::default()
        };
        let bare = order::ActiveModel { id: Unchanged(ids[1]), ..Default::default() };
        let tx = house.db.write.begin().await.unwrap();
        bulk::write(&tx, [bulk::update(&[noted.clone(), bare])]).await.unwrap_err();
        bulk::write(&tx, [bulk::update::<order::ActiveModel>(&[])]).await.unwrap();
        bulk::write(&tx, [bulk::update(&[noted])]).await.unwrap();
        tx.rollback().await.unwrap();
    }
}
