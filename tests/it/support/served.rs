//! A whole house in this process, listening on a port of its own: as `serve` opens it, without
//! rate limits, with simulated payments.

use clap::Parser;
use neighborbid::{
    app::{Config, House},
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig},
    engine::Clock,
};

use super::TestDatabase;

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    house: HouseConfig,
    #[command(flatten)]
    clients: ClientConfig,
}

/// The flags of a house for tests.
pub fn flags(database: &TestDatabase) -> Vec<String> {
    let pairs = [
        ("--database-url", database.url.as_str()),
        ("--listen", "127.0.0.1:0"),
        ("--admin-listen", "off"),
        ("--payments", "simulated"),
        ("--rate-limit", "off"),
    ];
    let flags = pairs.into_iter().flat_map(|(flag, value)| [flag, value]);
    flags.map(str::to_owned).collect()
}

/// Opens it.
pub async fn open(database: &TestDatabase) -> House {
    let name = std::iter::once("neighborbid".to_owned());
    let settings = Settings::parse_from(name.chain(flags(database)));
    let config = Config {
        database: settings.database,
        bus: BusConfig::none(),
        house: settings.house,
        clients: settings.clients,
        clock: Clock::Real,
    };
    House::open(config).await.unwrap()
}
