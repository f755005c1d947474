//! Every setting, with its default and its doc. Flags and environment variables are the same
//! settings; a flag wins. Checked once, at start.

mod bus;

use std::{
    net::SocketAddr,
    num::{NonZero, NonZeroU32},
    time::Duration,
};

use chrono::TimeDelta;
use clap::{Args, ValueEnum};

use crate::{
    domain::{auction::SoftClose, increments::IncrementTable, money::Currency, order::OrderTimes},
    engine::{LaneSettings, Rules},
    graphql::{Limits, RateSettings},
    http::{DocumentLimits, HttpSettings, Origins, SocketSettings},
    store::connection::PoolSettings,
};

pub use bus::BusConfig;

/// Where the data is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// SQLite or Postgres: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://neighborbid.db?mode=rwc",
        hide_env_values = true
    )]
    pub database_url: String,

    /// Connections that write; SQLite always has one
    #[arg(long, env = "NEIGHBORBID_WRITE_CONNECTIONS", default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub write_connections: u32,

    /// Connections that only read
    #[arg(long, env = "NEIGHBORBID_READ_CONNECTIONS", default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub read_connections: u32,

    /// How long to wait for a free connection
    #[arg(long, env = "NEIGHBORBID_ACQUIRE_TIMEOUT_SECONDS", default_value_t = 10)]
    pub acquire_timeout_seconds: u64,

    /// Postgres: how long one statement may run
    #[arg(long, env = "NEIGHBORBID_STATEMENT_TIMEOUT_SECONDS", default_value_t = 30)]
    pub statement_timeout_seconds: u64,

    /// How long a transaction waits for a row that another one holds, on SQLite for the write lock
    /// of another process, in milliseconds; then whoever wants it is answered OVERLOADED
    #[arg(long, env = "NEIGHBORBID_LOCK_TIMEOUT_MILLISECONDS", default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub lock_timeout_milliseconds: u64,

    /// Postgres: how long a transaction that writes may be silent, in milliseconds, before the
    /// server ends it: a process that is stopped in the middle of one must not hold its rows
    #[arg(long, env = "NEIGHBORBID_IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS",
        default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_in_transaction_timeout_milliseconds: u64,

    /// How long a COMMIT that was not answered is looked up: longer than the database takes to
    /// start again
    #[arg(long, env = "NEIGHBORBID_COMMIT_LOOKUP_SECONDS", default_value_t = 30)]
    pub commit_lookup_seconds: u64,
}

impl DatabaseConfig {
    /// As the store wants it.
    #[must_use]
    pub fn pools(&self) -> PoolSettings {
        PoolSettings {
            write_connections: self.write_connections,
            read_connections: self.read_connections,
            acquire_timeout: Duration::from_secs(self.acquire_timeout_seconds),
            statement_timeout: Duration::from_secs(self.statement_timeout_seconds),
            lock_timeout: Duration::from_millis(self.lock_timeout_milliseconds),
            idle_in_transaction_timeout: Duration::from_millis(
                self.idle_in_transaction_timeout_milliseconds,
            ),
            lookup_timeout: Duration::from_secs(self.commit_lookup_seconds),
        }
    }
}

/// Who moves money in and out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Payments {
    /// Only an admin.
    Admin,
    /// Anybody may deposit and withdraw: for demos and tests.
    Simulated,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// The house's numbers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "House")]
pub struct HouseConfig {
    /// Who moves money in and out of wallets
    #[arg(long, env = "NEIGHBORBID_PAYMENTS", value_enum, default_value = "admin")]
    pub payments: Payments,

    /// The one currency: its ISO 4217 code
    #[arg(long, env = "NEIGHBORBID_CURRENCY", default_value = "KRW", value_parser = currency_code)]
    pub currency: String,

    /// How many fraction digits the currency has
    #[arg(long, env = "NEIGHBORBID_CURRENCY_DIGITS", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=4))]
    pub currency_digits: u32,

