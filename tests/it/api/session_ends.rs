//! A session's end ends what it holds open: its sockets with 4403, its streams of events with an
//! error and `complete`. Nothing that happens after the end is told; nobody else is touched.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use entity::{Time, session};
use neighborbid::app::House;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr,
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::open;
use crate::support::{
    TestDatabase,
    api::{Client, PASSWORD, Socket},
    events::{Events, Method},
    on_both,
};

const OWN: &str = "subscription { viewerUpdated { wallet { available } } }";
const PUBLIC: &str = "subscription { auctionsUpdated { sequence } }";
const SIGN_OUT: &str = "mutation { signOut { signedOut } }";

/// Far less than a stream would go on for if its token were looked at now and then only.
const SOON: Duration = Duration::from_secs(3);

fn wallet(available: &str) -> Value {
    json!({ "data": { "viewerUpdated": { "wallet": { "available": available } } } })
}

async fn sign_in_again(client: &Client, username: &str) -> Client {
    let input = json!({ "username": username, "password": PASSWORD });
    let reply = client.mutate("signIn", input, "session { token }").await;
    client.with_token(reply.at("/data/done/session/token").as_str())
}

/// A socket that watches; what it is told first is read already.
async fn watching(client: &Client, query: &str, first: Option<Value>) -> Socket {
    let mut socket = Socket::open(client).await;
    socket.begin("1", query).await;
    if let Some(payload) = first {
        let next = json!({ "type": "next", "id": "1", "payload": payload });
        assert_eq!(socket.next().await, Ok(next));
    }
    socket
}

/// The socket is open, and what was sent before has been handled.
async fn is_open(socket: &mut Socket) {
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, Ok(json!({ "type": "pong" })));
}

async fn streaming(house: &House, who: &Client, method: Method, query: &str) -> Events {
    Events::open(house.address, who.token.as_deref(), method, query, json!({})).await
}

/// Nothing comes but the end.
async fn ends(events: &mut Events) {
    let soon = async |events: &mut Events| timeout(SOON, events.next()).await.expect("it goes on");
    let (event, data) = soon(events).await.unwrap();
    assert_eq!(event, "next");
    let error = &data["errors"][0]["extensions"]["code"];
    assert_eq!((error, data.get("data")), (&json!("UNAUTHENTICATED"), None), "{data}");
    assert_eq!(soon(events).await, Some(("complete".to_owned(), Value::Null)));
    assert_eq!(soon(events).await, None);
}

/// When the newest session ends, of which no node has read anything yet.
async fn let_expire(db: &TestDatabase, at: Time) {
    let db = db.open().await;
    let newest = session::Entity::find().order_by_desc(session::Column::CreatedAt);
    let newest = newest.one(&db.write).await.unwrap().unwrap();
    let done = session::Entity::update_many()
        .col_expr(session::Column::ExpiresAt, Expr::value(at))
        .filter(session::Column::Id.eq(newest.id))
        .exec(&db.write);
    assert_eq!(done.await.unwrap().rows_affected, 1);
    db.close().await;
}

async fn run(db: &TestDatabase, sql: &str) {
    let db = db.open().await;
    db.write.execute_unprepared(sql).await.unwrap();
    db.close().await;
}

