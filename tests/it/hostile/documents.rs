//! Hostile documents: each kind is refused within the work that its text is worth, with a short
//! answer, and nothing of it stays.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use super::address;
use crate::support::{
    api::{Client, Socket, lamp},
    attack::{Neighbour, Usage},
    binary::Server,
    database::{self, TestDatabase},
};

const OPEN: [&str; 4] = ["--payments", "simulated", "--rate-limit", "off"];

async fn serve(more: &[&str]) -> (TestDatabase, Server, Client) {
    let database = database::sqlite().await;
    let flags = [&OPEN[..], more].concat();
    let server = Server::start(&database.url, &flags);
    let client = Client::of(&server.address);
    (database, server, client)
}

/// Fragments that each spread the next many times.
fn chain(length: usize, spreads: usize, last: &str) -> String {
    let mut text = "{ ...f0 }".to_owned();
    for n in 0..length {
        let next = format!("...f{} ", n + 1).repeat(spreads);
        text += &format!(" fragment f{n} on Query {{ {next} }}");
    }
    text + &format!(" fragment f{length} on Query {{ {last} }}")
}

fn introspection(depth: usize) -> String {
    let mut text = "{ __type(name: \"Node\") { ...f0 } }".to_owned();
    for n in 0..depth {
        let next = if n + 1 < depth { format!("...f{}", n + 1) } else { "name".to_owned() };
        text += &format!(
            " fragment f{n} on __Type {{ a: possibleTypes {{ interfaces {{ {next} }} }} \
             b: possibleTypes {{ interfaces {{ {next} }} }} }}"
        );
    }
    text
}

fn each(count: usize, what: impl Fn(usize) -> String) -> String {
    (0..count).map(what).collect()
}

/// What multiplies.
fn small_and_dear() -> Vec<(&'static str, String)> {
    let cycle = "...f ".repeat(6);
    vec![
        ("a cycle", format!("subscription{{...f}} fragment f on Subscription{{{cycle}}}")),
        (
            "a chain of cycles",
            "{...a} fragment a on Query{...b ...b} fragment b on Query{...a}".into(),
        ),
        ("a chain", chain(7, 10, "id")),
        ("a chain of nothing", chain(8, 10, "__typename")),
        ("a long chain", chain(25, 10, "__typename")),
        ("a chain of one each", chain(90, 1, "__typename")),
        ("introspection five deep", introspection(5)),
        ("introspection six deep", introspection(6)),
        ("unknown fields", format!("{{ {} }}", each(6_000, |n| format!("u{n} ")))),
        ("fewer unknown fields", format!("{{ {} }}", each(900, |n| format!("unknown{n} ")))),
        ("type names", format!("{{ {} }}", "__typename ".repeat(2_900))),
        ("aliases", format!("{{ {} }}", each(2_000, |n| format!("a{n}: __typename ")))),
        ("overlapping aliases", format!("{{ {} }}", "a: auctions { nodes { id } } ".repeat(900))),
        (
            "arguments that differ",
            format!(
                "{{ {} }}",
                each(300, |n| format!("auctions(first: {n}) {{ nodes {{ id }} }} "))
            ),
        ),
        (
            "descriptions",
            format!(
                "{{ auctions(first: 50) {{ nodes {{ {} }} }} }}",
                each(30, |n| format!("a{n}: description "))
            ),
        ),
        (
            "pages of pages",
            format!(
                "{{ auctions(first: 100) {{ nodes {{ {} }} }} }}",
                each(30, |n| format!("a{n}: bids(first: 100) {{ nodes {{ id }} }} "))
            ),
        ),
        (
            "searches",
            format!(
                "{{ {} }}",
                each(30, |n| format!(
                    "a{n}: auctions(filter: {{query: \"{n}\"}}) {{ nodes {{ id }} }} "
                ))
            ),
        ),
    ]
}

