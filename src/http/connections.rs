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

/// What the handler of a body gets to answer that it was too slow, before the connection is cut.
const MARGIN: Duration = Duration::from_secs(5);

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// It waits for the first byte of a request.
    Idle,
    /// It waits for the rest of a request's head.
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

/// The phases in which a connection waits for its client, with what closes it counts as.
const WAITS: [(Phase, &str); 3] =
    [(Phase::Idle, "idle"), (Phase::Head, "head"), (Phase::Body, "body")];

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
    is_stopping: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Grows with every change, so that it orders waits by their beginning.
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
    waiting: [BTreeMap<u64, Wait>; WAITS.len()],
    networks: HashMap<Network, Held>,
}

#[derive(Debug)]
struct Wait {
    since: Instant,
    connection: Arc<Connection>,
}

/// What a network holds.
#[derive(Debug, Default)]
struct Held {
    count: usize,
    waiting: BTreeSet<(u64, Phase)>,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// Where it comes from.
    pub peer: SocketAddr,
    network: Network,
    id: u64,
    /// Written under the lock of all connections only.
    phase: AtomicU8,
    /// Its place in the order of waits; written likewise.
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
        Arc::new(Self { limits, is_stopping: AtomicBool::new(false), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
                tell(Event::ConnectionsOfAddress, network);
                let Some((place, phase)) = longest else { return Err(Refused::FullForAddress) };
                state.close_waiting(phase, place);
            }
        }
        if state.open.len() >= self.limits.in_all {
            let longest = state.longest_of_most();
            tell(Event::ConnectionsInAll, network);
            let Some((place, phase)) = longest else { return Err(Refused::Full) };
            state.close_waiting(phase, place);
        }
        let id = state.number();
        let connection = Arc::new(Connection {
            peer,
            network,
            id,
            phase: AtomicU8::new(Phase::Busy as u8),
            place: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
            signal: Notify::new(),
            connections: Arc::clone(self),
        });
        state.open.insert(id, Arc::clone(&connection));
        state.networks.entry(network).or_default().count += 1;
        state.enter(&connection, Phase::Idle, Instant::now());
        metrics::gauge!("neighborbid_connections").increment(1);
        Ok(connection)
    }

    /// Closes those that have waited too long.
    pub fn close_overdue(&self, now: Instant) {
        let mut state = self.state();
        for (phase, name) in WAITS {
            let timeout = match phase {
                Phase::Head => self.limits.head_timeout,
                Phase::Body => self.limits.body_timeout + MARGIN,
                _ => self.limits.idle_timeout,
            };
            while let Some(front) = state.waiting[phase as usize].first_entry() {
                if now.saturating_duration_since(front.get().since) < timeout {
                    break;
                }
                let (place, connection) = (*front.key(), Arc::clone(&front.get().connection));
                if connection.is_behind.load(Relaxed) {
                    // It takes the last answer still, and `write_timeout` says for how long.
                    state.enter(&connection, phase, now);
                    continue;
                }
                metrics::counter!("neighborbid_connections_timed_out_total", "wait" => name)
                    .increment(1);
                state.close_waiting(phase, place);
            }
        }
    }

    /// No request begins any more; those under way are let end. A half head is no request.
    pub fn stop(&self) {
        self.is_stopping.store(true, Relaxed);
        let mut state = self.state();
        while let Some((place, _)) = state.waiting[Phase::Head as usize].first_key_value() {
            let place = *place;
            state.close_waiting(Phase::Head, place);
        }
        state.open.values().for_each(|connection| connection.signal.notify_one());
    }

    /// Closes every connection, whatever it does.
    pub fn close_all(&self) {
        let mut state = self.state();
        let open: Vec<_> = state.open.values().map(Arc::clone).collect();
        open.iter().for_each(|connection| state.close(connection));
    }
}

