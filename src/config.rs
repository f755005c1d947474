//! Every setting, with its default and its doc. Flags and environment variables are the same
//! settings; a flag wins. Checked once, at start.

mod bus;
mod clients;
mod database;
mod house;
mod live;

use clap::ValueEnum;

pub use bus::BusConfig;
pub use clients::ClientConfig;
pub use database::DatabaseConfig;
pub use house::{HouseConfig, Payments};
pub use live::LiveConfig;

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
