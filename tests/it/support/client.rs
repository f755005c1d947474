//! The API as a front end calls it: GraphQL over HTTP with kept connections, and over
//! graphql-transport-ws. Every wait has a bound, so that a test fails and does not hang.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use entity::ids::{AuctionId, BidId, UserId};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// Only against hanging: nothing is measured with it.
const GUARD: Duration = Duration::from_secs(120);

const PLACE_BID: &str = "mutation Bid($input: PlaceBidInput!) { placeBid(input: $input) {
    bid { id amount sequence } userErrors { code }
    auction { sequence currentPrice minimumBid bidCount leader { id } } } }";

const WATCH: &str = "subscription Watch($id: ID!, $after: Int) {
    auctionUpdated(auctionId: $id, after: $after) { sequence kind bid { id amount }
    auction { sequence currentPrice minimumBid bidCount leader { id } } } }";

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum Lost {
    /// The connection broke: what became of the request is unknown.
    #[allow(dead_code)] // Why is shown by a test that fails.
    Broken(String),
    /// The house answered with errors, of these codes.
    Errors(Vec<String>),
}

fn broken(why: impl ToString) -> Lost {
    Lost::Broken(why.to_string())
}

/// The `data` of a GraphQL response.
fn data(mut response: Value) -> Result<Value, Lost> {
    match response.get("errors").and_then(Value::as_array) {
        None => Ok(response["data"].take()),
        Some(errors) => Err(Lost::Errors(
            errors.iter().map(|error| error["extensions"]["code"].to_string()).collect(),
        )),
    }
}

/// An amount, as the API writes it.
fn amount(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub token: String,
}

/// A bid to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub auction: AuctionId,
    pub amount: i64,
    pub maximum: Option<i64>,
    pub key: Option<String>,
}

impl Offer {
    fn variables(&self) -> Value {
        json!({ "input": {
            "auctionId": self.auction.to_string(),
            "amount": self.amount.to_string(),
            "maximum": self.maximum.map(|maximum| maximum.to_string()),
            "idempotencyKey": self.key,
        } })
    }
}

/// An auction, as an answer or an update shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub sequence: i64,
    pub price: i64,
    pub minimum: i64,
    pub bids: i64,
    pub leader: Option<UserId>,
}

impl Seen {
    fn of(auction: &Value) -> Option<Self> {
        Some(Self {
            sequence: auction["sequence"].as_i64()?,
            price: amount(&auction["currentPrice"]),
            minimum: amount(&auction["minimumBid"]),
            bids: auction["bidCount"].as_i64()?,
            leader: auction["leader"]["id"].as_str().map(|id| id.parse().unwrap()),
        })
    }
}

/// A bid that was accepted, as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub bid: BidId,
    pub amount: i64,
    pub sequence: i64,
    pub after: Seen,
}

/// The answer to a bid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Accepted(Placed),
    Refused { code: String, seen: Option<Seen> },
}

impl Answer {
    fn of(data: &Value) -> Self {
        let payload = &data["placeBid"];
        let seen = Seen::of(&payload["auction"]);
        match payload["userErrors"].as_array().unwrap().first() {
            Some(error) => {
                assert!(payload["bid"].is_null(), "refused, and yet a bid: {data}");
                Self::Refused { code: error["code"].as_str().unwrap().to_owned(), seen }
            }
            None => Self::Accepted(Placed {
                bid: payload["bid"]["id"].as_str().unwrap().parse().unwrap(),
                amount: amount(&payload["bid"]["amount"]),
                sequence: payload["bid"]["sequence"].as_i64().unwrap(),
                after: seen.unwrap(),
            }),
        }
    }
}

/// The house over HTTP. Cheap to share: its clones share their connections.
#[derive(Debug, Clone)]
pub struct Api {
    pub address: SocketAddr,
    http: reqwest::Client,
}

impl Api {
    pub fn new(address: SocketAddr) -> Self {
        let http = reqwest::Client::builder().timeout(GUARD).no_proxy();
        Self { address, http: http.build().unwrap() }
    }

    /// Runs one operation.
    pub async fn run(
        &self,
        token: Option<&str>,
        query: &str,
        variables: Value,
    ) -> Result<Value, Lost> {
        let request = self
            .http
            .post(format!("http://{}/graphql", self.address))
            .json(&json!({ "query": query, "variables": variables }));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.map_err(broken)?;
        data(response.json().await.map_err(broken)?)
    }

    /// A new person with money.
    pub async fn sign_up(&self, name: &str, money: i64) -> Person {
        let query = "mutation Join($input: SignUpInput!) { signUp(input: $input) {
            session { token } user { id } userErrors { code } } }";
        let input = json!({ "input": { "username": name, "password": "correct horse" } });
        let done = self.run(None, query, input).await.unwrap();
        let person = Person {
            id: done["signUp"]["user"]["id"].as_str().unwrap().parse().unwrap(),
            token: done["signUp"]["session"]["token"].as_str().unwrap().to_owned(),
        };
        if money > 0 {
            self.deposit(&person, money).await;
        }
        person
    }

    /// Money into one's own wallet.
    pub async fn deposit(&self, person: &Person, money: i64) {
        let query = "mutation Pay($input: WalletAmountInput!) { depositToWallet(input: $input) {
            userErrors { code } } }";
        let key = format!("deposit of {money}");
        let input = json!({ "input": { "amount": money.to_string(), "idempotencyKey": key } });
        let done = self.run(Some(&person.token), query, input).await.unwrap();
        assert_eq!(done["depositToWallet"]["userErrors"], json!([]));
    }

    /// A new auction that runs for a day. Unknown fields of `more` fail.
    pub async fn create_auction(&self, seller: &Person, more: Value) -> AuctionId {
        let query = "mutation Sell($input: CreateAuctionInput!) { createAuction(input: $input) {
            auction { id } userErrors { code message } } }";
        let ends_at = chrono::Utc::now() + chrono::TimeDelta::days(1);
        let mut input = json!({
            "title": "황동 램프", "description": "A brass lamp.", "startingPrice": "10000",
            "endsAt": ends_at.to_rfc3339(),
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let input = json!({ "input": input });
        let done = self.run(Some(&seller.token), query, input).await.unwrap();
        let id = done["createAuction"]["auction"]["id"].as_str();
        id.unwrap_or_else(|| panic!("not created: {done}")).parse().unwrap()
    }

    pub async fn place_bid(&self, bidder: &Person, offer: &Offer) -> Result<Answer, Lost> {
        let token = Some(bidder.token.as_str());
        let done = self.run(token, PLACE_BID, offer.variables()).await?;
        Ok(Answer::of(&done))
    }
}

