//! The API as clients see it: GraphQL over POST and over a WebSocket, to a house in this process
//! or in another. Every reply is kept as it came, so that a test may search what was never said.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use neighborbid::{
    app::{Config, House},
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig},
    engine::Clock,
};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{ClientRequestBuilder, Message},
};

use super::TestDatabase;

/// A guard against hanging, not a measure.
const HANGS: Duration = Duration::from_secs(60);

/// The password of everybody who signs up here.
pub const PASSWORD: &str = "correct horse battery";

#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    house: HouseConfig,
    #[command(flatten)]
    clients: ClientConfig,
}

/// A house in this process, on a port of its own, with simulated payments and no rate limits
/// where `more` flags say nothing else.
pub async fn house(database: &TestDatabase, more: &[&str]) -> House {
    let mut flags = vec!["test", "--listen", "127.0.0.1:0", "--admin-listen", "off"];
    flags.push("--database-url");
    flags.push(&database.url);
    let defaults = [("--payments", "simulated"), ("--rate-limit", "off")];
    for (flag, value) in defaults {
        if !more.contains(&flag) {
            flags.extend([flag, value]);
        }
    }
    flags.extend(more);
    let flags = Flags::parse_from(flags);
    let config = Config {
        database: flags.database,
        bus: BusConfig::none(),
        house: flags.house,
        clients: flags.clients,
        clock: Clock::Real,
    };
    House::open(config).await.unwrap()
}

/// Somebody who talks to a house over HTTP.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    pub token: Option<String>,
    /// What a proxy says of where the client is.
    forwarded: Option<String>,
    /// Every body that came back to this client and those made of it.
    heard: Arc<Mutex<Vec<String>>>,
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Client {
    /// Somebody who is not signed in.
    pub fn of(address: impl ToString) -> Self {
        let http = reqwest::Client::builder().timeout(HANGS).no_proxy();
        Self {
            http: http.build().unwrap(),
            address: address.to_string(),
            token: None,
            forwarded: None,
            heard: Arc::default(),
        }
    }

    /// The same from another address of this machine.
    pub fn from_here(&self, here: [u8; 4]) -> Self {
        let http = reqwest::Client::builder().timeout(HANGS).no_proxy();
        Self { http: http.local_address(IpAddr::from(here)).build().unwrap(), ..self.clone() }
    }

    /// The same behind a proxy that says where the client is.
    pub fn forwarded_for(&self, address: &str) -> Self {
        Self { forwarded: Some(address.to_owned()), ..self.clone() }
    }

    /// The same with another token, or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        let token = token.map(str::to_owned);
        Self { token, ..self.clone() }
    }

    /// All that was ever answered.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Asks, without variables.
    pub async fn ask(&self, query: &str) -> Reply {
        self.send(query, json!({})).await
    }

    /// Asks, with variables.
    pub async fn send(&self, query: &str, variables: Value) -> Reply {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.post(body).await.unwrap()
    }

    /// Posts a body as JSON.
    pub async fn post(&self, body: String) -> reqwest::Result<Reply> {
        let mut request = self
            .http
            .post(format!("http://{}/graphql", self.address))
            .header("content-type", "application/json")
            .body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(forwarded) = &self.forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        self.heard.lock().unwrap().push(text.clone());
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply { status, headers, text, body })
    }

    /// GETs another path: its status and its body.
    pub async fn get(&self, path: &str) -> reqwest::Result<(u16, String)> {
        let url = format!("http://{}{path}", self.address);
        let response = self.http.get(url).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Runs a mutation of one field with one `input`; answers with what it selects.
    pub async fn mutate(&self, field: &str, input: Value, selected: &str) -> Reply {
        let kind = match field {
            "depositToWallet" | "withdrawFromWallet" => "WalletAmountInput".to_owned(),
            "unblockBidder" => "BlockBidderInput".to_owned(),
            other => format!("{}{}Input", other[..1].to_uppercase(), &other[1..]),
        };
        let query = format!(
            "mutation($input: {kind}!) {{ done: {field}(input: $input) \
             {{ {selected} userErrors {{ code message field }} }} }}"
        );
        self.send(&query, json!({ "input": input })).await
    }

    /// Somebody new, signed in.
    pub async fn sign_up(&self, name: &str, home: Option<&str>) -> Self {
        let home = home.map(|code| format!("reg_{code}"));
        let input = json!({ "username": name, "password": PASSWORD, "homeRegion": home });
        let reply = self.mutate("signUp", input, "session { token }").await;
        let token = reply.at("/data/done/session/token");
        self.with_token(Some(token.as_str().unwrap()))
    }

    /// The viewer's id.
    pub async fn id(&self) -> String {
        let reply = self.ask("{ viewer { user { id } } }").await;
        reply.text_at("/data/viewer/user/id")
    }

    /// Puts money into the viewer's own wallet.
    pub async fn deposit(&self, amount: i64) {
        let key = format!("deposit of {amount}");
        let input = json!({ "amount": amount, "idempotencyKey": key });
        let reply = self.mutate("depositToWallet", input, "wallet { available }").await;
        assert!(reply.refusals().is_empty(), "{}", reply.text);
    }

    /// Lists an auction, with what `more` changes of a lamp; answers with its id.
    pub async fn list(&self, more: Value) -> String {
        let reply = self.mutate("createAuction", lamp(more), "auction { id }").await;
        reply.text_at("/data/done/auction/id")
    }

    /// Bids up to the amount.
    pub async fn bid(&self, auction: &str, amount: i64) -> Reply {
        let input = json!({ "auctionId": auction, "amount": amount });
        self.mutate("placeBid", input, "bid { id } auction { currentPrice }").await
    }
}

