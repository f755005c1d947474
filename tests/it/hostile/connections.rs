//! Connections that are silent, slow, greedy or malformed: each is cut off in its time, and none
//! keeps newcomers or neighbours out.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::support::{
    TestDatabase,
    api::{Client, Socket},
    attack::Neighbour,
    binary::Server,
    database,
};

/// Only against hanging.
const GUARD: Duration = Duration::from_secs(60);

const OPEN: [&str; 4] = ["--payments", "simulated", "--rate-limit", "off"];

const ASK: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const HALF_HEAD: &str = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-ty";
const HALF_BODY: &str = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                         content-length: 100\r\n\r\n{\"query\":";

fn post(fields: &str, body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{fields}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn server(flags: &[&str]) -> (TestDatabase, Server) {
    let database = database::sqlite().await;
    let server = Server::start(&database.url, &[&OPEN[..], flags].concat());
    (database, server)
}

async fn ended((database, server): (TestDatabase, Server)) {
    let log = server.stop();
    assert!(!log.contains("panicked"), "{log}");
    database.finish().await;
}

/// Connects from an address of this machine and says something.
async fn say_from(here: [u8; 4], server: &Server, said: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((here, 0).into()).unwrap();
    let mut stream = socket.connect(server.address.parse().unwrap()).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    stream
}

async fn say(server: &Server, said: &str) -> TcpStream {
    say_from([127, 0, 0, 1], server, said).await
}

/// All that comes until the server closes.
async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let read = timeout(GUARD, stream.read_to_end(&mut heard)).await.expect("it stays open");
    // A reset is an end, too.
    let _ = read;
    String::from_utf8_lossy(&heard).into_owned()
}

/// The head of the next answer, at least.
async fn answer(stream: &mut TcpStream) -> String {
    let mut heard = vec![0; 4_096];
    let read = timeout(GUARD, stream.read(&mut heard)).await.expect("it is silent");
    heard.truncate(read.unwrap_or_default());
    String::from_utf8_lossy(&heard).into_owned()
}

async fn timed_out(server: &Server, wait: &str) -> f64 {
    let (_, text) = Client::of(&server.admin).get("/metrics").await.unwrap();
    let name = format!("neighborbid_connections_timed_out_total{{wait=\"{wait}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_wait_for_their_clients_lock_nobody_out() {
    let all = server(&["--connections", "40"]).await;
    for said in ["", HALF_HEAD, HALF_BODY, ASK] {
        let mut waiting = Vec::new();
        for _ in 0..45 {
            waiting.push(say(&all.1, said).await);
        }
        for _ in 0..5 {
            let heard = answer(&mut say(&all.1, ASK).await).await;
            assert!(heard.starts_with("HTTP/1.1 200"), "after {said:?}: {heard}");
        }
    }
    ended(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_again_and_again_drives_no_neighbour_out() {
    let all = server(&["--connections", "40"]).await;
    let neighbour = Neighbour::begin(all.1.address.parse().unwrap()).await;
    for _ in 0..20 {
        let mut waiting = Vec::new();
        for said in ["", HALF_HEAD, HALF_BODY].iter().cycle().take(45) {
            waiting.push(say_from([127, 0, 0, 9], &all.1, said).await);
        }
        sleep(Duration::from_millis(20)).await;
    }
    neighbour.end().await;
    ended(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wait_for_a_client_ends_in_its_time() {
    let all = server(&[
        "--head-timeout-seconds",
        "1",
        "--body-timeout-seconds",
        "1",
        "--idle-timeout-seconds",
        "3",
    ])
    .await;
    let dribble = async |begin: &str| {
        let (mut reader, mut writer) = say(&all.1, begin).await.into_split();
        let dribbling = tokio::spawn(async move {
            while writer.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(200)).await;
            }
        });
        let mut heard = Vec::new();
        let _ = timeout(GUARD, reader.read_to_end(&mut heard)).await.expect("it stays open");
        dribbling.abort();
        String::from_utf8(heard).unwrap()
    };
    assert_eq!(dribble(HALF_HEAD).await, "");
    let heard = dribble(HALF_BODY).await;
    assert!(heard.starts_with("HTTP/1.1 408") && heard.contains("connection: close"), "{heard}");
    let chunked = HALF_BODY.replace("content-length: 100", "transfer-encoding: chunked");
    let heard = dribble(&chunked.replace("{\"query\":", "FFFF\r\n{\"query\":")).await;
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    // Between requests, and before the first.
    let heard = to_the_end(&mut say(&all.1, ASK).await).await;
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    assert_eq!(to_the_end(&mut say(&all.1, "").await).await, "");
    for (wait, least) in [("head", 1.0), ("idle", 2.0)] {
        assert!(timed_out(&all.1, wait).await >= least, "{wait}");
    }
    ended(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_much_and_reads_next_to_nothing_is_let_go() {
    let all = server(&["--write-timeout-seconds", "1"]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(all.1.address.parse().unwrap()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let body = json!({ "query": "{ __schema { types { description fields { name } } } }" });
    let ask = post("", &body.to_string());
    let asking =
        tokio::spawn(async move { while writer.write_all(ask.as_bytes()).await.is_ok() {} });
    let reading = tokio::spawn(async move {
        // A byte now and then is next to nothing.
        while reader.read_u8().await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let let_go = async {
        while timed_out(&all.1, "write").await < 1.0 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(GUARD, let_go).await.expect("it is let go");
    reading.abort();
    asking.abort();
    ended(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_a_bound_on_connections_of_every_kind() {
    let all = server(&["--connections-per-address", "4"]).await;
    let client = Client::of(&all.1.address);
    let mut sockets = vec![Socket::open(&client).await, Socket::open(&client).await];
    let seller = client.sign_up("seller", None).await;
    let lamp = seller.list(json!({})).await;
    let watch = format!("subscription {{ auctionUpdated(auctionId: {lamp:?}) {{ sequence }} }}");
    let stream = post("accept: text/event-stream\r\n", &json!({ "query": watch }).to_string());
    // The client's own connection waits, so that it makes room.
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut opened = say(&all.1, &stream).await;
        assert!(answer(&mut opened).await.starts_with("HTTP/1.1 200"));
        streams.push(opened);
    }
    let refused = answer(&mut say(&all.1, ASK).await).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("RATE_LIMITED") && refused.contains("retry-after"), "{refused}");
    let elsewhere = answer(&mut say_from([127, 0, 0, 2], &all.1, ASK).await).await;
    assert!(elsewhere.starts_with("HTTP/1.1 200"), "{elsewhere}");
    sockets.pop();
    let comes_in = async {
        while !answer(&mut say(&all.1, ASK).await).await.starts_with("HTTP/1.1 200") {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(GUARD, comes_in).await.expect("a place that was left is given away");
    let told = all.1.lines_with("\"event\":\"connections_of_address\"");
    assert!((1..=6).contains(&told), "{}", all.1.log());
    ended(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_the_bounds_are_of_the_address_that_it_gives() {
    let all = server(&["--trust-proxy", "--connections-per-address", "2"]).await;
    let client = Client::of(&all.1.address);
    let lamp = client.sign_up("seller", None).await.list(json!({})).await;
    let watch = format!("subscription {{ auctionUpdated(auctionId: {lamp:?}) {{ sequence }} }}");
    let body = json!({ "query": watch }).to_string();
    let stream = async |forwarded: &str| {
        let fields =
            format!("x-forwarded-for: 10.9.9.9, {forwarded}\r\naccept: text/event-stream\r\n");
        let mut stream = say(&all.1, &post(&fields, &body)).await;
        let status = answer(&mut stream).await[9..12].to_owned();
        (stream, status)
    };
    let mut open = Vec::new();
    for (forwarded, expected) in [
        ("203.0.113.9", "200"),
        ("203.0.113.9:4711", "200"),
        ("203.0.113.9:4712", "429"),
        ("203.0.113.10", "200"),
        ("2001:db8:1:2::1", "200"),
        ("[2001:db8:1:2::2]:443", "200"),
        ("[2001:db8:1:2:3::3]", "429"),
        ("2001:db8:1:3::1", "200"),
        ("unknown", "400"),
        ("203.0.113.9, ", "400"),
    ] {
        let (stream, status) = stream(forwarded).await;
        assert_eq!(status, expected, "{forwarded}");
        open.push(stream);
    }
    let refused =
        answer(&mut say(&all.1, &post("x-forwarded-for: 2001:db8:1:2::9\r\n", "{}")).await).await;
    assert!(refused.contains("RATE_LIMITED") && refused.contains("retry-after: 5"), "{refused}");
    ended(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unusual_is_answered_and_what_is_monstrous_is_refused() {
    let all = server(&[]).await;
    let heard = to_the_end(&mut say(&all.1, "GET /healthz HTTP/1.0\r\n\r\n").await).await;
    assert!(heard.starts_with("HTTP/1.0 200"), "{heard}");
    let post = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\nconnection: close\r\n";
    let query = r#"{"query":"{__typename}"}"#;
    let chunks = format!("{:x};a=b\r\n{query}\r\n0\r\ntrailer: x\r\n\r\n", query.len());
    let heard = to_the_end(&mut say(&all.1, &format!("{post}\r\n{chunks}")).await).await;
    assert!(heard.starts_with("HTTP/1.1 200") && heard.contains("\"Query\""), "{heard}");
    let flood = to_the_end(
        &mut say(
            &all.1,
            &(ASK.repeat(1_000) + "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        )
        .await,
    )
    .await;
    assert_eq!(flood.matches("HTTP/1.1 200").count(), 1_001);
    // Each of these is refused, and the server lives on.
    let extension = format!("{post}\r\n1;{}\r\n", "x".repeat(1 << 20));
    let trailers = format!("{post}\r\n0\r\n{}", "a: b\r\n".repeat(1 << 16));
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let fields = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    for monstrous in [extension, trailers, head, fields] {
        let mut stream = TcpStream::connect(&all.1.address).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let mut heard = Vec::new();
        let both = async {
            let said = monstrous.as_bytes();
            let _ = tokio::join!(writer.write_all(said), reader.read_to_end(&mut heard));
        };
        timeout(GUARD, both).await.expect("it stays open");
        let heard = String::from_utf8_lossy(&heard);
        assert!(!heard.starts_with("HTTP/1.1 200"), "{}: {heard}", &monstrous[..80]);
    }
    let heard = answer(&mut say(&all.1, ASK).await).await;
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    ended(all).await;
}
