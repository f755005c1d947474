//! The bounds of a listener's connections.

use std::time::Duration;

use super::connections::Phase;

/// The bounds of a listener's connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How many may be open.
    pub in_all: usize,
    /// How many an address may hold; None behind a proxy, which holds everybody's.
    pub per_address: Option<usize>,
    /// How long a request's head may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// How long a peer may take next to nothing of what is sent.
    pub write_timeout: Duration,
    /// The same of a socket, which is told that it is too slow before it is cut off.
    pub socket_write_timeout: Duration,
    /// How large a request's head may be, in bytes.
    pub head_bytes: usize,
    /// How many header fields a request may have.
    pub head_fields: usize,
}

/// File descriptors that are not for clients: the database's, the bus's, files.
const RESERVED: u64 = 256;

/// How many connections the system's limit of file descriptors leaves room for.
#[must_use]
pub fn system_connections() -> usize {
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(1_024);
    let clients = descriptors.saturating_sub(RESERVED).max(descriptors / 2);
    usize::try_from(clients).unwrap_or(usize::MAX)
}

/// What the handler of a body gets to answer that it was too slow, before the connection is cut.
const MARGIN: Duration = Duration::from_secs(5);

impl ConnectionLimits {
    /// How long a connection may wait for its client.
    pub(super) fn patience(&self, wait: Phase) -> Duration {
        match wait {
            Phase::Head => self.head_timeout,
            Phase::Body => self.body_timeout + MARGIN,
            _ => self.idle_timeout,
        }
    }
}