    /// Least steps between bids by current price, in minor units: BELOW:STEP,…,STEP
    #[arg(
        long,
        env = "NEIGHBORBID_INCREMENTS",
        default_value = "10000:500,50000:1000,100000:2000,500000:5000,1000000:10000,50000"
    )]
    pub increments: IncrementTable,

    /// What the house takes of a sale, in hundredths of a percent
    #[arg(long, env = "NEIGHBORBID_FEE_BASIS_POINTS", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub fee_basis_points: u32,

    /// A bid this close to the end moves it, where the seller says nothing else
    #[arg(long, env = "NEIGHBORBID_SOFT_CLOSE_WINDOW_SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub soft_close_window_seconds: u32,

    /// To how long after a late bid the end moves, where the seller says nothing else
    #[arg(long, env = "NEIGHBORBID_SOFT_CLOSE_EXTENSION_SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub soft_close_extension_seconds: u32,

    /// By how much late bids may move the end in all
    #[arg(long, env = "NEIGHBORBID_SOFT_CLOSE_CAP_SECONDS", default_value_t = 3_600,
        value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub soft_close_cap_seconds: u32,

    /// With bids, an auction may be withdrawn until this long before its end
    #[arg(long, env = "NEIGHBORBID_CANCEL_CUTOFF_HOURS", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(0..=720))]
    pub cancel_cutoff_hours: u32,

    /// After that long without a handover, the buyer may cancel an order
    #[arg(long, env = "NEIGHBORBID_HANDOVER_HOURS", default_value_t = 72,
        value_parser = clap::value_parser!(u32).range(0..=8_760))]
    pub handover_hours: u32,

    /// That long after the handover, an order completes by itself
    #[arg(long, env = "NEIGHBORBID_RECEIPT_HOURS", default_value_t = 168,
        value_parser = clap::value_parser!(u32).range(0..=8_760))]
    pub receipt_hours: u32,

    /// How long a sign-in lasts
    #[arg(long, env = "NEIGHBORBID_SESSION_DAYS", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=365))]
    pub session_days: u32,

    /// Lanes that judge bids; by default as many as processors, and as connections that write at
    /// most: lanes whose bidders are the same people wait for each other
    #[arg(long, env = "NEIGHBORBID_LANES")]
    pub lanes: Option<usize>,

    /// How many bids one transaction judges at most
    #[arg(long, env = "NEIGHBORBID_BATCH", default_value_t = 256)]
    pub batch: usize,

    /// How many bids wait in a lane at most, half of them on one auction; one more is answered
    /// OVERLOADED
    #[arg(long, env = "NEIGHBORBID_LANE_QUEUE", default_value_t = 4_096)]
    pub lane_queue: usize,

    /// How many bids of one bidder wait in a lane at most, a quarter of them in line at a time; one
    /// more is answered OVERLOADED
    #[arg(long, env = "NEIGHBORBID_LANE_SHARE", default_value_t = 16)]
    pub lane_share: usize,
}

