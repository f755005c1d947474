//! Reads while all connections that read are taken, or a statement takes too long: turned away with
//! the seconds after which to come again; and what others wait for goes on.

use std::{sync::Arc, time::Duration};

use async_graphql::{Request, Value};
use futures_util::future::join_all;
use neighborbid::{
    engine::{Credentials, LaneSettings, SignUp},
    graphql::{self, RateLimits, Schema},
    store::connection::{Db, PoolSettings},
};
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::LIMITS;
use crate::support::requests::bid_request;
use crate::support::{
    TestDatabase, TestHouse,
    database::POOLS,
    house::{code, money},
    on_both,
};

/// Short enough for a test, and long enough to open a connection on a busy machine.
const WAIT: Duration = Duration::from_secs(2);

const LANES: LaneSettings = LaneSettings { lanes: 1, batch: 64, queue: 4_096, share: 4_096 };

async fn house(db: &TestDatabase, pools: PoolSettings) -> TestHouse {
    TestHouse::held_on(Db::open(&db.url, &pools).await.unwrap(), LANES).await
}

fn schema(house: &TestHouse) -> Schema {
    graphql::schema(Arc::clone(&house.engine), Arc::new(RateLimits::new(None)), LIMITS)
}

/// Every error of an answer says that it passes, and when.
async fn is_turned_away(schema: &Schema, document: &str) {
    let answer = schema.execute(graphql::asked_by(Request::new(document), None)).await;
    assert!(!answer.errors.is_empty(), "{document} was answered");
    for error in &answer.errors {
        let extensions = error.extensions.as_ref().unwrap();
        assert_eq!(extensions.get("code"), Some(&Value::from("OVERLOADED")), "{error:?}");
        assert_eq!(extensions.get("retryAfterSeconds"), Some(&Value::from(1)), "{error:?}");
    }
}

on_both! {
    async fn a_full_pool_turns_reads_away_and_holds_up_no_token_nor_bid(db: &TestDatabase) {
        let pools = PoolSettings { read_connections: 1, read_wait: WAIT, ..POOLS };
        let house = house(db, pools).await;
        let schema = schema(&house);
        let seller = house.person("seller", None, 0).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let taken = house.db.read.begin().await.unwrap();
        let documents = [
            "{ auctions { nodes { id } } }".to_owned(),
            "{ auctions(filter: { query: \"lamp\" }) { nodes { id } } }".to_owned(),
            format!("{{ auction(id: \"{lamp}\") {{ bids {{ nodes {{ id }} }} }} }}"),
            format!("{{ node(id: \"{lamp}\") {{ id }} }}"),
            "{ user(username: \"seller\") { id } }".to_owned(),
        ];
        join_all(documents.iter().map(|document| is_turned_away(&schema, document))).await;
        let credentials = Credentials {
            username: "buyer".to_owned(),
            password: "correct horse battery".to_owned(),
        };
        let new = SignUp { credentials, home_region: None };
        let (token, buyer) = house.engine.sign_up(new).await.unwrap();
        let found = house.engine.session(token.reveal()).await.unwrap();
        assert_eq!(found.map(|session| session.id), Some(buyer.id));
        house.deposit(&buyer, 100_000, "first").await;
        let bid = bid_request(buyer.user.id, lamp, money(10_000), None, Some("once"));
        for _ in 0..2 {
            let outcome = house.engine.place_bid(bid.clone()).await.unwrap();
            assert_eq!(code(&outcome), None);
            assert_eq!(outcome.bid.unwrap().amount, money(10_000));
        }
        taken.rollback().await.unwrap();
    }

    async fn reads_that_search_leave_connections_to_the_others(db: &TestDatabase) {
        let pools = PoolSettings { read_connections: 2, heavy_reads: 9, read_wait: WAIT, ..POOLS };
        let house = house(db, pools).await;
        let schema = schema(&house);
        let turn = house.db.read.heavy_turn().await.unwrap();
        is_turned_away(&schema, "{ auctions(filter: { query: \"lamp\" }) { nodes { id } } }").await;
        let request = graphql::asked_by(Request::new("{ auctions { nodes { id } } }"), None);
        assert_eq!(schema.execute(request).await.errors, []);
        drop(turn);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_turns_its_client_away() {
    let database = crate::support::database::postgres().await;
    let pools = PoolSettings { statement_timeout: WAIT, ..POOLS };
    let house = house(&database, pools).await;
    let schema = schema(&house);
    let console = database.open().await;
    let held = console.write.begin().await.unwrap();
    held.execute_unprepared("LOCK TABLE auctions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    is_turned_away(&schema, "{ auctions { nodes { id } } }").await;
    held.rollback().await.unwrap();
    console.close().await;
    drop(schema);
    drop(house);
    database.finish().await;
}
