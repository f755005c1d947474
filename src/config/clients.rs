//! Settings of what clients may do.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use clap::Args;

use super::{LiveConfig, Switch};
use crate::{
    graphql::{Limits, RateSettings},
    http::{DocumentLimits, HttpSettings, Origins, SocketSettings},
    live::settings::LiveSettings,
};

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

    /// What watching may cost
    #[command(flatten)]
    pub live: LiveConfig,
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

    /// As live updates want it.
    #[must_use]
    pub fn live(&self) -> LiveSettings {
        self.live.settings(self.rate_limit)
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
