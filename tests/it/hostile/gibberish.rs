//! Gibberish: random requests, socket messages and bytes. Each is answered or refused, none is a
//! fault of the server, and it goes on serving.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use proptest::{
    prelude::*,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    ClientRequestBuilder, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::support::{api::Client, binary::Server, database};

/// Only against hanging.
const GUARD: Duration = Duration::from_secs(60);

const CASES: usize = 150;

const UPGRADE: &str = "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
                       upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                       sec-websocket-protocol: graphql-transport-ws\r\n\r\n";

/// Something like JSON that a client may send in any place.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        documents().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let named = prop_oneof![
            ".{0,8}",
            Just("query".to_owned()),
            Just("id".to_owned()),
            Just("input".to_owned()),
            Just("persistedQuery".to_owned()),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(named, inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

/// Something like a document.
fn documents() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "(",
        ")",
        "...",
        "on",
        "Query",
        "query",
        "mutation",
        "subscription",
        "fragment",
        "f",
        "$a:",
        "ID!",
        "auctions",
        "nodes",
        "viewer",
        "__schema",
        "__typename",
        "auctionsUpdated",
        "@skip(if:true)",
        "first:1",
        "\"",
        "\"\"\"",
        "#",
        "한",
        "\u{0}",
        "-1e999",
        "id:\"auc_1\"",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.join(" "))
}

/// Something like a message of graphql-transport-ws.
fn messages() -> impl Strategy<Value = Message> {
    let kind = prop::sample::select(vec![
        "connection_init",
        "ping",
        "pong",
        "subscribe",
        "complete",
        "next",
        "",
    ]);
    let id = prop_oneof![
        Just(json!("1")),
        Just(json!("한".repeat(100))),
        Just(Value::Null),
        any::<u8>().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    let payload = prop_oneof![
        documents().prop_map(|query| json!({ "query": query })),
        (documents(), any_json()).prop_map(|(q, v)| json!({ "query": q, "variables": v })),
        any_json(),
    ];
    let message = (kind, id, payload).prop_map(|(kind, id, payload)| {
        Message::text(json!({ "type": kind, "id": id, "payload": payload }).to_string())
    });
    prop_oneof![
        6 => message,
        1 => ".{0,60}".prop_map(Message::text),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Message::binary),
        1 => prop::collection::vec(any::<u8>(), 0..120).prop_map(|b| Message::Ping(b.into())),
        1 => any::<u16>().prop_map(|code| {
            Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason: "".into() }))
        }),
    ]
}

/// `CASES` values, others each time; a case that fails is in the failure.
fn cases<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Iterator<Item = T> {
    let mut runner = TestRunner::default();
    (0..CASES).map(move |_| of.new_tree(&mut runner).unwrap().current())
}

/// It serves, and nothing in it has panicked or failed.
async fn is_well(server: &Server) {
    let reply = Client::of(&server.address).ask("{ __typename }").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("\"level\":\"ERROR\""), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_requests_are_answered_or_refused_and_never_faults() {
    let database = database::sqlite().await;
    let server = Server::start(&database.url, &["--rate-limit", "off"]);
    let http = reqwest::Client::builder().timeout(GUARD).no_proxy().build().unwrap();
    let url = format!("http://{}/graphql", server.address);
    let bodies = (any_json(), documents(), any_json());
    for (whole, query, part) in cases(bodies) {
        let params = json!({
            "query": query, "variables": part, "operationName": part, "extensions": part
        });
        for body in [whole.to_string(), params.to_string(), query.clone()] {
            let post = http.post(&url).header("content-type", "application/json");
            let status = post.body(body.clone()).send().await.unwrap().status().as_u16();
            assert!(status < 500, "{status}: {body}");
        }
        let (query, part) = (query.as_str(), part.to_string());
        let pairs = [("query", query), ("variables", &part), (&part, query), ("extensions", &part)];
        let asked = reqwest::Url::parse_with_params(&url, pairs).unwrap();
        let asked = http.get(asked).send().await.unwrap();
        assert!(asked.status().as_u16() < 500, "{}: {pairs:?}", asked.status());
    }
    is_well(&server).await;
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_messages_close_a_socket_at_most() {
    let database = database::sqlite().await;
    let server = Server::start(&database.url, &["--rate-limit", "off"]);
    for sent in cases(prop::collection::vec(messages(), 1..12)) {
        let mut socket = open(&server).await;
        socket.send(Message::text(r#"{"type":"connection_init"}"#)).await.unwrap();
        for message in sent.clone() {
            if socket.send(message).await.is_err() {
                break;
            }
        }
        let _ = socket.close(None).await;
        let ended = async { while let Some(Ok(_)) = socket.next().await {} };
        timeout(GUARD, ended).await.unwrap_or_else(|_| panic!("it stays open: {sent:?}"));
    }
    is_well(&server).await;
    server.stop();
    database.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_end_a_connection_at_most() {
    let database = database::sqlite().await;
    let server = Server::start(&database.url, &["--rate-limit", "off"]);
    let begun = prop::sample::select(vec![
        "",
        "GET ",
        "POST /graphql HTTP/1.1\r\n",
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        UPGRADE,
    ]);
    let bytes = prop::collection::vec(prop::num::u8::ANY, 0..200);
    for (begun, bytes) in cases((begun, bytes)) {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let _ = stream.write_all(&[begun.as_bytes(), &bytes].concat()).await;
        let _ = stream.shutdown().await;
        let mut heard = Vec::new();
        let ended = timeout(GUARD, stream.read_to_end(&mut heard)).await;
        assert!(ended.is_ok(), "it stays open: {begun:?} {bytes:?}");
    }
    is_well(&server).await;
    server.stop();
    database.finish().await;
}

type Raw = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

async fn open(server: &Server) -> Raw {
    let url = format!("ws://{}/graphql", server.address).parse().unwrap();
    let request = ClientRequestBuilder::new(url).with_sub_protocol("graphql-transport-ws");
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

/// RFC 6455, 5.5.1 and 7.1.1: a Close is answered with a Close, and then the server, which is to
/// close first, ends the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_is_answered_with_the_same_code() {
    let database = database::sqlite().await;
    let server = Server::start(&database.url, &[]);
    for code in [Some(1_000_u16), Some(1_001), Some(3_000), Some(4_999), None] {
        for is_initialised in [false, true] {
            let mut socket = open(&server).await;
            if is_initialised {
                socket.send(Message::text(r#"{"type":"connection_init"}"#)).await.unwrap();
                socket.next().await.unwrap().unwrap();
            }
            // By hand, so that what comes back is seen as it is: FIN and Close, a mask of zeros.
            let payload = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
            let length = 0x80 | u8::try_from(payload.len()).unwrap();
            let stream = socket.get_mut();
            stream.write_all(&[&[0x88, length, 0, 0, 0, 0], &payload[..]].concat()).await.unwrap();
            let mut heard = Vec::new();
            let read = timeout(GUARD, stream.read_to_end(&mut heard)).await.expect("it ends");
            read.expect("not with a reset");
            let length = u8::try_from(payload.len()).unwrap();
            assert_eq!(heard, [&[0x88, length], &payload[..]].concat(), "{code:?}");
        }
    }
    server.stop();
    database.finish().await;
}
