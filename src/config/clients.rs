//! Settings of what clients may do.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

use super::{DocumentConfig, ListenerConfig, LiveConfig, Payments, RateConfig, Switch};
use crate::{
    graphql::RateSettings,
    http::{ConnectionLimits, HttpSettings, LAST_WORDS, Origin, Origins, SocketSettings},
    live::settings::LiveSettings,
};

/// What clients may do.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Clients")]
pub struct ClientConfig {
    /// Where clients connect.
    #[command(flatten)]
    pub listeners: ListenerConfig,

    /// Browser origins allowed besides our own, comma-separated, each as a browser names it:
    /// `https://shop.example`
    #[arg(long, env = "NEIGHBORBID_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<Origin>,

    /// The playground at /graphiql
    #[arg(long, env = "NEIGHBORBID_GRAPHIQL", value_enum, default_value = "on")]
    pub graphiql: Switch,

    /// Rate limits; off for benchmarks
    #[arg(long, env = "NEIGHBORBID_RATE_LIMIT", value_enum, default_value = "on")]
    pub rate_limit: Switch,

    /// How often is too often.
    #[command(flatten)]
    pub rates: RateConfig,

    /// The largest body, in bytes
    #[arg(long, env = "NEIGHBORBID_BODY_BYTES", default_value_t = 65_536)]
    pub body_bytes: usize,

    /// What documents may ask for
    #[command(flatten)]
    pub documents: DocumentConfig,

    /// How many sockets and event streams an address may hold, an IPv6 /64 counting as one
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
    /// As the rate limits want it.
    #[must_use]
    pub fn rates(&self) -> Option<RateSettings> {
        (self.rate_limit == Switch::On).then(|| self.rates.settings())
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
            document: self.documents.gate(),
            socket: SocketSettings {
                init_timeout: Duration::from_secs(self.connection_init_timeout_seconds),
                ping_interval: Duration::from_secs(self.socket_ping_seconds),
                write_timeout: Duration::from_secs(self.socket_write_timeout_seconds),
                message_bytes: self.socket_message_bytes,
                operations: self.socket_operations,
            },
            sockets_per_address: self.sockets_per_address,
            origins: Origins(self.allow_origin.clone()),
            trust_proxy: self.listeners.trust_proxy,
            requests_per_address: self.listeners.connections_per_address(self.sockets_per_address),
            body_timeout: Duration::from_secs(self.listeners.body_timeout_seconds),
            has_graphiql: self.graphiql == Switch::On,
        }
    }

    /// As the public listener wants it.
    #[must_use]
    pub fn connections(&self) -> ConnectionLimits {
        // A socket is let go a little later than it is told that it is too slow.
        let told = Duration::from_secs(self.socket_write_timeout_seconds) + LAST_WORDS * 2;
        self.listeners.connections(self.sockets_per_address, told)
    }
}

/// Whether others than this machine can connect to an address.
#[must_use]
pub fn is_public(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

impl ClientConfig {
    /// What is dangerous about the settings, given where strangers can connect: a sentence each.
    #[must_use]
    pub fn dangers(
        &self,
        public: SocketAddr,
        admin: Option<SocketAddr>,
        payments: Payments,
    ) -> Vec<String> {
        let mut dangers = Vec::new();
        if is_public(public) {
            if payments == Payments::Simulated {
                dangers.push(format!(
                    "--payments simulated on {public}: everybody who connects makes money at will"
                ));
            }
            if self.rate_limit == Switch::Off {
                dangers.push(format!(
                    "--rate-limit off on {public}: passwords can be guessed at any speed"
                ));
            }
            if self.listeners.trust_proxy {
                dangers.push(format!(
                    "--trust-proxy on {public}: whoever connects past the proxy names any address \
                     as their own, so nobody but the proxy may reach it"
                ));
            }
        }
        if let Some(admin) = admin.filter(|admin| is_public(*admin)) {
            dangers.push(format!(
                "--admin-listen {admin}: everybody who connects reads the metrics and why the \
                 server is not ready"
            ));
        }
        dangers
    }
}
