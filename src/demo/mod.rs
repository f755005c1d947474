//! `neighborbid demo`: a server in a folder of its own, full of people, auctions and bidders that
//! keep bidding, so that a newcomer has something to look at and somebody to bid against.
//!
//! It is a client of the engine like any other: it signs up, deposits, lists and bids through the
//! use cases that the API calls, and never runs SQL. In reading order: `folder` (what it may
//! delete), `people`, `catalogue` and `goods` (what they sell), `stalls` (what is listed when),
//! `bidders` (how much they bid: pure), `lots`, `market` (the loop), `supply` and `deals`,
//! `ticker` and `banner` (the terminal).

mod banner;
mod bidders;
mod catalogue;
mod deals;
mod folder;
mod goods;
mod lots;
mod market;
mod people;
mod stalls;
mod supply;
#[cfg(test)]
mod tests;
mod text;
mod ticker;

use std::{
    future::Future,
    io::{ErrorKind, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};

use crate::{
    app::{self, Config, House},
    config::{BusConfig, ClientConfig, HouseConfig, Payments, is_public},
    engine::{self, Clock},
};
use folder::Folder;
use market::Market;
use ticker::Ticker;

/// The port on which the demo listens unless it is taken.
const USUAL_PORT: u16 = 8_000;

/// What only the demo needs.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Demo")]
pub struct DemoConfig {
    /// The folder of its own; what the last demo left there is deleted at start
    #[arg(long, env = "NEIGHBORBID_DEMO_FOLDER", default_value = "neighborbid-demo")]
    pub folder: PathBuf,

    /// Print nothing after the welcome
    #[arg(long, env = "NEIGHBORBID_DEMO_QUIET")]
    pub quiet: bool,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The folder holds something that no demo made.
    #[error("the folder {folder} holds {found}, which no demo made: name another with --folder")]
    NotOurs {
        /// The folder.
        folder: String,
        /// What is in it.
        found: String,
    },
    /// A demo runs in the folder.
    #[error("another demo runs in the folder {0}: stop it, or name another folder with --folder")]
    Busy(String),
    /// The folder cannot be used.
    #[error("the folder {0}: {1}")]
    Folder(String, std::io::Error),
    /// The goods are priced in another currency than the marketplace's.
    #[error("the demo's prices are whole won: leave out --currency")]
    Currency,
    /// Somebody listens there already.
    #[error("{0} is taken: name another address with --listen or --admin-listen")]
    Taken(SocketAddr),
    /// The server did not start or did not shut down well.
    #[error(transparent)]
    House(app::Failure),
    /// The sample data did not fit.
    #[error("filling the house: {0}")]
    Fill(#[from] engine::Error),
}

impl From<app::Failure> for Failure {
    fn from(failure: app::Failure) -> Self {
        match failure {
            app::Failure::Listen(wanted, error) if error.kind() == ErrorKind::AddrInUse => {
                Self::Taken(wanted)
            }
            other => Self::House(other),
        }
    }
}

/// Starts the server, fills it, says where everything is, and keeps it lively until `until`.
///
/// # Errors
/// When the folder or the address cannot be used, or the server fails.
pub async fn run(
    demo: DemoConfig,
    house: HouseConfig,
    clients: ClientConfig,
    until: impl Future<Output = ()>,
) -> Result<(), Failure> {
    if house.currency.code != "KRW" {
        return Err(Failure::Currency);
    }
    let folder = Folder::claim(&demo.folder)?;
    let wanted = clients.listeners.listen;
    let house = House::open(config(&folder, house, clients, Clock::Real)).await?;
    let (welcome, market) = match fill(&house, &folder).await {
        Ok(filled) => filled,
        Err(error) => {
            house.close().await?;
            return Err(error.into());
        }
    };
    if is_public(house.address) {
        let address = house.address;
        tracing::warn!("demo on {address}: its accounts' passwords are known to everybody");
    }
    if house.address.port() != wanted.port() && wanted.port() != 0 {
        say(&format!("\n{wanted} is taken: the demo listens on {} instead.\n", house.address));
    }
    say(&welcome);
    let bidding = tokio::spawn(market.run(Ticker::new(demo.quiet)));
    let stopped = async {
        until.await;
        bidding.abort();
    };
    house.run(stopped).await?;
    say("\nClosed. The next start begins afresh.\n");
    Ok(())
}

fn config(folder: &Folder, house: HouseConfig, mut clients: ClientConfig, clock: Clock) -> Config {
    let payments = Payments::Simulated;
    // Who names another port than the usual one wants that one.
    clients.listeners.may_move = clients.listeners.listen.port() == USUAL_PORT;
    let (database, house) = (folder.database(), HouseConfig { payments, ..house });
    Config { database, bus: BusConfig::none(), house, clients, clock }
}

async fn fill(house: &House, folder: &Folder) -> Result<(String, Market), engine::Error> {
    let engine = &house.engine;
    let people = people::arrive(engine).await?;
    let market = Market::open(Arc::clone(engine), people).await?;
    let welcome = banner::welcome(engine, house.address, house.admin, folder, &market).await?;
    Ok((welcome, market))
}

/// Writes to standard output; says whether anybody reads it.
fn say(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes());
    written.and_then(|()| out.flush()).is_ok()
}
