//! Subscriptions that watchers share: what is wrong is refused before anything is waited for, the
//! defaults of variables count, and nobody is ever shown what is another viewer's or stale.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_graphql::Request;
use futures_util::StreamExt;
use neighborbid::{
    app::House,
    graphql::{self, Limits, RateLimits},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::open;
use crate::support::{
    TestDatabase,
    api::{Client, Socket},
    binary::Server,
    database,
    events::{Events, Method},
    on_both,
};

/// Something wrong that waits for an event would be told after the next one only: never, here.
const SOON: Duration = Duration::from_secs(5);

/// The last bid on it: the first event is that it opened.
const NEWEST: i64 = 5;

/// An auction with four bids: Ann leads, with a maximum that she alone may see.
struct Lamp {
    house: House,
    nobody: Client,
    seller: Client,
    ann: Client,
    ben: Client,
    id: String,
}

impl Lamp {
    async fn with_bids(db: &TestDatabase) -> Self {
        let (house, nobody) = open(db, &[]).await;
        let seller = nobody.sign_up("seller", Some("11110101")).await;
        let (ann, ben) = (nobody.sign_up("ann", None).await, nobody.sign_up("ben", None).await);
        let wanted = json!({ "category": "cat_lighting", "region": "reg_11" });
        let id = seller.list(wanted).await;
        for (who, amount) in [(&ben, 10_000), (&ann, 20_000), (&ben, 30_000)] {
            who.deposit(1_000_000).await;
            assert!(who.bid(&id, amount).await.refusals().is_empty());
        }
        let lamp = Self { house, nobody, seller, ann, ben, id };
        lamp.ann_bids(40_000, 123_000).await;
        lamp
    }

    async fn ann_bids(&self, amount: i64, maximum: i64) {
        let input = json!({ "auctionId": self.id, "amount": amount, "maximum": maximum });
        let reply = self.ann.mutate("placeBid", input, "").await;
        assert!(reply.refusals().is_empty(), "{}", reply.text);
    }

    fn viewers(&self) -> [&Client; 4] {
        [&self.ann, &self.ben, &self.seller, &self.nobody]
    }
}

async fn subscribe(socket: &mut Socket, id: &str, query: &str, variables: Value) {
    let payload = json!({ "query": query, "variables": variables });
    socket.send(&json!({ "type": "subscribe", "id": id, "payload": payload })).await;
}

/// The next result of a socket's one operation.
async fn next(socket: &mut Socket) -> Value {
    let message = timeout(SOON, socket.next()).await.expect("nothing comes").unwrap();
    assert_eq!(message["type"], "next", "{message}");
    message["payload"].clone()
}

/// The first result of a subscription, on a socket that is kept.
async fn first(socket: &mut Socket, query: &str, variables: Value) -> Value {
    subscribe(socket, "first", query, variables).await;
    let first = next(socket).await;
    socket.send(&json!({ "type": "complete", "id": "first" })).await;
    first
}

/// The first result of a subscription that is executed for this viewer alone.
async fn alone(lamp: &Lamp, viewer: &Client, query: &str) -> Value {
    let engine = &lamp.house.engine;
    let limits = Limits { nesting: 64, introspection: true };
    let schema = graphql::schema(Arc::clone(engine), Arc::new(RateLimits::new(None)), limits);
    let session = match &viewer.token {
        Some(token) => engine.session(token).await.unwrap(),
        None => None,
    };
    let mut results = schema.execute_stream(graphql::asked_by(Request::new(query), session));
    serde_json::to_value(results.next().await.unwrap()).unwrap()
}

fn sequence(result: &Value) -> i64 {
    result["data"]["auctionUpdated"]["sequence"].as_i64().unwrap_or_else(|| panic!("{result}"))
}

/// What differs from moment to moment, whoever asks.
const MOVING: [&str; 2] = ["at", "auction { watcherCount }"];

const INVALID: [(&str, &str); 9] = [
    ("($id: ID!, $after: Int)", "sequence nothing"),
    ("($id: ID!, $after: Int)", "auction { bids(first: \"two\") { nodes { id } } }"),
    ("($id: ID!, $after: Int, $n: Int)", "auction { bids(first: $n) { nodes { id } } }"),
    ("($id: ID!, $after: Int, $m: Int!)", "auction { bids(first: $m) { nodes { id } } }"),
    ("($id: ID!, $after: Int)", "auction { bids(first: $m) { nodes { id } } }"),
    ("($id: ID!, $after: Int, $m: Int)", "sequence"),
    ("($id: ID!, $after: Int)", "auction"),
    ("($id: ID!, $after: Int)", "...nobody"),
    ("($id: ID!, $after: Int)", "sequence @include(if: $m)"),
];

on_both! {
    async fn the_defaults_of_variables_say_where_to_begin(db: &TestDatabase) {
        let lamp = Lamp::with_bids(db).await;
        let of = "auctionUpdated(auctionId: $id, after: $after) { sequence kind }";
        let here = format!("{:?}", lamp.id);
        for (declared, given, from) in [
            ("$id: ID!, $after: Int = 1".to_owned(), json!({ "id": lamp.id }), Some(2)),
            (format!("$id: ID! = {here}, $after: Int = 2"), json!({}), Some(3)),
            (format!("$id: ID! = {here}, $after: Int! = 2"), json!({ "after": 3 }), Some(4)),
            ("$id: ID!, $after: Int!".to_owned(), json!({ "id": lamp.id, "after": 1 }), Some(2)),
            ("$id: ID!, $after: Int = 1".to_owned(),
                json!({ "id": lamp.id, "after": null }), None),
            (format!("$id: ID = {here}, $after: Int"), json!({}), None),
        ] {
            let mut socket = Socket::open(&lamp.nobody).await;
            let query = format!("subscription({declared}) {{ {of} }}");
            subscribe(&mut socket, "1", &query, given.clone()).await;
            let result = next(&mut socket).await;
            let kind = &result["data"]["auctionUpdated"]["kind"];
            match from {
                None => assert_eq!(kind, "SNAPSHOT", "{declared} {given}: {result}"),
                Some(from) => {
                    assert_eq!(sequence(&result), from, "{declared} {given}: {result}");
                    for due in from + 1..=NEWEST {
                        assert_eq!(sequence(&next(&mut socket).await), due);
                    }
                }
            }
        }
        let query = format!(
            "subscription($shown: Boolean = false) {{ auctionUpdated(auctionId: {here}, after: 1)
               {{ sequence kind @include(if: $shown) }} }}"
        );
        let mut socket = Socket::open(&lamp.nobody).await;
        let result = first(&mut socket, &query, json!({})).await;
        assert_eq!(result["data"]["auctionUpdated"], json!({ "sequence": 2 }));
        lamp.house.close().await.unwrap();
    }

    async fn what_is_wrong_is_refused_before_an_event_is_waited_for(db: &TestDatabase) {
        let lamp = Lamp::with_bids(db).await;
        let mut socket = Socket::open(&lamp.nobody).await;
        for after in [json!(NEWEST), Value::Null] {
            for (number, (declared, selected)) in (0..).zip(INVALID) {
                let query = format!(
                    "subscription{declared} {{ auctionUpdated(auctionId: $id, after: $after) \
                     {{ {selected} }} }}"
                );
                let variables = json!({ "id": lamp.id, "after": after, "n": "two" });
                let id = number.to_string();
                // Whoever comes later to those who asked the same is refused as well.
                for _ in 0..2 {
                    subscribe(&mut socket, &id, &query, variables.clone()).await;
                    let said = timeout(SOON, socket.next()).await;
                    let said = said.unwrap_or_else(|_| panic!("silence: {query}")).unwrap();
                    assert_eq!((&said["type"], &said["id"]), (&json!("error"), &json!(id)));
                    let code = &said["payload"][0]["extensions"]["code"];
                    assert_eq!(code, "BAD_USER_INPUT", "{said}");
                }
                let address = lamp.house.address;
                let post = Events::open(address, None, Method::Post, &query, variables);
                let mut events = post.await;
                let (event, data) = timeout(SOON, events.next()).await.unwrap().unwrap();
                assert_eq!((event.as_str(), data.get("data")), ("next", None), "{data}");
                assert_eq!(events.next().await, Some(("complete".to_owned(), Value::Null)));
                assert_eq!(events.next().await, None);
            }
        }
        lamp.house.close().await.unwrap();
    }

    async fn a_raised_maximum_is_what_the_next_subscription_shows(db: &TestDatabase) {
        let lamp = Lamp::with_bids(db).await;
        let query = "subscription($id: ID!, $after: Int) {
            auctionUpdated(auctionId: $id, after: $after) {
              sequence auction { viewerPosition { maximum } } } }";
        let mut watching = Socket::open(&lamp.ann).await;
        // Both ways to begin are kept open, so that their answers could be kept too.
        for (id, after) in [("snapshot", Value::Null), ("replay", json!(NEWEST - 1))] {
            subscribe(&mut watching, id, query, json!({ "id": lamp.id, "after": after })).await;
            next(&mut watching).await;
        }
        let mut socket = Socket::open(&lamp.ann).await;
        for maximum in [123_000, 150_000, 160_000] {
            if maximum > 123_000 {
                lamp.ann_bids(40_000, maximum).await;
            }
            for after in [Value::Null, json!(NEWEST - 1)] {
                let variables = json!({ "id": lamp.id, "after": after });
                let result = first(&mut socket, query, variables).await;
                assert_eq!(sequence(&result), NEWEST);
                let position = &result["data"]["auctionUpdated"]["auction"]["viewerPosition"];
                assert_eq!(position["maximum"], maximum.to_string(), "after {after}");
            }
        }
        lamp.house.close().await.unwrap();
    }

    async fn a_failure_is_not_what_those_who_come_later_are_shown(db: &TestDatabase) {
        let lamp = Lamp::with_bids(db).await;
        let query = format!(
            "subscription {{ auctionUpdated(auctionId: {:?}, after: {}) \
             {{ sequence auction {{ bids(first: 1) {{ nodes {{ amount }} }} }} }} }}",
            lamp.id, NEWEST - 1
        );
        // Both stay, so that what was made for the first is at hand for the second.
        let (mut unlucky, mut later) =
            (Socket::open(&lamp.nobody).await, Socket::open(&lamp.nobody).await);
        let opened = db.open().await;
        opened.write.execute_unprepared("ALTER TABLE bids RENAME TO hidden").await.unwrap();
        subscribe(&mut unlucky, "1", &query, json!({})).await;
        assert_eq!(next(&mut unlucky).await["errors"][0]["extensions"]["code"], "INTERNAL");
        opened.write.execute_unprepared("ALTER TABLE hidden RENAME TO bids").await.unwrap();
        opened.close().await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        subscribe(&mut later, "1", &query, json!({})).await;
        let result = next(&mut later).await;
        assert_eq!((sequence(&result), result.get("errors")), (NEWEST, None), "{result}");
        lamp.house.close().await.unwrap();
    }

    async fn every_field_of_an_update_shows_each_viewer_what_is_theirs(db: &TestDatabase) {
        let lamp = Lamp::with_bids(db).await;
        let fields = selections(&lamp.nobody).await;
        assert!(fields.len() > 40, "{fields:?}");
        let mut sockets = Vec::new();
        for viewer in lamp.viewers() {
            sockets.push(Socket::open(viewer).await);
        }
        let mut differ = HashSet::new();
        for field in &fields {
            let mut shown = Vec::new();
            for after in ["null", "4"] {
                let query = format!(
                    "subscription {{ auctionUpdated(auctionId: {:?}, after: {after}) \
                     {{ {field} }} }}", lamp.id
                );
                for (socket, viewer) in sockets.iter_mut().zip(lamp.viewers()) {
                    // Shared with those who asked the same; and executed for this one alone.
                    let together = first(socket, &query, json!({})).await;
                    let alone = alone(&lamp, viewer, &query).await;
                    assert_eq!(together.get("errors"), None, "{together}");
                    if !MOVING.contains(&field.as_str()) {
                        assert_eq!(together, alone, "{field}");
                    }
                    shown.push(together);
                }
            }
            if shown.chunks(4).any(|four| four.iter().any(|one| *one != four[0])) {
                differ.insert(field.as_str());
            }
        }
        // What two people with the same document see differently, and nothing else.
        let own: HashSet<_> = ["isLeading", "highestBid", "maximum", "isSeller", "__typename"]
            .map(|field| format!("auction {{ viewerPosition {{ {field} }} }}")).into();
        let differ: HashSet<_> =
            differ.into_iter().filter(|field| !MOVING.contains(field)).collect();
        assert_eq!(differ, own.iter().map(String::as_str).collect());
        lamp.house.close().await.unwrap();
    }

    async fn a_viewers_own_field_is_found_behind_any_name(db: &TestDatabase) {
        let lamp = Lamp::with_bids(db).await;
        let fields = "auction { it: viewerPosition { top: maximum } }";
        for (root, rest) in [
            (fields.to_owned(), String::new()),
            ("...f".to_owned(), format!("fragment f on AuctionUpdate {{ {fields} }}")),
            (format!("... on AuctionUpdate {{ {fields} }}"), String::new()),
        ] {
            let query = format!(
                "subscription {{ auctionUpdated(auctionId: {:?}) {{ {root} }} }} {rest}", lamp.id
            );
            let mut tops = Vec::new();
            for viewer in lamp.viewers() {
                let mut socket = Socket::open(viewer).await;
                let result = first(&mut socket, &query, json!({})).await;
                tops.push(result["data"]["auctionUpdated"]["auction"]["it"].clone());
            }
            let none = json!({ "top": null });
            assert_eq!(tops, [json!({ "top": "123000" }), none.clone(), none, Value::Null]);
        }
        lamp.house.close().await.unwrap();
    }
}

