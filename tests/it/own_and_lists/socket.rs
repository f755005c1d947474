//! One's own affairs and a list as clients watch them: over a WebSocket to an open house.

use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use neighborbid::{
    app::{Config, House},
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig},
    engine::Clock,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::PATIENCE;
use crate::support::{TestDatabase, on_both};

/// The settings of a house, as the command line reads them.
#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    house: HouseConfig,
    #[command(flatten)]
    clients: ClientConfig,
}

async fn open(db: &TestDatabase) -> House {
    let listen = ["house", "--listen", "127.0.0.1:0", "--payments", "simulated"];
    let args = listen.into_iter().chain(["--database-url", db.url.as_str()]);
    let Settings { database, house, clients } = Settings::parse_from(args);
    let (bus, clock) = (BusConfig::none(), Clock::Real);
    House::open(Config { database, bus, house, clients, clock }).await.unwrap()
}

/// A connection that speaks graphql-transport-ws.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn connect(house: &House, token: Option<&str>) -> Self {
        let url = format!("ws://{}/graphql", house.address);
        let mut request = url.into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let mut socket = Self(connect_async(request).await.unwrap().0);
        let payload = token.map(|token| json!({ "authorization": format!("Bearer {token}") }));
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket
    }

    async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await;
            if let Message::Text(text) = message.expect("nothing came").unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    async fn start(&mut self, id: &str, query: &str) {
        self.send(&json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next answer's data.
    async fn data(&mut self) -> Value {
        let message = self.receive().await;
        assert_eq!(message["type"], "next", "{message}");
        assert!(message["payload"]["errors"].is_null(), "{message}");
        message["payload"]["data"].clone()
    }

    /// The next update of the brass lamp on a list; others before it are of early lamps.
    async fn brass_lamp(&mut self) -> Value {
        loop {
            let update = self.data().await["auctionsUpdated"].take();
            match update["auction"]["title"].as_str().unwrap() {
                "Brass lamp" => return update,
                title => assert_eq!(title, "Early lamp"),
            }
        }
    }

    /// The one answer of a query or a mutation.
    async fn ask(&mut self, query: &str) -> Value {
        self.start("ask", query).await;
        let data = self.data().await;
        assert_eq!(self.receive().await["type"], "complete");
        data
    }
}

/// A person with money who is signed in, and their connection.
async fn person(house: &House, name: &str) -> (String, Socket) {
    let mut door = Socket::connect(house, None).await;
    let sign_up = format!(
        "mutation {{ signUp(input: {{ username: \"{name}\", password: \"a lamp of brass\" }}) \
           {{ session {{ token }} userErrors {{ code }} }} }}"
    );
    let session = door.ask(&sign_up).await;
    let token = session["signUp"]["session"]["token"].as_str().unwrap().to_owned();
    let mut socket = Socket::connect(house, Some(&token)).await;
    let deposit = "mutation { depositToWallet(input: { amount: \"100000\", \
         idempotencyKey: \"d\" }) { wallet { available } userErrors { code } } }";
    let deposit = socket.ask(deposit).await;
    assert_eq!(deposit["depositToWallet"]["wallet"]["available"], "100000");
    (token, socket)
}

on_both! {
    async fn clients_watch_their_own_affairs_and_a_list(db: &TestDatabase) {
        let house = open(db).await;
        let (_, mut seller) = person(&house, "seller").await;
        let (anns, mut ann) = person(&house, "ann").await;
        let (_, mut ben) = person(&house, "ben").await;
        let mut own = Socket::connect(&house, Some(&anns)).await;
        let watch = "subscription { viewerUpdated { wallet { available locked } \
             notification { kind auction { title } } } }";
        own.start("own", watch).await;
        let wallet = |available: &str, locked: &str| {
            json!({ "available": available, "locked": locked })
        };
        let first = own.data().await;
        let expected = json!({ "wallet": wallet("100000", "0"), "notification": null });
        assert_eq!(first["viewerUpdated"], expected);

        let mut list = Socket::connect(&house, None).await;
        let watch = "subscription { auctionsUpdated(filter: { query: \"LAMP\" }) \
             { kind sequence auction { title currentPrice bidCount status } } }";
        list.start("list", watch).await;
        let ends_at = (chrono::Utc::now() + chrono::TimeDelta::days(1)).to_rfc3339();
        let create = |title: &str| format!(
            "mutation {{ createAuction(input: {{ title: \"{title}\", description: \"\", \
               condition: USED_A, shippingPayer: BUYER, scope: NATIONAL, \
               startingPrice: \"10000\", endsAt: \"{ends_at}\" }}) \
               {{ auction {{ id }} userErrors {{ code message }} }} }}"
        );
        // Nothing says when the list is watched but its first update.
        let shown = async |list: &mut Socket| {
            tokio::time::timeout(Duration::from_millis(100), list.data()).await.is_ok()
        };
        while {
            seller.ask(&create("Early lamp")).await;
            !shown(&mut list).await
        } {}
        seller.ask(&create("Chair")).await;
        let lamp = seller.ask(&create("Brass lamp")).await;
        let lamp = lamp["createAuction"]["auction"]["id"].as_str().unwrap().to_owned();
        let tick = |kind: &str, sequence: i32, price: &str, bids: i32, status: &str| json!({
            "kind": kind, "sequence": sequence, "auction": {
                "title": "Brass lamp", "currentPrice": price, "bidCount": bids, "status": status,
            },
        });
        assert_eq!(list.brass_lamp().await, tick("OPENED", 1, "10000", 0, "OPEN"));

        let bid = |amount: &str| format!(
            "mutation {{ placeBid(input: {{ auctionId: \"{lamp}\", amount: \"{amount}\" }}) \
               {{ bid {{ amount }} userErrors {{ code }} }} }}"
        );
        assert_eq!(ann.ask(&bid("10000")).await["placeBid"]["bid"]["amount"], "10000");
        let led = json!({ "wallet": wallet("90000", "10000"), "notification": null });
        assert_eq!(own.data().await["viewerUpdated"], led);
        assert_eq!(list.brass_lamp().await, tick("BID_PLACED", 2, "10000", 1, "OPEN"));
        ben.ask(&bid("11000")).await;
        let note = json!({ "kind": "OUTBID", "auction": { "title": "Brass lamp" } });
        let lost = json!({ "wallet": wallet("100000", "0"), "notification": note });
        assert_eq!(own.data().await["viewerUpdated"], lost);
        assert_eq!(list.brass_lamp().await, tick("BID_PLACED", 3, "11000", 2, "OPEN"));
        seller.ask(&format!("mutation {{ endAuctionEarly(input: {{ id: \"{lamp}\" }}) \
            {{ auction {{ status }} }} }}")).await;
        assert_eq!(list.brass_lamp().await, tick("SOLD", 4, "11000", 2, "SOLD"));

        let mut nobody = Socket::connect(&house, None).await;
        nobody.start("own", "subscription { viewerUpdated { wallet { locked } } }").await;
        let refused = nobody.receive().await.to_string();
        assert!(refused.contains("UNAUTHENTICATED"), "{refused}");
        house.close().await.unwrap();
    }
}
