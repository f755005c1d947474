//! `serve`: how it starts, what it tells operators, what it never tells anybody, and how it ends.

use std::{collections::HashMap, time::Duration};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{
    TestDatabase,
    api::{Client, PASSWORD, Socket},
    binary::Server,
    database, on_both,
};

const SIMULATED: [&str; 2] = ["--payments", "simulated"];

/// A seller's lamp and a bidder with money.
async fn a_sale(client: &Client) -> (String, Client) {
    let seller = client.sign_up("seller", None).await;
    let bidder = client.sign_up("bidder", None).await;
    bidder.deposit(100_000).await;
    (seller.list(json!({})).await, bidder)
}

fn watch(auction: &str) -> String {
    format!("subscription {{ auctionUpdated(auctionId: {auction:?}) {{ sequence }} }}")
}

/// Holds what a bid needs until it is told to let go.
async fn hold(db: &TestDatabase) -> DatabaseConnection {
    let mut options = ConnectOptions::new(&db.url);
    options.max_connections(1).sqlx_logging(false);
    let held = Database::connect(options).await.unwrap();
    let sql = if db.is_postgres() {
        "BEGIN; SELECT id FROM auctions FOR UPDATE;"
    } else {
        "BEGIN IMMEDIATE"
    };
    held.execute_unprepared(sql).await.unwrap();
    held
}

/// Waits until `holds`; a guard ends a wait for what never comes.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..6_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// A house with a watcher, an idle socket, and a sale whose bids wait for a lock.
struct Busy {
    server: Server,
    client: Client,
    lamp: String,
    bidder: Client,
    sockets: [Socket; 2],
    held: DatabaseConnection,
}

impl Busy {
    async fn house(db: &TestDatabase) -> Self {
        let server = Server::start(&db.url, &SIMULATED);
        let client = Client::of(&server.address);
        let (lamp, bidder) = a_sale(&client).await;
        let mut watcher = Socket::open(&client).await;
        watcher.begin("1", &watch(&lamp)).await;
        assert_eq!(watcher.next().await.unwrap()["type"], "next", "the snapshot");
        let sockets = [watcher, Socket::open(&client).await];
        let held = hold(db).await;
        Self { server, client, lamp, bidder, sockets, held }
    }

    /// Sends the signal while a bid waits, and lets the bid go on when the house is closing.
    async fn ends_by(&mut self, signal: &str) {
        until("a bid waits", async || waiting_bids(&self.server).await == 1.0).await;
        self.server.signal(signal);
        for socket in &mut self.sockets {
            assert_eq!(close_of(socket).await, 1001);
        }
        until("it accepts nothing more", async || self.client.get("/healthz").await.is_err()).await;
        let told = Client::of(&self.server.admin).get("/readyz").await.unwrap();
        assert_eq!(told, (503, "closing\n".to_owned()), "operators know why");
        self.held.execute_unprepared("ROLLBACK").await.unwrap();
    }

    /// The house has ended well, and the bid is there.
    async fn has_ended(self, db: &TestDatabase) {
        let (code, log) = self.server.end();
        assert_eq!(code, Some(0), "{log}");
        let bids = database::number_of(&self.held, "SELECT COUNT(*) FROM bids").await.unwrap();
        assert_eq!(bids, 1);
        self.held.close().await.unwrap();
        db.audit().await;
    }
}

async fn close_of(socket: &mut Socket) -> u16 {
    loop {
        if let Err(code) = socket.next().await {
            return code;
        }
    }
}

/// How many bids have arrived and have no verdict yet.
async fn waiting_bids(server: &Server) -> f64 {
    let numbers = metrics(server).await;
    let sum = |name: &str| -> f64 {
        let of = numbers.iter().filter(|(known, _)| known.starts_with(name));
        of.map(|(_, value)| value).sum()
    };
    sum("neighborbid_batch_bids_sum") - sum("neighborbid_bids_total")
}

/// Every number of `/metrics` by its name and labels.
async fn metrics(server: &Server) -> HashMap<String, f64> {
    let (status, text) = Client::of(&server.admin).get("/metrics").await.unwrap();
    assert_eq!(status, 200);
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let number = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(number).collect()
}