/// A selection for each field of each type that an update leads to, by the shortest way.
async fn selections(client: &Client) -> Vec<String> {
    let kind = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
    let query = format!(
        "{{ __schema {{ types {{ name kind fields {{ name args {{ defaultValue type {{ kind }} }} \
         type {{ {kind} }} }} }} }} }}"
    );
    let reply = client.ask(&query).await;
    let types = reply.at("/data/__schema/types").as_array().unwrap();
    let mut seen = HashSet::from(["AuctionUpdate".to_owned()]);
    let mut open = VecDeque::from([("AuctionUpdate".to_owned(), Vec::<String>::new())]);
    let mut found = Vec::new();
    let around = |way: &[String], inner: &str| {
        way.iter().rev().fold(inner.to_owned(), |inner, field| format!("{field} {{ {inner} }}"))
    };
    while let Some((name, way)) = open.pop_front() {
        let of = types.iter().find(|of| of["name"] == name.as_str()).unwrap();
        assert_eq!(of["kind"], "OBJECT", "{name} may be several types: walk them all");
        found.push(around(&way, "__typename"));
        for field in of["fields"].as_array().unwrap() {
            let arguments = field["args"].as_array().unwrap();
            let is_needed = |argument: &Value| {
                argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null()
            };
            assert!(!arguments.iter().any(is_needed), "{name}: {field}");
            let field_name = field["name"].as_str().unwrap();
            let mut inner = &field["type"];
            while inner["name"].is_null() {
                inner = &inner["ofType"];
            }
            if ["SCALAR", "ENUM"].contains(&inner["kind"].as_str().unwrap()) {
                found.push(around(&way, field_name));
                continue;
            }
            let inner = inner["name"].as_str().unwrap().to_owned();
            if seen.insert(inner.clone()) {
                let mut way = way.clone();
                way.push(field_name.to_owned());
                open.push_back((inner, way));
            }
        }
    }
    found
}

