//! Which connections are open, and which of them wait for their client: bounds in all and for an
//! address, and a time for every wait.
//!
//! Where a bound is reached, a connection that waits for its client makes room: the one that has
//! waited longest, of the address with most that wait. So connections that are silent or slow never
//! keep newcomers out, and nobody drives others out by connecting again and again. Only where every
//! connection has a request under way is a newcomer refused.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::connection_limits::ConnectionLimits;
use crate::{
    graphql::{ClientAddress, Network},
    telemetry::security::{About, Event, record},
};

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// It waits for the first byte of a request.
    Idle,
    /// It waits for the rest of a request's head; it waited already.
    Head,
    /// It waits for the rest of a request's body.
    Body,
    /// A request is under way.
    Busy,
    /// It is a socket.
    Socket,
    /// It is closed, or about to be.
    Closed,
}

/// Why a newcomer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Every connection has a request under way.
    Full,
    /// Every connection of this address has a request under way.
    FullForAddress,
}

/// All connections of a listener.
#[derive(Debug)]
pub struct Connections {
    /// The bounds.
    pub limits: ConnectionLimits,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Grows with every change, so that it orders waits by their beginning.
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
    /// Those that wait for their client.
    waiting: BTreeMap<u64, Arc<Connection>>,
    networks: HashMap<Network, Held>,
}

/// What a network holds.
#[derive(Debug, Default)]
struct Held {
    count: usize,
    waiting: BTreeSet<u64>,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// Where it comes from.
    pub peer: SocketAddr,
    network: Network,
    id: u64,
    /// Written under the lock of all connections, except for the beginning of a head.
    phase: AtomicU8,
    /// Since when it waits, in milliseconds of the listener's life.
    since: AtomicU64,
    /// Its place in the order of waits, or 0.
    place: AtomicU64,
    /// Whether the peer has yet to take what was sent.
    pub is_behind: AtomicBool,
    /// Told when the phase is `Closed`, and when the listener stops.
    signal: Notify,
    connections: Arc<Connections>,
}

impl Connections {
    /// Nobody is connected yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, began: Instant::now(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    /// Lets a newcomer in. One that waits for its client may have to go: of the same address where
    /// that holds too many, else of any.
    ///
    /// # Errors
    /// When every connection that could make room has a request under way.
    pub fn admit(self: &Arc<Self>, peer: SocketAddr) -> Result<Arc<Connection>, Refused> {
        let network = ClientAddress(peer.ip()).network();
        let mut state = self.state();
        if let Some(most) = self.limits.per_address {
            let held = state.networks.get(&network);
            if held.is_some_and(|held| held.count >= most) {
                let longest = held.and_then(|held| held.waiting.first().copied());
                let Some(place) = longest else {
                    record(Event::ConnectionsOfAddress, &About::of(network.address()));
                    return Err(Refused::FullForAddress);
                };
                state.close_waiting(place);
            }
        }
        if state.open.len() >= self.limits.in_all {
            let Some(place) = state.longest_of_most() else {
                record(Event::ConnectionsInAll, &About::of(network.address()));
                return Err(Refused::Full);
            };
            state.close_waiting(place);
        }
        let id = state.number();
        let connection = Arc::new(Connection {
            peer,
            network,
            id,
            phase: AtomicU8::new(Phase::Busy as u8),
            since: AtomicU64::new(0),
            place: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
            signal: Notify::new(),
            connections: Arc::clone(self),
        });
        state.open.insert(id, Arc::clone(&connection));
        state.networks.entry(network).or_default().count += 1;
        state.enter(&connection, Phase::Idle);
        metrics::gauge!("neighborbid_connections").increment(1);
        Ok(connection)
    }

    /// Closes those that have waited too long.
    pub fn close_overdue(&self, now: Instant) {
        let now = self.milliseconds(now);
        let mut state = self.state();
        let overdue = state.waiting.values().filter(|connection| {
            let waited = now.saturating_sub(connection.since.load(Relaxed));
            Duration::from_millis(waited) >= self.limits.patience(connection.wait())
        });
        for connection in overdue.map(Arc::clone).collect::<Vec<_>>() {
            let wait = match connection.wait() {
                Phase::Head => "head",
                Phase::Body => "body",
                // It takes the last answer still, and `write_timeout` says for how long.
                _ if connection.is_behind.load(Relaxed) => continue,
                _ => "idle",
            };
            metrics::counter!("neighborbid_connections_timed_out_total", "wait" => wait)
                .increment(1);
            state.close(&connection);
        }
    }

