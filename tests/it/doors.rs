//! The doors: a full house tells newcomers so while those inside live on, and a socket that takes
//! nothing is told to come back.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::support::{
    api::{Client, Socket, house},
    on_both,
};

/// Only against hanging.
const GUARD: Duration = Duration::from_secs(60);

const ASK: &str = "GET /healthz HTTP/1.1\r\nhost: house\r\n\r\n";

/// Asks over a connection that is kept; the head of the answer, `None` when it is cut off.
async fn ask(stream: &mut TcpStream) -> Option<String> {
    stream.write_all(ASK.as_bytes()).await.ok()?;
    let mut answer = vec![0; 1_024];
    let read = timeout(GUARD, stream.read(&mut answer)).await.expect("an answer").ok()?;
    answer.truncate(read);
    (read > 0).then(|| String::from_utf8(answer).unwrap())
}

async fn is_let_in(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream).await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

on_both! {
    async fn a_full_house_says_so_and_those_inside_live_on(db: &TestDatabase) {
        let house = house(db, &["--connections", "3"]).await;
        let client = Client::of(house.address);
        let mut inside = Vec::new();
        for _ in 0..3 {
            inside.push(Socket::open(&client).await);
        }
        for _ in 0..5 {
            let mut newcomer = TcpStream::connect(house.address).await.unwrap();
            let answer = ask(&mut newcomer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            assert!(answer.contains("OVERLOADED") && answer.contains("retry-after"), "{answer}");
        }
        for socket in &mut inside {
            socket.send(&json!({ "type": "ping" })).await;
            assert_eq!(socket.next().await, Ok(json!({ "type": "pong" })));
        }
        inside.pop();
        let comes_in = async { while !is_let_in(house.address).await { sleep(PAUSE).await } };
        timeout(GUARD, comes_in).await.expect("a place that was left is given away");
        drop(inside);
        house.close().await.unwrap();
    }

    async fn a_socket_that_takes_nothing_is_told_to_come_back(db: &TestDatabase) {
        let house = house(db, &["--socket-write-timeout-seconds", "1"]).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let stream = socket.connect(house.address).await.unwrap();
        let url = format!("ws://{}/graphql", house.address);
        let mut request = url.into_client_request().unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = client_async(request, stream).await.unwrap();
        let init = json!({ "type": "connection_init" }).to_string();
        socket.send(Message::text(init)).await.unwrap();
        socket.next().await.unwrap().unwrap();
        // It asks for long answers again and again, and reads none of them.
        let (mut asks, mut answers) = socket.split();
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let asking = tokio::spawn(async move {
            let query = "{ __schema { types { name description fields { name description } } } }";
            for id in 0_u64.. {
                let (id, payload) = (id.to_string(), json!({ "query": query }));
                let ask = json!({ "type": "subscribe", "id": id, "payload": payload });
                if asks.send(Message::text(ask.to_string())).await.is_err() {
                    break;
                }
                count.fetch_add(1, Relaxed);
            }
        });
        // Nothing moves any more, and for longer than the house waits.
        let is_stuck = async {
            loop {
                let before = asked.load(Relaxed);
                sleep(Duration::from_secs(2)).await;
                if before > 0 && asked.load(Relaxed) == before {
                    break;
                }
            }
        };
        timeout(GUARD, is_stuck).await.expect("somebody who reads nothing gets stuck");
        asking.abort();
        let code = loop {
            match timeout(GUARD, answers.next()).await.unwrap() {
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                other => panic!("cut off without a word: {other:?}"),
            }
        };
        assert_eq!(code, Some(1_013));
        house.close().await.unwrap();
    }
}

/// Between two looks at a condition that will come.
const PAUSE: Duration = Duration::from_millis(20);