fn tell(event: Event, network: Network) {
    record(event, &About::of(network.address()));
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Who has waited longest of the address with most that wait: one client that connects again
    /// and again must not drive out everybody else.
    fn longest_of_most(&self) -> Option<(u64, Phase)> {
        let held = self.networks.values().filter_map(|held| {
            let longest = held.waiting.first().copied()?;
            Some((held.waiting.len(), Reverse(longest)))
        });
        held.max().map(|(_, Reverse(longest))| longest)
    }

    /// Changes what a connection does; false when it is closed.
    fn enter(&mut self, connection: &Arc<Connection>, phase: Phase, now: Instant) -> bool {
        if connection.is(Phase::Closed) {
            return false;
        }
        self.forget_wait(connection);
        connection.phase.store(phase as u8, Relaxed);
        if let Some(waiting) = self.waiting.get_mut(phase as usize) {
            self.next += 1;
            let place = self.next;
            connection.place.store(place, Relaxed);
            waiting.insert(place, Wait { since: now, connection: Arc::clone(connection) });
            self.networks.entry(connection.network).or_default().waiting.insert((place, phase));
        }
        true
    }

    fn forget_wait(&mut self, connection: &Connection) {
        let Some((phase, _)) = WAITS.iter().find(|(phase, _)| connection.is(*phase)) else {
            return;
        };
        let place = connection.place.load(Relaxed);
        self.waiting[*phase as usize].remove(&place);
        if let Some(held) = self.networks.get_mut(&connection.network) {
            held.waiting.remove(&(place, *phase));
        }
    }

    fn close_waiting(&mut self, phase: Phase, place: u64) {
        if let Some(wait) = self.waiting[phase as usize].get(&place) {
            let connection = Arc::clone(&wait.connection);
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

    /// Changes what it does; false when it is closed, and nothing may begin on it.
    pub fn enter(self: &Arc<Self>, phase: Phase) -> bool {
        self.connections.state().enter(self, phase, Instant::now())
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
mod tests {
    use super::*;

    fn connections(in_all: usize, per_address: usize) -> Arc<Connections> {
        let second = Duration::from_secs(1);
        Connections::new(ConnectionLimits {
            in_all,
            per_address: Some(per_address),
            head_timeout: second,
            body_timeout: second * 2,
            idle_timeout: second * 10,
            write_timeout: second,
            socket_write_timeout: second,
            head_bytes: 8_192,
            head_fields: 100,
        })
    }

    fn peer(host: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], 1))
    }

    #[test]
    fn who_has_waited_longest_makes_room_and_who_is_busy_stays() {
        let all = connections(3, 3);
        let [first, second, third] = [1, 2, 3].map(|host| all.admit(peer(host)).unwrap());
        assert!(first.enter(Phase::Busy));
        assert!(third.enter(Phase::Head) && third.enter(Phase::Body));
        let fourth = all.admit(peer(4)).unwrap();
        assert!(second.is(Phase::Closed) && !second.enter(Phase::Busy));
        assert!(fourth.enter(Phase::Busy));
        let fifth = all.admit(peer(5)).unwrap();
        assert!(third.is(Phase::Closed) && first.is(Phase::Busy));
        assert!(fifth.enter(Phase::Busy));
        assert_eq!(all.admit(peer(6)).unwrap_err(), Refused::Full);
        first.leave();
        second.leave();
        assert!(all.admit(peer(6)).is_ok());
    }

    #[test]
    fn who_connects_again_and_again_drives_out_nobody_else() {
        let all = connections(3, 100);
        let other = all.admit(peer(2)).unwrap();
        for _ in 0..50 {
            all.admit(peer(1)).unwrap();
        }
        assert!(other.is(Phase::Idle));
    }

    #[test]
    fn an_address_makes_room_for_itself_alone() {
        let all = connections(10, 2);
        let other = all.admit(peer(2)).unwrap();
        let [first, second] = [(); 2].map(|()| all.admit(peer(1)).unwrap());
        let third = all.admit(peer(1)).unwrap();
        assert!(first.is(Phase::Closed) && other.is(Phase::Idle));
        assert!(second.enter(Phase::Busy) && third.enter(Phase::Busy));
        assert_eq!(all.admit(peer(1)).unwrap_err(), Refused::FullForAddress);
        assert!(all.admit(peer(3)).is_ok());
    }

    #[test]
    fn each_wait_has_a_time_of_its_own() {
        let all = connections(10, 10);
        let open = [(); 4].map(|()| all.admit(peer(1)).unwrap());
        let [idle, head, busy, behind] = &open;
        assert!(head.enter(Phase::Head) && busy.enter(Phase::Busy));
        behind.is_behind.store(true, Relaxed);
        let now = Instant::now();
        all.close_overdue(now + Duration::from_secs(2));
        assert!(head.is(Phase::Closed) && idle.is(Phase::Idle));
        all.close_overdue(now + Duration::from_secs(11));
        assert!(idle.is(Phase::Closed) && behind.is(Phase::Idle) && busy.is(Phase::Busy));
        all.close_all();
        assert!(open.iter().all(|connection| connection.is(Phase::Closed)));
        let state = all.state();
        assert!(state.open.is_empty() && state.networks.is_empty());
        assert!(state.waiting.iter().all(BTreeMap::is_empty));
    }
}