/// What is long, deep or malformed.
fn floods() -> Vec<(&'static str, String)> {
    let nested = |open: &str, close: &str, by: usize| {
        format!(
            "{{ auctions(first: {}1{}) {{ nodes {{ id }} }} }}",
            open.repeat(by),
            close.repeat(by)
        )
    };
    vec![
        ("lists", nested("[", "]", 5_000)),
        ("lists within the bound", nested("[", "]", 50)),
        ("objects", nested("{a:", "}", 5_000)),
        ("selections", format!("{}id{}", "{ a ".repeat(3_000), " }".repeat(3_000))),
        ("operations", each(3_000, |n| format!("query q{n} {{ __typename }} "))),
        ("operations of one name", "query q { __typename } ".repeat(90)),
        (
            "fragments of one name",
            format!("{{ ...f }} {}", "fragment f on Query { __typename } ".repeat(90)),
        ),
        (
            "fragments that nobody spreads",
            format!(
                "{{ __typename }} {}",
                each(90, |n| format!("fragment f{n} on Query {{ __typename }} "))
            ),
        ),
        ("directives", format!("{{ __typename {} }}", "@skip(if: false) ".repeat(1_500))),
        ("unknown directives", format!("{{ __typename {} }}", each(2_000, |n| format!("@d{n} ")))),
        (
            "variables",
            format!("query({}) {{ __typename }}", each(1_500, |n| format!("$v{n}: Int "))),
        ),
        (
            "variables of unknown types",
            format!("query({}) {{ __typename }}", each(400, |n| format!("$v{n}: T{n} "))),
        ),
        (
            "a huge number",
            format!("{{ auctions(first: {}) {{ nodes {{ id }} }} }}", "9".repeat(30_000)),
        ),
        (
            "a huge fraction",
            format!(
                "{{ auctions(first: 1.{}e{}) {{ nodes {{ id }} }} }}",
                "9".repeat(9_000),
                "9".repeat(9_000)
            ),
        ),
        ("an open string", format!("{{ user(username: \"{}", "a".repeat(30_000))),
        ("an open block string", format!("{{ user(username: \"\"\"{}", "\"\" \\".repeat(8_000))),
        (
            "a block string of lines",
            format!("{{ nothing(a: \"\"\"{}\"\"\") }}", " \n  \n".repeat(5_000)),
        ),
        ("commas", format!("{{ {} __typename }}", ",".repeat(30_000))),
        ("comments", format!("{{ {} __typename }}", "#\n".repeat(15_000))),
        ("byte order marks", "\u{feff}".repeat(9_000)),
        ("escapes", format!("{{ nothing(a: \"{}\") }}", "\\uD800".repeat(5_000))),
        ("a long text", " ".repeat(40_000)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_document_is_refused_for_what_its_text_is_worth() {
    let (database, server, client) = serve(&[]).await;
    let neighbour = Neighbour::begin(address(&server)).await;
    let before = Usage::of(&server);
    for (what, text) in small_and_dear().into_iter().chain(floods()) {
        let attack = Usage::of(&server);
        for time in 0..3 {
            // Never the same, so that nothing is answered from what is kept.
            let reply = client.ask(&format!("{text}\n# {time}")).await;
            assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{what}: {}", reply.text);
            assert!(reply.body.get("data").is_none(), "{what}: {}", reply.text);
            assert!(reply.text.len() < 8_000, "{what}: {} bytes", reply.text.len());
            assert!(reply.body["errors"].as_array().unwrap().len() <= 20, "{what}");
        }
        eprintln!("{what}: {:?}", attack.cpu_since(&server));
        assert!(attack.cpu_since(&server) < Duration::from_secs(3), "{what}");
    }
    assert!(before.growth_since(&server) < 128 << 20, "{}", before.growth_since(&server));
    neighbour.end().await;
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_that_flood_are_refused_or_left_out() {
    let (database, server, client) = serve(&[]).await;
    let before = Usage::of(&server);
    let query = "query($filter: AuctionFilter) { auctions(filter: $filter) { nodes { id } } }";
    let (mut list, mut object) = (json!("x"), json!("x"));
    for _ in 0..100 {
        (list, object) = (json!([list]), json!({ "query": object }));
    }
    let unknown: Value = (0..3_000).map(|n| (format!("u{n}"), json!(n))).collect();
    for (what, filter) in [
        ("nested lists", json!({ "status": list })),
        ("nested objects", object),
        ("unknown fields", unknown.clone()),
        ("a long list", json!({ "status": vec!["NOTHING"; 5_000] })),
        ("a long text", json!({ "query": "x".repeat(60_000) })),
        ("a long number", json!({ "minPrice": 1e300 })),
    ] {
        let reply = client.send(query, json!({ "filter": filter })).await;
        assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{what}: {}", reply.text);
        assert!(reply.text.len() < 2_000, "{what}: {} bytes", reply.text.len());
    }
    let reply = client.send("{ __typename }", unknown).await;
    assert_eq!(reply.body, json!({ "data": { "__typename": "Query" } }));
    assert!(before.cpu_since(&server) < Duration::from_secs(10));
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_kept_within_a_bound_and_only_if_they_are_valid() {
    let (database, server, client) = serve(&["--document-cache-bytes", "2000000"]).await;
    client.ask("{ __typename }").await;
    let before = Usage::of(&server);
    for number in 0..150 {
        let invalid = format!("{{ u{number} {} }}", each(900, |n| format!("u{number}n{n} ")));
        assert_eq!(client.ask(&invalid).await.code(), Some("BAD_USER_INPUT"));
        let valid = format!("{{ {} }} # {number}", "__typename ".repeat(700));
        assert_eq!(client.ask(&valid).await.code(), None);
    }
    // Kept, the invalid ones took a megabyte each, and the valid ones half of that.
    assert!(before.growth_since(&server) < 64 << 20, "{}", before.growth_since(&server));
    server.stop();
    database.finish().await;
}

/// Auctions with descriptions as long as they may be.
async fn wordy(client: &Client, count: usize) -> Vec<String> {
    let seller = client.sign_up("wordy", None).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        let input = lamp(json!({ "description": "한".repeat(10_000), "bidUnit": "100" }));
        let reply = seller.mutate("createAuction", input, "auction { id }").await;
        ids.push(reply.text_at("/data/done/auction/id"));
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_written_up_to_its_bound() {
    let (database, server, client) = serve(&["--answer-bytes", "1000000"]).await;
    wordy(&client, 10).await;
    let descriptions = each(20, |n| format!("a{n}: description "));
    let query = format!("{{ auctions(first: 10) {{ nodes {{ {descriptions} }} }} }}");
    let before = Usage::of(&server);
    let reply = client.ask(&query).await;
    assert_eq!((reply.code(), reply.status), (Some("BAD_USER_INPUT"), 200), "{}", reply.text.len());
    assert!(reply.text.contains("1000000 bytes") && reply.text.len() < 300, "{}", reply.text);
    assert_eq!(client.ask(&query.replace("10", "1")).await.code(), None);
    assert!(before.growth_since(&server) < 96 << 20);
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_of_shared_subscriptions_are_kept_within_a_bound_of_them_all() {
    let (database, server, client) = serve(&["--shared-answer-bytes", "4000000"]).await;
    let auction = wordy(&client, 1).await.remove(0);
    let bidders = [client.sign_up("one", None).await, client.sign_up("two", None).await];
    for bidder in &bidders {
        bidder.deposit(10_000_000).await;
    }
    let mut socket = Socket::open(&client).await;
    let groups = 4;
    for group in 0..groups {
        let texts = each(30, |n| format!("g{group}a{n}: description "));
        let of = format!("auctionUpdated(auctionId: \"{auction}\")");
        let query = format!("subscription {{ {of} {{ auction {{ {texts} }} }} }}");
        socket.begin(&group.to_string(), &query).await;
        assert_eq!(socket.next().await.unwrap()["type"], "next");
    }
    let before = Usage::of(&server);
    for bid in 0..30_i32 {
        let amount = 20_000 + 100 * i64::from(bid);
        let reply = bidders[usize::from(bid % 2 == 0)].bid(&auction, amount).await;
        assert!(reply.refusals().is_empty(), "{}", reply.text);
        for _ in 0..groups {
            assert_eq!(socket.next().await.unwrap()["type"], "next");
        }
    }
    // All of them would be over a hundred.
    assert!(before.growth_since(&server) < 50 << 20, "{}", before.growth_since(&server));
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_may_be_off() {
    let (database, server, client) = serve(&["--introspection", "off"]).await;
    for query in ["{ __schema { queryType { name } } }", "{ __type(name: \"Auction\") { name } }"] {
        assert_eq!(client.ask(query).await.code(), Some("BAD_USER_INPUT"), "{query}");
    }
    let reply = client.ask("{ __typename auctions { nodes { __typename } } }").await;
    assert_eq!(reply.code(), None, "{}", reply.text);
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_has_its_time_and_says_so() {
    let database = database::postgres().await;
    let flags = [&OPEN[..], &["--query-timeout-seconds", "5"]].concat();
    let server = Server::start(&database.url, &flags);
    let client = Client::of(&server.address);
    let db = database.open().await;
    let held = db.write.begin().await.unwrap();
    held.execute_unprepared("LOCK TABLE auctions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let reply = client.ask("{ auctions { nodes { id } } }").await;
    assert_eq!((reply.code(), reply.status), (Some("OVERLOADED"), 200), "{}", reply.text);
    assert_eq!(client.ask("{ __typename }").await.code(), None);
    held.rollback().await.unwrap();
    assert_eq!(client.ask("{ auctions { nodes { id } } }").await.code(), None);
    db.close().await;
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_nobody_shares_has_its_time_and_waiting_for_one_has_none() {
    let database = database::postgres().await;
    let flags = [&OPEN[..], &["--query-timeout-seconds", "2"]].concat();
    let server = Server::start(&database.url, &flags);
    let client = Client::of(&server.address);
    let emma = client.sign_up("emma", None).await;
    let mut socket = Socket::open(&emma).await;
    let query = "subscription { viewerUpdated { wallet { transfers { nodes { id } } } } }";
    socket.begin("1", query).await;
    assert_eq!(socket.next().await.unwrap()["type"], "next");
    // Longer than an update may take to be read.
    tokio::time::sleep(Duration::from_secs(3)).await;
    emma.deposit(10).await;
    assert_eq!(socket.next().await.unwrap()["type"], "next");
    socket.send(&json!({ "type": "complete", "id": "1" })).await;
    let db = database.open().await;
    let held = db.write.begin().await.unwrap();
    held.execute_unprepared("LOCK TABLE transfers IN ACCESS EXCLUSIVE MODE").await.unwrap();
    socket.begin("2", query).await;
    let late = socket.next().await.unwrap();
    assert_eq!(late["type"], "error", "{late}");
    assert_eq!(late["payload"][0]["extensions"]["code"], "OVERLOADED", "{late}");
    held.rollback().await.unwrap();
    db.close().await;
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_who_takes_nothing_holds_up_no_answer_that_others_wait_for() {
    // Nobody is let go for being slow while this runs.
    let (database, server, client) = serve(&["--socket-write-timeout-seconds", "600"]).await;
    let auction = wordy(&client, 1).await.remove(0);
    let bidders = [client.sign_up("one", None).await, client.sign_up("two", None).await];
    for bidder in &bidders {
        bidder.deposit(10_000_000).await;
    }
    let of = format!("auctionUpdated(auctionId: \"{auction}\")");
    let same = format!("subscription {{ {of} {{ auction {{ bids {{ nodes {{ id }} }} }} }} }}");
    let mut silent = Vec::new();
    for number in 0..5 {
        let mut socket = Socket::open(&client).await;
        // Large, and at hand: while it is sent, the other one has begun to read the database.
        let texts = each(30, |n| format!("s{number}a{n}: description "));
        let large = format!("subscription {{ {of} {{ auction {{ {texts} }} }} }}");
        socket.begin("large", &large).await;
        socket.begin("same", &same).await;
        silent.push(socket);
    }
    let mut honest = Socket::open(&client).await;
    honest.begin("same", &same).await;
    assert_eq!(honest.next().await.unwrap()["type"], "next");
    for bid in 0..20_i32 {
        let amount = 20_000 + 100 * i64::from(bid);
        let reply = bidders[usize::from(bid % 2 == 0)].bid(&auction, amount).await;
        assert!(reply.refusals().is_empty(), "{}", reply.text);
        // A guard: pings come all the while, so the socket itself never seems silent.
        let next = tokio::time::timeout(Duration::from_secs(60), honest.next()).await;
        assert_eq!(next.expect("held up").unwrap()["type"], "next");
    }
    drop((silent, honest));
    server.stop();
    database.finish().await;
}
