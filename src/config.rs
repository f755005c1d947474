//! Every setting, with its default and its doc. Flags and environment variables are the same
//! settings; a flag wins. Checked once, at start.

mod bus;
mod clients;
mod database;
mod documents;
mod house;
mod listeners;
mod live;
mod rates;

use clap::ValueEnum;

pub use bus::BusConfig;
pub use clients::{ClientConfig, is_public};
pub use database::DatabaseConfig;
pub use documents::DocumentConfig;
pub use house::{HouseConfig, Payments, WrongDigits};
pub use listeners::{AdminListen, ListenerConfig};
pub use live::LiveConfig;
pub use rates::RateConfig;

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
