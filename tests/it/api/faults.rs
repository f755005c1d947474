//! What a fault of ours shows: its number to the client, its cause to the log, to nobody both.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{
    TestDatabase,
    api::{Client, Reply, Socket, lamp},
    binary::Server,
    on_both,
};

/// Words that only our inside uses.
const INSIDE: [&str; 9] = [
    "SELECT",
    "INSERT",
    "wallets",
    "relation",
    "no such table",
    "sqlx",
    "Query Error",
    "src/",
    "database",
];

/// The number under which the log has it; the reply says nothing else of it.
fn number(reply: &Reply) -> String {
    assert_eq!((reply.status, reply.code()), (200, Some("INTERNAL")), "{}", reply.text);
    for word in INSIDE {
        assert!(!reply.text.contains(word), "{word}: {}", reply.text);
    }
    let number = reply.text_at("/errors/0/extensions/requestId");
    assert_eq!(reply.headers["x-request-id"], number.as_str());
    number
}

/// Hides a table, or shows it again.
async fn rename(db: &TestDatabase, from: &str, to: &str) {
    let opened = db.open().await;
    let sql = format!("ALTER TABLE {from} RENAME TO {to}");
    opened.write.execute_unprepared(&sql).await.unwrap();
    opened.close().await;
}

on_both! {
    async fn a_fault_is_told_by_number_and_its_cause_is_in_the_log_only(db: &TestDatabase) {
        let server = Server::start(&db.url, &["--payments", "simulated"]);
        let client = Client::of(&server.address);
        let seller = client.sign_up("seller", None).await;
        let who = client.sign_up("mina", None).await;
        who.deposit(50_000).await;
        let id = seller.list(json!({})).await;
        rename(db, "wallets", "hidden").await;
        let mut numbers = Vec::new();
        for query in ["{ viewer { wallet { available } } }", "{ viewer { wallet { locked } } }"] {
            let reply = who.ask(query).await;
            numbers.push(number(&reply));
            assert_eq!(reply.at("/errors/0/path"), &json!(["viewer", "wallet"]));
        }
        let input = json!({ "amount": 1, "idempotencyKey": "k" });
        numbers.push(number(&who.mutate("depositToWallet", input, "").await));
        numbers.push(number(&who.bid(&id, 10_000).await));
        let mut socket = Socket::open(&who).await;
        socket.begin("1", "{ viewer { wallet { available } } }").await;
        let pushed = socket.next().await.unwrap();
        let errors = &pushed["payload"]["errors"][0]["extensions"];
        assert_eq!(errors["code"], "INTERNAL", "{pushed}");
        numbers.push(errors["requestId"].as_str().unwrap().to_owned());
        assert!(!INSIDE.iter().any(|word| pushed.to_string().contains(word)), "{pushed}");
        rename(db, "hidden", "wallets").await;
        // It lives on.
        assert!(who.bid(&id, 10_000).await.refusals().is_empty());

        let log = server.stop();
        for number in numbers {
            let lines: Vec<_> = log.lines().filter(|line| line.contains(&number)).collect();
            assert_eq!(lines.len(), 1, "{number} in the log:\n{log}");
            assert!(lines[0].contains("\"level\":\"ERROR\""), "{}", lines[0]);
        }
        assert!(log.contains("wallets"), "the cause is in the log:\n{log}");
    }

    async fn a_token_that_cannot_be_looked_up_is_no_dead_token(db: &TestDatabase) {
        let server = Server::start(&db.url, &[]);
        let client = Client::of(&server.address);
        let who = client.sign_up("mina", None).await;
        rename(db, "sessions", "hidden").await;
        let reply = who.ask("{ viewer { user { id } } }").await;
        assert_eq!((reply.status, reply.code()), (500, Some("INTERNAL")), "{}", reply.text);
        assert!(reply.body["errors"][0]["extensions"]["requestId"].is_string(), "{}", reply.text);
        assert!(!INSIDE.iter().any(|word| reply.text.contains(word)), "{}", reply.text);
        // Who is signed out is served all the same.
        assert!(client.ask("{ auctions { nodes { id } } }").await.code().is_none());
        rename(db, "hidden", "sessions").await;
        assert!(who.ask("{ viewer { user { id } } }").await.code().is_none());
        server.stop();
    }

    async fn a_fault_in_the_middle_saves_nothing(db: &TestDatabase) {
        let server = Server::start(&db.url, &["--payments", "simulated"]);
        let client = Client::of(&server.address);
        let seller = client.sign_up("seller", None).await;
        let who = client.sign_up("mina", None).await;
        who.deposit(50_000).await;
        let id = seller.list(json!({})).await;
        let [events, keys] = ["auction_events", "idempotency_keys"].map(str::to_owned);
        rename(db, &events, "hidden").await;
        number(&who.bid(&id, 10_000).await);
        number(&seller.mutate("createAuction", lamp(json!({})), "").await);
        let edit = json!({ "id": id, "title": "changed" });
        number(&seller.mutate("updateAuction", edit, "").await);
        rename(db, "hidden", &events).await;
        rename(db, &keys, "hidden").await;
        let input = json!({ "amount": 1, "idempotencyKey": "k" });
        number(&who.mutate("depositToWallet", input, "").await);
        rename(db, "hidden", &keys).await;
        let seen = who.ask("{ auctions { nodes { title bidCount sequence } }
                            viewer { wallet { available locked } } }").await;
        assert_eq!(seen.at("/data"), &json!({
            "auctions": { "nodes": [{ "title": "황동 스탠드 램프", "bidCount": 0, "sequence": 1 }] },
            "viewer": { "wallet": { "available": "50000", "locked": "0" } },
        }));
        server.stop();
    }
}

/// Asks with an id of one's own for the request; answers with the reply's id and text.
async fn ask_as(id: &str, query: &str, server: &Server, token: Option<&str>) -> (String, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("http://{}/graphql", server.address));
    let mut request = request.header("x-request-id", id).json(&json!({ "query": query }));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let reply = request.send().await.unwrap();
    let id = reply.headers()["x-request-id"].to_str().unwrap().to_owned();
    (id, reply.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_id_of_a_request_is_ours_or_a_trusted_proxys() {
    let db = crate::support::database::sqlite().await;
    let server = Server::start(&db.url, &[]);
    let (id, _) = ask_as("mine", "{ __typename }", &server, None).await;
    assert_ne!(id, "mine", "a client made it up");
    server.stop();

    let told = ["--trust-proxy", "--log", "info,neighborbid::request=debug"];
    let server = Server::start(&db.url, &told);
    let who = Client::of(&server.address).sign_up("mina", None).await;
    rename(&db, "wallets", "hidden").await;
    let query = "{ viewer { wallet { available } } }";
    let (id, text) = ask_as("proxy-1", query, &server, who.token.as_deref()).await;
    assert_eq!(id, "proxy-1");
    assert!(text.contains(r#""requestId":"proxy-1""#), "{text}");
    rename(&db, "hidden", "wallets").await;
    let too_long = "a".repeat(129);
    for unsafe_id in ["a b", "\"", too_long.as_str()] {
        let (id, _) = ask_as(unsafe_id, "{ __typename }", &server, None).await;
        assert_ne!(id, unsafe_id);
    }
    let log = server.stop();
    let lines = |words: &[&str]| {
        log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    };
    assert_eq!(lines(&["\"level\":\"ERROR\"", "proxy-1"]), 1, "{log}");
    assert_eq!(lines(&["answered", "\"id\":\"proxy-1\"", "\"status\":200"]), 1, "{log}");
    assert!(!log.contains("wallet {"), "queries are in no log:\n{log}");
    db.finish().await;
}