/// The input of an auction of a lamp from 10,000 that runs for a day, with what `more` changes;
/// a null takes a field out.
pub fn lamp(more: Value) -> Value {
    let ends_at = chrono::Utc::now() + chrono::TimeDelta::days(1);
    let mut input = json!({
        "title": "황동 스탠드 램프",
        "description": "A brass lamp.",
        "startingPrice": "10000",
        "endsAt": ends_at.to_rfc3339(),
    });
    let fields = input.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => fields.remove(name),
            value => fields.insert(name.clone(), value.clone()),
        };
    }
    input
}

impl Reply {
    /// What stands at a JSON pointer; it must be there.
    pub fn at(&self, pointer: &str) -> &Value {
        let found = self.body.pointer(pointer);
        found.unwrap_or_else(|| panic!("nothing at {pointer}: {}", self.text))
    }

    /// The text at a JSON pointer.
    pub fn text_at(&self, pointer: &str) -> String {
        let found = self.at(pointer).as_str();
        found.unwrap_or_else(|| panic!("no text at {pointer}: {}", self.text)).to_owned()
    }

    /// The texts at `pointer` inside each element of the list at `list`.
    pub fn texts(&self, list: &str, pointer: &str) -> Vec<String> {
        let elements = self.at(list).as_array().unwrap();
        let text = |element: &Value| element.pointer(pointer)?.as_str().map(str::to_owned);
        elements.iter().map(|element| text(element).unwrap()).collect()
    }

    /// The first top-level error's code, if there is one.
    pub fn code(&self) -> Option<&str> {
        self.body.pointer("/errors/0/extensions/code")?.as_str()
    }

    /// The refusals of a [`Client::mutate`], each as `CODE` or `CODE at field.field`.
    pub fn refusals(&self) -> Vec<String> {
        let errors = self.at("/data/done/userErrors").as_array().unwrap();
        let refusal = |error: &Value| {
            assert!(!error["message"].as_str().unwrap().is_empty());
            let code = error["code"].as_str().unwrap();
            match error["field"].as_array() {
                None => code.to_owned(),
                Some(path) => {
                    let path: Vec<_> = path.iter().map(|part| part.as_str().unwrap()).collect();
                    format!("{code} at {}", path.join("."))
                }
            }
        };
        errors.iter().map(refusal).collect()
    }
}

/// A graphql-transport-ws connection.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens one, signed in as the client is, and waits for the acknowledgement.
    pub async fn open(client: &Client) -> Self {
        let url = format!("ws://{}/graphql", client.address).parse().unwrap();
        let request = ClientRequestBuilder::new(url).with_sub_protocol("graphql-transport-ws");
        let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut socket = Self(stream);
        let payload =
            client.token.as_ref().map(|t| json!({ "authorization": format!("Bearer {t}") }));
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await, Ok(json!({ "type": "connection_ack" })));
        socket
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        let frame = Message::text(message.to_string());
        self.0.send(frame).await.unwrap();
    }

    /// Begins an operation.
    pub async fn begin(&mut self, id: &str, query: &str) {
        let message = json!({ "type": "subscribe", "id": id, "payload": { "query": query } });
        self.send(&message).await;
    }

    /// The next message; or, as an error, the code of the close.
    pub async fn next(&mut self) -> Result<Value, u16> {
        loop {
            let frame = tokio::time::timeout(HANGS, self.0.next()).await;
            match frame.expect("the socket is silent") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Err(1006),
            }
        }
    }
}
