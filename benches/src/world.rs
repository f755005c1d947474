//! Who and what the load needs, made through the API as users make it: people with deep wallets
//! and auctions that end in a month, so that nothing but bidding happens.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    Result,
    http::Http,
    postgres::Postgres,
    server::{Server, audit},
};

/// How many people can bid at once.
pub const BIDDERS: usize = 256;

/// In each wallet: deep enough for ever, and all of them together far inside 64 bits.
const DEPOSIT: &str = "100000000000000";

const TEMPLATE: &str = "bench_people";

/// Everything that the rows share.
#[derive(Debug)]
pub struct Lab {
    pub postgres: Postgres,
    /// The program under test.
    pub program: PathBuf,
    pub rounds: usize,
    /// How long one side is measured at a time.
    pub slice: Duration,
    /// A tenth of the stored data.
    pub quick: bool,
    /// The bidders' tokens, good in every database of [`Lab::house`].
    pub bidders: Vec<String>,
    /// The seller's token.
    pub seller: String,
}

/// A server with a database of its own, in which the lab's people are.
#[derive(Debug)]
pub struct House {
    pub server: Server,
    pub database: String,
    url: String,
}

impl Lab {
    /// Starts Postgres and makes the people, once.
    pub async fn open(
        program: PathBuf,
        rounds: usize,
        slice: Duration,
        quick: bool,
    ) -> Result<Self> {
        let postgres = Postgres::start()?;
        postgres.create(TEMPLATE, None)?;
        let server = Server::start(&program, &postgres.url(TEMPLATE), &[])?;
        let address = server.address;
        let seller = sign_up(address, "seller".to_owned()).await?;
        // Hashing passwords takes processors, not patience: a few at a time.
        let turns = Arc::new(Semaphore::new(4));
        let mut signing = JoinSet::new();
        for number in 0..BIDDERS {
            let turns = Arc::clone(&turns);
            signing.spawn(async move {
                let _turn = turns.acquire().await?;
                let token = sign_up(address, format!("bidder{number}")).await?;
                deposit(address, &token).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(token)
            });
        }
        let bidders = signing.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
        drop(server);
        Ok(Self { postgres, program, rounds, slice, quick, bidders, seller })
    }

    /// A house in a fresh copy of the people's database.
    pub fn house(&self, database: &str, flags: &[&str]) -> Result<House> {
        self.postgres.create(database, Some(TEMPLATE))?;
        self.serve(database, flags)
    }

    /// A house in a database that is there already.
    pub fn serve(&self, database: &str, flags: &[&str]) -> Result<House> {
        let url = self.postgres.url(database);
        let server = Server::start(&self.program, &url, flags)?;
        Ok(House { server, database: database.to_owned(), url })
    }

    /// Asks the audit about a house, and fails when it finds anything.
    pub fn audit(&self, house: &House) -> Result<()> {
        audit(&self.program, &house.url)
    }

    /// Lists auctions, in order.
    pub async fn list(
        &self,
        house: &House,
        count: usize,
        description: &str,
    ) -> Result<Vec<String>> {
        let mut http = Http::open(house.server.address, Some(&self.seller)).await?;
        let mut ids = Vec::with_capacity(count);
        let ends_at = self.postgres.sql(
            "postgres",
            "SELECT to_char((now() + interval '29 days') AT TIME ZONE 'UTC', \
             'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
        )?;
        for number in 0..count {
            let input = json!({
                "title": format!("Brass lamp {number}"), "description": description,
                "startingPrice": "1000", "bidUnit": "1", "endsAt": ends_at.trim(),
            });
            let query = "mutation($input:CreateAuctionInput!){\
                         createAuction(input:$input){auction{id} userErrors{code}}}";
            let data = http.ask(query, json!({ "input": input })).await?;
            ids.push(text(&data, "/createAuction/auction/id")?);
        }
        Ok(ids)
    }
}

fn text(data: &Value, pointer: &str) -> Result<String> {
    let found = data.pointer(pointer).and_then(Value::as_str);
    Ok(found.ok_or_else(|| format!("no {pointer} in {data}"))?.to_owned())
}

async fn sign_up(address: SocketAddr, username: String) -> Result<String> {
    let mut http = Http::open(address, None).await?;
    let input = json!({ "username": username, "password": "a load of bids" });
    let query = "mutation($input:SignUpInput!){\
                 signUp(input:$input){session{token} userErrors{code}}}";
    let data = http.ask(query, json!({ "input": input })).await?;
    text(&data, "/signUp/session/token")
}

async fn deposit(address: SocketAddr, token: &str) -> Result<()> {
    let mut http = Http::open(address, Some(token)).await?;
    let input = json!({ "amount": DEPOSIT, "idempotencyKey": "deep pockets" });
    let query = "mutation($input:WalletAmountInput!){\
                 depositToWallet(input:$input){wallet{available} userErrors{code}}}";
    http.ask(query, json!({ "input": input })).await.map(|_| ())
}