impl HouseConfig {
    /// As the engine wants it.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let seconds = |seconds: u32| TimeDelta::seconds(seconds.into());
        Rules {
            currency: Currency { code: self.currency.clone(), digits: self.currency_digits },
            increments: self.increments.clone(),
            fee_basis_points: self.fee_basis_points,
            soft_close: SoftClose {
                window: seconds(self.soft_close_window_seconds),
                extension: seconds(self.soft_close_extension_seconds),
                cap: seconds(self.soft_close_cap_seconds),
            },
            orders: OrderTimes {
                handover: TimeDelta::hours(self.handover_hours.into()),
                receipt: TimeDelta::hours(self.receipt_hours.into()),
            },
            cancel_cutoff: TimeDelta::hours(self.cancel_cutoff_hours.into()),
            session_lifetime: TimeDelta::days(self.session_days.into()),
            payments_are_simulated: self.payments == Payments::Simulated,
        }
    }

    /// As the lanes want it, where `writers` transactions may write at once.
    #[must_use]
    pub fn lanes(&self, writers: usize) -> LaneSettings {
        LaneSettings {
            lanes: self.lanes.unwrap_or_else(|| writers.min(cores())),
            batch: self.batch,
            queue: self.lane_queue,
            share: self.lane_share,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn currency_code(text: &str) -> Result<String, String> {
    let fits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    fits.then(|| text.to_owned()).ok_or_else(|| "three capital letters, like KRW".to_owned())
}

/// What clients may do.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Clients")]
pub struct ClientConfig {
    /// Where to listen
    #[arg(long, env = "NEIGHBORBID_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,

    /// Browser origins allowed besides our own, comma-separated
    #[arg(long, env = "NEIGHBORBID_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,

    /// Trust the last X-Forwarded-For: only behind a proxy of your own
    #[arg(long, env = "NEIGHBORBID_TRUST_PROXY")]
    pub trust_proxy: bool,

    /// Rate limits; off for benchmarks
    #[arg(long, env = "NEIGHBORBID_RATE_LIMIT", value_enum, default_value = "on")]
    pub rate_limit: Switch,

    /// Sign-ins and sign-ups an address may try a minute
    #[arg(long, env = "NEIGHBORBID_SIGN_INS_PER_MINUTE", default_value = "20")]
    pub sign_ins_per_minute: NonZeroU32,

    /// Bids a bidder may place a second
    #[arg(long, env = "NEIGHBORBID_BIDS_PER_SECOND", default_value = "10")]
    pub bids_per_second: NonZeroU32,

    /// The largest body, in bytes
    #[arg(long, env = "NEIGHBORBID_BODY_BYTES", default_value_t = 65_536)]
    pub body_bytes: usize,

    /// How deep a document's fields may nest
    #[arg(long, env = "NEIGHBORBID_DEPTH", default_value_t = 15)]
    pub depth: usize,

    /// What a document's fields may cost in all: one each, a page's once a row
    #[arg(long, env = "NEIGHBORBID_COMPLEXITY", default_value_t = 10_000)]
    pub complexity: usize,

    /// How many aliases a document may have
    #[arg(long, env = "NEIGHBORBID_ALIASES", default_value_t = 30)]
    pub aliases: usize,

    /// How many fields a document may ask for, after fragments are spread
    #[arg(long, env = "NEIGHBORBID_FIELDS", default_value_t = 1_000)]
    pub fields: usize,

    /// How many directives a field may carry
    #[arg(long, env = "NEIGHBORBID_DIRECTIVES", default_value_t = 5)]
    pub directives: usize,

    /// Name similar fields in errors about unknown ones: for development
    #[arg(long, env = "NEIGHBORBID_SUGGESTIONS")]
    pub suggestions: bool,

    /// How many connections may be open; by default as many as the system's limit of file
    /// descriptors leaves room for
    #[arg(long, env = "NEIGHBORBID_CONNECTIONS")]
    pub connections: Option<usize>,

    /// How many sockets an address may hold
    #[arg(long, env = "NEIGHBORBID_SOCKETS_PER_ADDRESS", default_value_t = 256)]
    pub sockets_per_address: usize,

    /// How many operations may run on a socket
    #[arg(long, env = "NEIGHBORBID_SOCKET_OPERATIONS", default_value_t = 50)]
    pub socket_operations: usize,

    /// How long a socket waits for connection_init
    #[arg(long, env = "NEIGHBORBID_CONNECTION_INIT_TIMEOUT_SECONDS", default_value_t = 10)]
    pub connection_init_timeout_seconds: u64,

    /// The largest message on a socket, in bytes
    #[arg(long, env = "NEIGHBORBID_SOCKET_MESSAGE_BYTES", default_value_t = 65_536)]
    pub socket_message_bytes: usize,

    /// How often a socket's peer is asked whether it lives
    #[arg(long, env = "NEIGHBORBID_SOCKET_PING_SECONDS", default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub socket_ping_seconds: u64,

    /// How long a socket's peer may take nothing before it is left
    #[arg(long, env = "NEIGHBORBID_SOCKET_WRITE_TIMEOUT_SECONDS", default_value_t = 30)]
    pub socket_write_timeout_seconds: u64,
}

impl ClientConfig {
    /// As the schema wants it.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            depth: self.depth,
            complexity: self.complexity,
            directives: self.directives,
            suggestions: self.suggestions,
        }
    }

    /// As the rate limits want it.
    #[must_use]
    pub fn rates(&self) -> Option<RateSettings> {
        (self.rate_limit == Switch::On).then_some(RateSettings {
            sign_ins_per_minute: self.sign_ins_per_minute,
            bids_per_second: self.bids_per_second,
        })
    }

    /// As HTTP wants it.
    #[must_use]
    pub fn http(&self) -> HttpSettings {
        HttpSettings {
            body_bytes: self.body_bytes,
            document: DocumentLimits { aliases: self.aliases, fields: self.fields },
            socket: SocketSettings {
                init_timeout: Duration::from_secs(self.connection_init_timeout_seconds),
                ping_interval: Duration::from_secs(self.socket_ping_seconds),
                write_timeout: Duration::from_secs(self.socket_write_timeout_seconds),
                message_bytes: self.socket_message_bytes,
                operations: self.socket_operations,
            },
            sockets_per_address: self.sockets_per_address,
            origins: Origins(self.allow_origin.clone()),
            trust_proxy: self.trust_proxy,
        }
    }
}

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