on_both! {
    async fn a_sign_out_ends_its_own_sockets_and_nothing_later_is_told(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let mina = client.sign_up("mina", None).await;
        let again = sign_in_again(&client, "mina").await;
        let mut own = watching(&mina, OWN, Some(wallet("0"))).await;
        let mut public = watching(&mina, PUBLIC, None).await;
        let mut idle = Socket::open(&mina).await;
        let mut other = watching(&again, OWN, Some(wallet("0"))).await;
        let mut anonymous = watching(&client, PUBLIC, None).await;
        mina.deposit(700).await;
        for socket in [&mut own, &mut other] {
            let told = json!({ "type": "next", "id": "1", "payload": wallet("700") });
            assert_eq!(socket.next().await, Ok(told));
        }
        is_open(&mut public).await;
        assert_eq!(mina.ask(SIGN_OUT).await.at("/data/signOut/signedOut"), true);
        again.deposit(5).await;
        for socket in [&mut own, &mut public, &mut idle] {
            assert_eq!(timeout(SOON, socket.next()).await, Ok(Err(4403)));
        }
        let told = json!({ "type": "next", "id": "1", "payload": wallet("705") });
        assert_eq!(other.next().await, Ok(told));
        for socket in [&mut other, &mut anonymous] {
            is_open(socket).await;
        }
        house.close().await.unwrap();
    }

    async fn a_sign_out_ends_its_own_event_streams_with_an_error(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let mina = client.sign_up("mina", None).await;
        let again = sign_in_again(&client, "mina").await;
        let mut streams = Vec::new();
        for method in [Method::Get, Method::Post] {
            let mut own = streaming(&house, &mina, method, OWN).await;
            assert_eq!(own.next().await, Some(("next".to_owned(), wallet("0"))));
            streams.push(own);
            streams.push(streaming(&house, &mina, method, PUBLIC).await);
        }
        let mut other = streaming(&house, &again, Method::Post, OWN).await;
        assert_eq!(other.next().await, Some(("next".to_owned(), wallet("0"))));
        assert_eq!(mina.ask(SIGN_OUT).await.at("/data/signOut/signedOut"), true);
        again.deposit(5).await;
        for stream in &mut streams {
            ends(stream).await;
        }
        assert_eq!(other.next().await, Some(("next".to_owned(), wallet("5"))));
        house.close().await.unwrap();
    }

    async fn a_session_that_expires_ends_its_sockets_and_streams_at_once(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let mina = client.sign_up("mina", None).await;
        let expires = Utc::now() + TimeDelta::seconds(2);
        let_expire(db, expires).await;
        let mut socket = watching(&mina, OWN, Some(wallet("0"))).await;
        let mut stream = streaming(&house, &mina, Method::Post, PUBLIC).await;
        let mut anonymous = watching(&client, PUBLIC, None).await;
        assert_eq!(socket.next().await, Err(4403));
        let late = Utc::now() - expires;
        assert!((TimeDelta::zero()..TimeDelta::seconds(2)).contains(&late), "{late}");
        ends(&mut stream).await;
        is_open(&mut anonymous).await;
        house.close().await.unwrap();
    }

    async fn a_session_that_another_process_ended_is_missed_in_the_database(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let (mina, ben) = (client.sign_up("mina", None).await, client.sign_up("ben", None).await);
        let mut socket = watching(&mina, OWN, Some(wallet("0"))).await;
        let mut bens = watching(&ben, OWN, Some(wallet("0"))).await;
        let mut stream = streaming(&house, &mina, Method::Get, PUBLIC).await;
        let name = "(SELECT id FROM users WHERE username = 'mina')";
        run(db, &format!("DELETE FROM sessions WHERE user_id = {name}")).await;
        let deleted = Instant::now();
        assert_eq!(socket.next().await, Err(4403));
        ends(&mut stream).await;
        assert!(deleted.elapsed() < SOON);
        is_open(&mut bens).await;
        assert_eq!(mina.ask("{ __typename }").await.status, 401);
        house.close().await.unwrap();
    }

    async fn a_database_that_does_not_answer_ends_no_session(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let mina = client.sign_up("mina", None).await;
        let mut socket = watching(&mina, OWN, Some(wallet("0"))).await;
        run(db, "ALTER TABLE sessions RENAME TO hidden").await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        is_open(&mut socket).await;
        run(db, "ALTER TABLE hidden RENAME TO sessions").await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        mina.deposit(3).await;
        let told = json!({ "type": "next", "id": "1", "payload": wallet("3") });
        assert_eq!(socket.next().await, Ok(told));
        assert_eq!(mina.ask(SIGN_OUT).await.at("/data/signOut/signedOut"), true);
        assert_eq!(timeout(SOON, socket.next()).await, Ok(Err(4403)));
        house.close().await.unwrap();
    }

    async fn a_sign_out_over_its_own_connection_is_still_answered(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let mina = client.sign_up("mina", None).await;
        let mut socket = watching(&mina, OWN, Some(wallet("0"))).await;
        socket.begin("2", SIGN_OUT).await;
        let answer = json!({ "data": { "signOut": { "signedOut": true } } });
        let next = json!({ "type": "next", "id": "2", "payload": answer });
        assert_eq!(socket.next().await, Ok(next));
        let complete = json!({ "type": "complete", "id": "2" });
        assert_eq!(socket.next().await, Ok(complete));
        assert_eq!(timeout(SOON, socket.next()).await, Ok(Err(4403)));

        let again = sign_in_again(&client, "mina").await;
        let mut stream = streaming(&house, &again, Method::Post, SIGN_OUT).await;
        assert_eq!(stream.next().await, Some(("next".to_owned(), answer)));
        assert_eq!(stream.next().await, Some(("complete".to_owned(), Value::Null)));
        house.close().await.unwrap();
    }
}