    /// No request begins any more; those under way are let end. A half head is no request.
    pub fn stop(&self) {
        let mut state = self.state();
        let open: Vec<_> = state.open.values().map(Arc::clone).collect();
        for connection in open {
            match connection.is(Phase::Head) {
                true => state.close(&connection),
                false => connection.signal.notify_one(),
            }
        }
    }

    /// Closes every connection, whatever it does.
    pub fn close_all(&self) {
        let mut state = self.state();
        let open: Vec<_> = state.open.values().map(Arc::clone).collect();
        open.iter().for_each(|connection| state.close(connection));
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Who has waited longest of the address with most that wait: one client that connects again
    /// and again must not drive out everybody else.
    fn longest_of_most(&self) -> Option<u64> {
        let held = self.networks.values().filter_map(|held| {
            let longest = held.waiting.first().copied()?;
            Some((held.waiting.len(), Reverse(longest)))
        });
        held.max().map(|(_, Reverse(longest))| longest)
    }

    /// Changes what a connection does; false when it is closed.
    fn enter(&mut self, connection: &Arc<Connection>, phase: Phase) -> bool {
        if connection.is(Phase::Closed) {
            return false;
        }
        self.forget_wait(connection);
        connection.phase.store(phase as u8, Relaxed);
        if matches!(phase, Phase::Idle | Phase::Body) {
            let place = self.number();
            connection.begin_wait();
            connection.place.store(place, Relaxed);
            self.waiting.insert(place, Arc::clone(connection));
            self.networks.entry(connection.network).or_default().waiting.insert(place);
        }
        true
    }

    fn forget_wait(&mut self, connection: &Connection) {
        let place = connection.place.swap(0, Relaxed);
        if self.waiting.remove(&place).is_some()
            && let Some(held) = self.networks.get_mut(&connection.network)
        {
            held.waiting.remove(&place);
        }
    }

    fn close_waiting(&mut self, place: u64) {
        if let Some(connection) = self.waiting.get(&place).map(Arc::clone) {
            self.close(&connection);
        }
    }

    /// Gives its place away at once; its task ends it.
    fn close(&mut self, connection: &Connection) {
        if connection.is(Phase::Closed) {
            return;
        }
        self.forget_wait(connection);
        connection.phase.store(Phase::Closed as u8, Relaxed);
        self.open.remove(&connection.id);
        if let Some(held) = self.networks.get_mut(&connection.network) {
            held.count -= 1;
            if held.count == 0 {
                self.networks.remove(&connection.network);
            }
        }
        metrics::gauge!("neighborbid_connections").decrement(1);
        connection.signal.notify_one();
    }
}

impl Connection {
    /// Whether it does this.
    pub fn is(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    /// What it waits for, if it waits.
    fn wait(&self) -> Phase {
        match self.phase.load(Relaxed) {
            phase if phase == Phase::Head as u8 => Phase::Head,
            phase if phase == Phase::Body as u8 => Phase::Body,
            _ => Phase::Idle,
        }
    }

    fn begin_wait(&self) {
        self.since.store(self.connections.milliseconds(Instant::now()), Relaxed);
    }

    /// The first bytes of a head are here. It waits as it did, so that no lock is needed; another
    /// time counts.
    pub fn begin_head(&self) {
        let [idle, head] = [Phase::Idle as u8, Phase::Head as u8];
        if self.phase.compare_exchange(idle, head, Relaxed, Relaxed).is_ok() {
            self.begin_wait();
        }
    }

    /// Changes what it does; false when it is closed, and nothing may begin on it.
    pub fn enter(self: &Arc<Self>, phase: Phase) -> bool {
        self.connections.state().enter(self, phase)
    }

    /// Gives its place back.
    pub fn leave(&self) {
        self.connections.state().close(self);
    }

    /// Returns when it is to be closed: at once, or, where this is true, after the request that is
    /// under way.
    pub async fn told_to_end(&self) -> bool {
        self.signal.notified().await;
        !self.is(Phase::Closed)
    }

    /// How long the peer may take next to nothing.
    pub fn write_timeout(&self) -> Duration {
        match self.is(Phase::Socket) {
            true => self.connections.limits.socket_write_timeout,
            false => self.connections.limits.write_timeout,
        }
    }
}

#[cfg(test)]
mod tests;