/// Words in comments and texts are not fields: those who watch the same still share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_only_mentions_the_viewers_fields_is_executed_once_for_all() {
    const WATCHERS: usize = 8;
    let db = database::sqlite().await;
    let server = Server::start(&db.url, &["--payments", "simulated", "--rate-limit", "off"]);
    let client = Client::of(&server.address);
    let seller = client.sign_up("seller", None).await;
    let id = seller.list(json!({})).await;
    let query = format!(
        "subscription {{ # viewerPosition\n auctionUpdated(auctionId: {id:?}) \
         {{ sequence viewerPosition: kind }} }}"
    );
    let mut sockets = Vec::new();
    for n in 0..WATCHERS {
        let viewer = client.sign_up(&format!("viewer-{n}"), None).await;
        let mut socket = Socket::open(&viewer).await;
        subscribe(&mut socket, "1", &query, json!({})).await;
        next(&mut socket).await;
        sockets.push(socket);
    }
    let renderings = async || {
        let (_, text) = Client::of(&server.admin).get("/metrics").await.unwrap();
        let name = "neighborbid_renderings_total ";
        text.lines().find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok()).unwrap()
    };
    let before = renderings().await;
    let bidder = client.sign_up("ann", None).await;
    bidder.deposit(50_000).await;
    assert!(bidder.bid(&id, 10_000).await.refusals().is_empty());
    for socket in &mut sockets {
        assert_eq!(sequence(&next(socket).await), 2);
    }
    assert_eq!(renderings().await - before, 1.0);
    server.stop();
    db.finish().await;
}