/// The house over one WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
    /// What came for an operation while another one was waited for.
    waiting: HashMap<String, VecDeque<Value>>,
}

impl Socket {
    pub async fn open(address: SocketAddr, token: Option<&str>) -> Result<Self, Lost> {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let opened = timeout(GUARD, connect_async(request)).await.unwrap();
        let mut socket =
            Self { stream: opened.map_err(broken)?.0, next: 0, waiting: HashMap::new() };
        let payload = token.map(|token| json!({ "authorization": format!("Bearer {token}") }));
        socket.send(json!({ "type": "connection_init", "payload": payload })).await?;
        let ack = socket.receive().await?;
        assert_eq!(ack["type"], "connection_ack");
        Ok(socket)
    }

    async fn send(&mut self, message: Value) -> Result<(), Lost> {
        let message = Message::text(message.to_string());
        let sent = timeout(GUARD, self.stream.send(message)).await;
        sent.expect("the house takes nothing").map_err(broken)
    }

    async fn receive(&mut self) -> Result<Value, Lost> {
        loop {
            let message = timeout(GUARD, self.stream.next()).await;
            match message.expect("the house says nothing") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(broken(format!("{frame:?}"))),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broken(error)),
                None => return Err(broken("the end")),
            }
        }
    }

    /// Begins an operation; its id tells its answers from others'.
    pub async fn begin(&mut self, query: &str, variables: Value) -> Result<String, Lost> {
        self.next += 1;
        let id = self.next.to_string();
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "type": "subscribe", "id": id, "payload": payload })).await?;
        Ok(id)
    }

    /// Ends an operation.
    pub async fn end(&mut self, id: &str) -> Result<(), Lost> {
        self.send(json!({ "type": "complete", "id": id })).await
    }

    /// The next message for one operation.
    async fn message(&mut self, id: &str) -> Result<Value, Lost> {
        loop {
            if let Some(message) = self.waiting.get_mut(id).and_then(VecDeque::pop_front) {
                return Ok(message);
            }
            let message = self.receive().await?;
            let Some(of) = message["id"].as_str() else {
                continue;
            };
            self.waiting.entry(of.to_owned()).or_default().push_back(message);
        }
    }

    /// The next result of an operation; `None` when it is complete.
    pub async fn next(&mut self, id: &str) -> Result<Option<Value>, Lost> {
        let mut message = self.message(id).await?;
        match message["type"].as_str().unwrap() {
            "next" => data(message["payload"].take()).map(Some),
            "complete" => Ok(None),
            _ => data(json!({ "errors": message["payload"] })).map(Some),
        }
    }

    /// Sends a bid, and does not wait for its answer.
    pub async fn begin_bid(&mut self, offer: &Offer) -> Result<String, Lost> {
        self.begin(PLACE_BID, offer.variables()).await
    }

    /// The answer to a bid that was sent.
    pub async fn answer(&mut self, id: &str) -> Result<Answer, Lost> {
        let result = self.next(id).await?.expect("a mutation without result");
        assert_eq!(self.next(id).await?, None, "a mutation with two results");
        Ok(Answer::of(&result))
    }

    pub async fn place_bid(&mut self, offer: &Offer) -> Result<Answer, Lost> {
        let id = self.begin_bid(offer).await?;
        self.answer(&id).await
    }

    /// Begins to watch an auction.
    pub async fn watch(&mut self, auction: AuctionId, after: Option<i64>) -> Result<String, Lost> {
        let variables = json!({ "id": auction.to_string(), "after": after });
        self.begin(WATCH, variables).await
    }

    /// The next update of an auction that is watched; `None` when the stream has ended.
    pub async fn update(&mut self, id: &str) -> Result<Option<Update>, Lost> {
        Ok(self.next(id).await?.map(|result| Update::of(&result)))
    }
}

/// An update, as a watcher received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    pub sequence: i64,
    pub kind: String,
    /// The bid's id and amount.
    pub bid: Option<(BidId, i64)>,
    pub auction: Seen,
}

impl Update {
    fn of(result: &Value) -> Self {
        let update = &result["auctionUpdated"];
        let bid = &update["bid"];
        Self {
            sequence: update["sequence"].as_i64().unwrap(),
            kind: update["kind"].as_str().unwrap().to_owned(),
            bid: bid["id"].as_str().map(|id| (id.parse().unwrap(), amount(&bid["amount"]))),
            auction: Seen::of(&update["auction"]).unwrap(),
        }
    }

    pub fn is_snapshot(&self) -> bool {
        self.kind == "SNAPSHOT"
    }
}
