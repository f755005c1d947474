//! `examples/embed.rs`, built and run: the engine behind stock async-graphql-axum in somebody's
//! own axum application is as safe as stock services can be, and one house with our own server.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::SystemTime,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::support::{
    TestDatabase,
    api::{Client, Socket},
    binary::Server,
    on_both,
};

/// Keeps a thread of the schema library's own validation busy for hours.
const HOSTILE: &str =
    "subscription{...f} fragment f on Subscription{...f ...f ...f ...f ...f ...f}";

/// The example's program. `cargo test` builds it with the tests; where only some of the tests were
/// built, it is built here.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().unwrap().parent().unwrap();
        let program = profile.join("examples/embed");
        let built = program.metadata().and_then(|file| file.modified());
        if built.is_ok_and(|built| built >= newest(root)) {
            return program;
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--example", "embed", "--target-dir"]);
        build.arg(profile.parent().unwrap()).current_dir(root);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "{build:?}");
        program
    })
}

/// When any of the sources was changed last.
fn newest(root: &Path) -> SystemTime {
    fn of(path: &Path) -> SystemTime {
        let own = path.metadata().and_then(|file| file.modified()).unwrap();
        if !path.is_dir() {
            return own;
        }
        let files = std::fs::read_dir(path).unwrap().map(|file| of(&file.unwrap().path()));
        files.fold(own, SystemTime::max)
    }
    let sources = ["Cargo.lock", "Cargo.toml", "examples", "src", "entity/src", "migration/src"];
    sources.map(|source| of(&root.join(source))).into_iter().fold(SystemTime::UNIX_EPOCH, Ord::max)
}

/// The application, on a port of its own.
struct Embedded {
    child: Child,
    address: String,
}

impl Embedded {
    fn start(database: &TestDatabase, more: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args(["--listen", "127.0.0.1:0", "--payments", "simulated"])
            .args(["--database-url", &database.url])
            .args(more)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| {
            panic!("the example said {line:?}");
        });
        Self { address: address.to_owned(), child }
    }

    fn client(&self) -> Client {
        Client::of(&self.address)
    }

    fn url(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    /// Stops it the way its users do.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn watch(client: &Client, auction: &str) -> Socket {
    let mut socket = Socket::open(client).await;
    let selected = "sequence kind bid { amount }";
    let query =
        format!("subscription {{ auctionUpdated(auctionId: \"{auction}\") {{ {selected} }} }}");
    socket.begin("1", &query).await;
    let first = socket.next().await.unwrap();
    assert_eq!(first["payload"]["data"]["auctionUpdated"]["kind"], "SNAPSHOT", "{first}");
    socket
}

/// The amount of the next bid that is told.
async fn told(socket: &mut Socket) -> Value {
    let update = socket.next().await.unwrap();
    update["payload"]["data"]["auctionUpdated"]["bid"]["amount"].clone()
}

on_both! {
    async fn a_bid_over_one_way_is_seen_over_the_other(database: &TestDatabase) {
        let stock = Embedded::start(database, &[]);
        let own = Server::start(&database.url, &["--payments", "simulated"]);
        let seller = stock.client().sign_up("ann", None).await;
        let lamp = seller.list(json!({})).await;
        let over_stock = stock.client().sign_up("bob", None).await;
        let over_own = Client::of(&own.address).sign_up("cho", None).await;
        let mut watchers = [watch(&over_stock, &lamp).await, watch(&over_own, &lamp).await];
        for (bidder, amount) in [(&over_stock, 10_000), (&over_own, 20_000)] {
            bidder.deposit(100_000).await;
            let reply = bidder.bid(&lamp, amount).await;
            assert!(reply.refusals().is_empty(), "{}", reply.text);
            for watcher in &mut watchers {
                assert_eq!(told(watcher).await, amount.to_string());
            }
        }
        let [mut socket, _] = watchers;
        let input = format!("{{auctionId: \"{lamp}\", amount: \"30000\"}}");
        let bid = format!("mutation {{ placeBid(input: {input}) {{ userErrors {{ code }} }} }}");
        socket.begin("2", &bid).await;
        let update = loop {
            let message = socket.next().await.unwrap();
            if message["id"] == "1" {
                break message;
            }
        };
        assert_eq!(update["payload"]["data"]["auctionUpdated"]["bid"]["amount"], "30000");
        own.stop();
        stock.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_document_is_refused_at_once_by_stock_services() {
    let database = crate::support::database::sqlite().await;
    let stock = Embedded::start(&database, &[]);
    let reply = stock.client().ask(HOSTILE).await;
    assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{}", reply.text);
    let mut socket = Socket::open(&stock.client()).await;
    socket.begin("1", HOSTILE).await;
    let refused = socket.next().await.unwrap();
    let code = &refused["payload"]["errors"][0]["extensions"]["code"];
    assert_eq!(code, "BAD_USER_INPUT", "{refused}");
    let reply = stock.client().ask("{ viewer { user { id } } }").await;
    assert_eq!(reply.text, r#"{"data":{"viewer":null}}"#);
    stock.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stock_services_let_in_is_kept_out_before_them() {
    let database = crate::support::database::sqlite().await;
    let more = ["--connection-init-timeout-seconds", "1", "--socket-operations", "2"];
    let stock = Embedded::start(&database, &more);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |kind: &'static str, body: String| {
        http.post(stock.url()).header("content-type", kind).body(body).send()
    };
    let input = "{username: \"eve\", password: \"correct horse battery\"}";
    let sign_up = format!("mutation {{ signUp(input: {input}) {{ session {{ token }} }} }}");
    let body = json!({ "query": sign_up }).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(post(kind, body.clone()).await.unwrap().status(), 415, "{kind}");
    }
    let large = json!({ "query": format!("{{ __typename }}#{}", "a".repeat(70_000)) });
    assert_eq!(post("application/json", large.to_string()).await.unwrap().status(), 413);
    let reply = post("application/json", format!("[{body},{body}]")).await.unwrap();
    assert!(reply.text().await.unwrap().contains("batches are off"));
    let query = utf8_percent_encode(&sign_up, NON_ALPHANUMERIC);
    let reply = http.get(format!("{}?query={query}", stock.url())).send().await.unwrap();
    assert!(reply.text().await.unwrap().contains("Mutations go over POST."));
    let upgrade = |origin: &'static str| {
        let request = http.get(stock.url()).header("connection", "upgrade");
        let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
        let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        request.header("sec-websocket-protocol", "graphql-transport-ws").header("origin", origin)
    };
    assert_eq!(upgrade("https://evil.example").send().await.unwrap().status(), 403);

    // Nothing of that has happened.
    let eve = stock.client().sign_up("eve", None).await;
    let mut socket = Socket::open(&eve).await;
    for id in ["1", "2", "3"] {
        socket.begin(id, "subscription { auctionsUpdated { kind } }").await;
    }
    // Which one is too many is the stock loop's to choose.
    let refused = socket.next().await.unwrap();
    let code = &refused["payload"]["errors"][0]["extensions"]["code"];
    assert_eq!(code, "RATE_LIMITED", "{refused}");
    eve.ask("mutation { signOut { __typename } }").await;
    let mut ended = 0;
    while ended < 2 {
        let message = socket.next().await.unwrap();
        if message["id"] != refused["id"] && message["type"] == "next" {
            assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
            ended += 1;
        }
    }
    stock.stop();
    let close = loop {
        if let Err(code) = socket.next().await {
            break code;
        }
    };
    assert_eq!(close, 1001);
    database.finish().await;
}
