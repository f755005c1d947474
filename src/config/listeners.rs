//! Settings of the listeners: addresses, connections, and how long clients may take.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use clap::Args;

use crate::http::{ConnectionLimits, system_connections};

/// Where the admin address is when nobody names one.
const ADMIN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9_000);

/// How many connections the admin address has.
const ADMIN_CONNECTIONS: usize = 64;

/// How many connections beside its sockets an address may hold by default.
const BESIDE_SOCKETS: usize = 256;

/// Where operators ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// There.
    At(SocketAddr),
}

impl FromStr for AdminListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::At).map_err(|_| "an address and a port, or off".to_owned()),
        }
    }
}

/// Where to listen, and whom to let in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Listeners")]
pub struct ListenerConfig {
    /// Where to listen
    #[arg(long, env = "NEIGHBORBID_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,

    /// Where to answer /metrics and the full /readyz: an address for operators alone, or off; by
    /// default 127.0.0.1:9000, or another port where that is taken
    #[arg(long, env = "NEIGHBORBID_ADMIN_LISTEN")]
    pub admin_listen: Option<AdminListen>,

    /// Trust the last X-Forwarded-For: only behind a proxy of your own
    #[arg(long, env = "NEIGHBORBID_TRUST_PROXY")]
    pub trust_proxy: bool,

    /// Whether another port does as well where the public one is taken.
    #[arg(skip)]
    pub may_move: bool,

    /// How many connections may be open; by default as many as the system's limit of file
    /// descriptors leaves room for. One that waits for its client makes room for a newcomer
    #[arg(long, env = "NEIGHBORBID_CONNECTIONS")]
    pub connections: Option<usize>,

    /// How many connections an address may hold, an IPv6 /64 counting as one; behind a trusted
    /// proxy, how many requests it may have under way. By default 256 more than its sockets
    #[arg(long, env = "NEIGHBORBID_CONNECTIONS_PER_ADDRESS",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_per_address: Option<u32>,

    /// How long a request's head may take from its first byte
    #[arg(long, env = "NEIGHBORBID_HEAD_TIMEOUT_SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub head_timeout_seconds: u64,

    /// How long a request's body may take
    #[arg(long, env = "NEIGHBORBID_BODY_TIMEOUT_SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub body_timeout_seconds: u64,

    /// How long a connection may stay open without a request
    #[arg(long, env = "NEIGHBORBID_IDLE_TIMEOUT_SECONDS", default_value_t = 75,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_timeout_seconds: u64,

    /// How long a client may take less than 16 KiB of an answer that it has yet to read
    #[arg(long, env = "NEIGHBORBID_WRITE_TIMEOUT_SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub write_timeout_seconds: u64,

    /// How large the head of a request may be, in bytes
    #[arg(long, env = "NEIGHBORBID_HEAD_BYTES", default_value_t = 32_768)]
    pub head_bytes: usize,

    /// How many header fields a request may have
    #[arg(long, env = "NEIGHBORBID_HEAD_FIELDS", default_value_t = 100)]
    pub head_fields: usize,
}

impl ListenerConfig {
    /// How many connections an address that holds up to `sockets` may have.
    #[must_use]
    pub fn connections_per_address(&self, sockets: usize) -> usize {
        match self.connections_per_address {
            Some(most) => usize::try_from(most).unwrap_or(usize::MAX),
            None => sockets.saturating_add(BESIDE_SOCKETS),
        }
    }

    /// The bounds of the public address, where an address holds up to `sockets`, and one that takes
    /// nothing is cut off after `socket`.
    #[must_use]
    pub fn connections(&self, sockets: usize, socket: Duration) -> ConnectionLimits {
        let seconds = Duration::from_secs;
        ConnectionLimits {
            in_all: self.connections.unwrap_or_else(system_connections).max(1),
            per_address: (!self.trust_proxy).then(|| self.connections_per_address(sockets)),
            head_timeout: seconds(self.head_timeout_seconds),
            body_timeout: seconds(self.body_timeout_seconds),
            idle_timeout: seconds(self.idle_timeout_seconds),
            write_timeout: seconds(self.write_timeout_seconds),
            socket_write_timeout: socket,
            head_bytes: self.head_bytes,
            head_fields: self.head_fields,
        }
    }

    /// The bounds of the admin address.
    #[must_use]
    pub fn admin_connections(&self) -> ConnectionLimits {
        let of_clients = self.connections(0, Duration::ZERO);
        ConnectionLimits { in_all: ADMIN_CONNECTIONS, per_address: None, ..of_clients }
    }

    /// Where clients connect, and whether any free port does as well.
    #[must_use]
    pub const fn public(&self) -> (SocketAddr, bool) {
        (self.listen, self.may_move)
    }

    /// Where operators ask, and whether any free port does as well.
    #[must_use]
    pub fn admin(&self) -> Option<(SocketAddr, bool)> {
        match self.admin_listen {
            None => Some((ADMIN, true)),
            Some(AdminListen::At(address)) => Some((address, false)),
            Some(AdminListen::Off) => None,
        }
    }
}