on_both! {
    async fn a_posted_bid_under_way_at_sigterm_is_answered(db: &TestDatabase) {
        let mut house = Busy::house(db).await;
        let (bidder, lamp) = (house.bidder.clone(), house.lamp.clone());
        let posted = tokio::spawn(async move { bidder.bid(&lamp, 10_000).await });
        house.ends_by("TERM").await;
        let reply = posted.await.unwrap();
        assert!(reply.refusals().is_empty(), "{}", reply.text);
        house.has_ended(db).await;
    }

    async fn a_bid_under_way_on_a_socket_at_ctrl_c_is_answered_before_it_closes(
        db: &TestDatabase
    ) {
        let mut house = Busy::house(db).await;
        let mut socket = Socket::open(&house.bidder).await;
        let input = format!("{{ auctionId: {:?}, amount: 10000, maximum: 20000 }}", house.lamp);
        let bid = format!("mutation {{ placeBid(input: {input}) {{ userErrors {{ code }} }} }}");
        socket.begin("1", &bid).await;
        house.ends_by("INT").await;
        let answer = socket.next().await.unwrap();
        assert_eq!(answer["payload"]["data"]["placeBid"]["userErrors"], json!([]), "{answer}");
        assert_eq!(socket.next().await.unwrap(), json!({ "type": "complete", "id": "1" }));
        assert_eq!(close_of(&mut socket).await, 1001);
        house.has_ended(db).await;
    }

    async fn operators_are_told_health_and_numbers(db: &TestDatabase) {
        let server = Server::start(&db.url, &SIMULATED);
        let client = Client::of(&server.address);
        let operator = Client::of(&server.admin);
        for asked in [&client, &operator] {
            assert_eq!(asked.get("/healthz").await.unwrap(), (200, "ok\n".to_owned()));
            assert_eq!(asked.get("/readyz").await.unwrap(), (200, "ready\n".to_owned()));
        }
        assert_eq!(client.get("/metrics").await.unwrap().0, 404);
        assert_eq!(operator.get("/graphql?query={__typename}").await.unwrap().0, 404);
        assert_eq!(client.get("/nowhere").await.unwrap().0, 404);

        let (lamp, bidder) = a_sale(&client).await;
        let mut watcher = Socket::open(&client).await;
        watcher.begin("1", &watch(&lamp)).await;
        watcher.next().await.unwrap();
        for (amount, refused) in [(10_000, false), (10_500, true), (11_000, false)] {
            let reply = bidder.bid(&lamp, amount).await;
            assert_eq!(reply.refusals().is_empty(), !refused, "{}", reply.text);
        }
        watcher.next().await.unwrap();
        watcher.next().await.unwrap();

        let numbers = metrics(&server).await;
        for (name, value) in [
            ("neighborbid_bids_total{outcome=\"accepted\"}", 2.0),
            ("neighborbid_bids_total{outcome=\"refused\"}", 1.0),
            ("neighborbid_bid_seconds_count", 3.0),
            ("neighborbid_batch_bids_sum", 3.0),
            ("neighborbid_batch_bids_count", 3.0),
            ("neighborbid_batch_seconds_count", 3.0),
            ("neighborbid_lane_queue_bids_sum", 0.0),
            ("neighborbid_sockets", 1.0),
            ("neighborbid_watchers", 1.0),
            ("neighborbid_deliveries_total", 3.0),
        ] {
            let found = numbers.iter().find(|(known, _)| known.as_str() == name);
            assert_eq!(found.map(|(_, value)| *value), Some(value), "{name}: {numbers:#?}");
        }
        assert!(numbers["neighborbid_bid_seconds_sum"] > 0.0);
        drop(watcher);
        until("the watcher is gone", async || {
            let numbers = metrics(&server).await;
            numbers["neighborbid_sockets"] == 0.0 && numbers["neighborbid_watchers"] == 0.0
        })
        .await;
        server.stop();
    }

    async fn no_secret_is_logged_or_answered_but_in_the_session(db: &TestDatabase) {
        let mut flags = SIMULATED.to_vec();
        flags.extend(["--log", "trace"]);
        // The tests' Postgres trusts everybody, whatever the password.
        let url = db.url.replace("postgres@", "postgres:hunter40@");
        let server = Server::start(&url, &flags);
        let client = Client::of(&server.address);
        let (lamp, bidder) = a_sale(&client).await;
        let token = bidder.token.clone().unwrap();
        let right = json!({ "username": "bidder", "password": PASSWORD });
        let wrong = json!({ "username": "bidder", "password": "hunter42 hunter42" });
        let second = client.mutate("signIn", right, "session { token }").await;
        let second = second.text_at("/data/done/session/token");
        client.mutate("signIn", wrong, "session { token }").await;
        let taken = json!({ "username": "Bidder", "password": "hunter42 hunter43" });
        client.mutate("signUp", taken, "session { token }").await;
        client.ask("mutation { signIn(input: {password: \"hunter42 hunter44\"}) { x } }").await;
        let dead = "0123456789abcdef".repeat(4);
        client.with_token(Some(&dead)).ask("{ viewer { user { id } } }").await;
        client.with_token(Some("hunter42 hunter45")).ask("{ viewer { user { id } } }").await;
        bidder.bid(&lamp, 10_000).await;
        bidder.bid(&lamp, 10_000).await;
        bidder.ask("{ viewer { user { id username } wallet { available } } }").await;
        let mut socket = Socket::open(&bidder).await;
        socket.begin("1", "{ viewer { user { username } } }").await;
        let answered = socket.next().await.unwrap().to_string();
        client.with_token(Some(&second)).ask("mutation { signOut { signedOut } }").await;

        let log = server.stop();
        assert!(log.contains("\"message\":\"serving\""), "nothing was logged:\n{log}");
        let secrets = [PASSWORD, "hunter4", token.as_str(), second.as_str(), &dead, "argon2"];
        for secret in secrets {
            assert!(!log.contains(secret), "{secret} in the log:\n{log}");
            assert!(!answered.contains(secret), "{answered}");
        }
        let sessions = client.heard().into_iter().filter(|body| body.contains(&token)).count();
        assert_eq!(sessions, 1, "only signing up showed the token");
        for body in client.heard() {
            let secrets = [PASSWORD, "hunter4", &dead, "argon2", "password_hash"];
            assert!(!secrets.iter().any(|secret| body.contains(secret)), "{body}");
        }
    }

    async fn each_line_of_a_json_log_is_an_object(db: &TestDatabase) {
        let server = Server::start(&db.url, &["--log", "debug,sqlx=warn"]);
        let client = Client::of(&server.address);
        client.sign_up("somebody", None).await;
        let log = server.stop();
        for line in log.lines() {
            let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            for field in ["timestamp", "level", "target"] {
                assert!(entry[field].is_string(), "{line}");
            }
            assert!(entry["fields"]["message"].is_string(), "{line}");
        }
        assert!(log.contains("\"message\":\"closed\""), "{log}");
    }

    async fn three_processes_that_start_at_once_on_a_new_database_all_serve(db: &TestDatabase) {
        let new = database::empty(db.is_postgres()).await;
        let starting = [(); 3].map(|()| Server::starting(&new.url, &SIMULATED, &[]));
        let servers = starting.map(crate::support::binary::Starting::ready);
        let [first, second, third] = [0, 1, 2].map(|n| Client::of(&servers[n].address));
        for client in [&first, &second, &third] {
            assert_eq!(client.get("/readyz").await.unwrap().0, 200);
        }
        // They are one house: what one is told, the others know.
        let (lamp, bidder) = a_sale(&first).await;
        let elsewhere = second.with_token(bidder.token.as_deref());
        assert!(elsewhere.bid(&lamp, 10_000).await.refusals().is_empty());
        let seen = third.ask(&format!("{{ auction(id: {lamp:?}) {{ bidCount }} }}")).await;
        assert_eq!(seen.at("/data/auction/bidCount"), 1);
        let signed_out = elsewhere.ask("mutation { signOut { signedOut } }").await;
        assert_eq!(signed_out.at("/data/signOut/signedOut"), true);
        // Without a bus nobody is told: what was read is trusted for a second.
        let is_dead = async || {
            bidder.ask("{ viewer { user { id } } }").await.code() == Some("UNAUTHENTICATED")
        };
        until("the token is dead everywhere", is_dead).await;
        for server in servers {
            server.stop();
        }
        new.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_not_ready_while_postgres_does_not_answer() {
    let db = database::postgres().await;
    let server = Server::start(&db.url, &["--acquire-timeout-seconds", "1"]);
    let client = Client::of(&server.address);
    assert_eq!(client.get("/readyz").await.unwrap().0, 200);
    let (postgres, name) = db.url.rsplit_once('/').unwrap();
    let operator = Database::connect(format!("{postgres}/postgres")).await.unwrap();
    let allow = |allowed: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
    operator.execute_unprepared(&allow(false)).await.unwrap();
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    operator.execute_unprepared(&end).await.unwrap();
    until("it is not ready", async || client.get("/readyz").await.unwrap().0 == 503).await;
    // Why is for operators.
    assert_eq!(client.get("/readyz").await.unwrap().1, "not ready\n");
    let (status, why) = Client::of(&server.admin).get("/readyz").await.unwrap();
    assert!(status == 503 && why.contains("database"), "{why}");
    assert_eq!(client.get("/healthz").await.unwrap().0, 200, "it is alive all the same");
    operator.execute_unprepared(&allow(true)).await.unwrap();
    until("it is ready again", async || client.get("/readyz").await.unwrap().0 == 200).await;
    operator.close().await.unwrap();
    server.stop();
    db.finish().await;
}

/// Clients that have connected and are slow: nothing sent, nothing more, half a head, half a body,
/// a stream and many long answers that are not read.
async fn slow_clients(address: &str, lamp: &str) -> Vec<TcpStream> {
    let half_head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-ty";
    let half_body = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                     content-length: 100\r\n\r\n{\"query\":";
    let body = json!({ "query": watch(lamp) }).to_string();
    let stream = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         accept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let idle = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let long = "GET /graphiql/graphiql.min.js HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let mut slow = Vec::new();
    for said in ["", idle, half_head, half_body, &stream, &long] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(said.as_bytes()).await.unwrap();
        slow.push(client);
    }
    slow
}

on_both! {
    async fn slow_clients_keep_no_house_from_closing_well(db: &TestDatabase) {
        let server = Server::start(&db.url, &SIMULATED);
        let client = Client::of(&server.address);
        let (lamp, bidder) = a_sale(&client).await;
        let slow = slow_clients(&server.address, &lamp).await;
        let idle = Socket::open(&client).await;
        bidder.bid(&lamp, 10_000).await;
        server.stop();
        drop((slow, idle));
        let books = database::number_of(&db.open().await.read, "SELECT COUNT(*) FROM bids").await;
        assert_eq!(books.unwrap(), 1);
    }
}
