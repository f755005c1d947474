//! Living sessions that this node has read lately, so that most requests look no token up. A
//! session that is signed out is forgotten at once, and those who hold it are told: here by the
//! one who does it, on other nodes by the bus; while the bus is down nothing is trusted but the
//! database.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use entity::{Time, ids::SessionId};
use quick_cache::unsync::Cache;
use tokio::sync::watch;

use super::{
    Session,
    session_watch::{HeldSessions, SessionWatch},
};
use crate::live::bus::{Bus, Health, Listening, News, Subject};

/// How long what was read is trusted: so late at most is a sign-out known that this node was not
/// told of, by a process beside it without a bus.
const FRESH: Duration = Duration::from_secs(1);

/// How many sessions are kept; beyond it those that are used least make room.
const MOST: usize = 50_000;

/// A token's hash.
pub(super) type TokenHash = [u8; 32];

/// The sessions that are known.
#[derive(Debug)]
pub(super) struct KnownSessions {
    known: Arc<Mutex<Known>>,
    held: Arc<HeldSessions>,
    bus: Arc<dyn Bus>,
    health: Option<watch::Receiver<Health>>,
    _listening: Listening,
}

/// Under one lock, so that nothing is kept that was read before somebody signed out.
#[derive(Debug)]
struct Known {
    sessions: Cache<TokenHash, (Arc<Session>, Instant)>,
    /// How many sessions were ever signed out: what was read before is not kept after.
    signed_out: u64,
}

/// When a session began to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    signed_out: u64,
    began: Instant,
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KnownSessions {
    /// Nothing is known yet.
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        let known = Arc::<Mutex<Known>>::default();
        let held = Arc::<HeldSessions>::default();
        let hearing = (Arc::clone(&known), Arc::clone(&held));
        let take = move |message: &[u8]| match serde_json::from_slice(message) {
            Ok(id) => {
                lock(&hearing.0).forget(id);
                hearing.1.end(id);
            }
            Err(_) => lock(&hearing.0).forget_all(),
        };
        let _listening = bus.listen(Subject::Sessions, Box::new(take));
        Self { known, held, health: bus.health(), bus, _listening }
    }

    /// The living session of a token, if it is known and may be trusted.
    pub fn get(&self, token: &TokenHash, now: Time) -> Option<Arc<Session>> {
        if self.health.as_ref().is_some_and(|health| !health.borrow().is_up) {
            return None;
        }
        let known = lock(&self.known);
        let (session, read) = known.sessions.get(token)?;
        let is_alive = read.elapsed() < FRESH && session.expires_at > now;
        is_alive.then(|| Arc::clone(session))
    }

    /// Before a session is read.
    pub fn reading(&self) -> Reading {
        Reading { signed_out: lock(&self.known).signed_out, began: Instant::now() }
    }

    /// Keeps a session that was read, unless anything was signed out meanwhile.
    pub fn keep(&self, reading: Reading, token: TokenHash, session: Arc<Session>) {
        let mut known = lock(&self.known);
        if known.signed_out != reading.signed_out {
            return;
        }
        known.sessions.insert(token, (session, reading.began));
    }

    /// Whether nothing was signed out since a reading began.
    pub fn is_unchanged(&self, reading: Reading) -> bool {
        lock(&self.known).signed_out == reading.signed_out
    }

    /// The sessions that are held on this node.
    pub fn held(&self) -> &HeldSessions {
        &self.held
    }

    /// Holds a session, to hear of its end.
    pub fn hold(&self, session: &Session, now: Time) -> SessionWatch {
        self.held.hold(session, now)
    }

    /// Forgets a session that is over, and ends what holds it on this node.
    pub fn forget(&self, session: SessionId) {
        lock(&self.known).forget(session);
        self.held.end(session);
    }

    /// Ends a session that is signed out, on all nodes.
    pub fn sign_out(&self, session: SessionId) {
        self.forget(session);
        self.bus.publish(&[News::SignedOut(session)]);
    }
}

impl Default for Known {
    fn default() -> Self {
        Self { sessions: Cache::new(MOST), signed_out: 0 }
    }
}

impl Known {
    fn forget(&mut self, id: SessionId) {
        self.signed_out += 1;
        self.sessions.retain(|_, (session, _)| session.id != id);
    }

    fn forget_all(&mut self) {
        self.signed_out += 1;
        self.sessions.clear();
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use entity::ids::UserId;

    use super::*;
    use crate::{
        domain::user::User,
        live::bus::{NoBus, Report, Take},
    };

    /// A bus that keeps what is done with messages.
    #[derive(Default)]
    struct Heard(Mutex<Option<Take>>);

    impl std::fmt::Debug for Heard {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Heard")
        }
    }

    impl Bus for Heard {
        fn node(&self) -> uuid::Uuid {
            uuid::Uuid::nil()
        }
        fn publish(&self, _: &[News]) {}
        fn report(&self, _: &Report) {}
        fn listen(&self, subject: Subject, take: Take) -> Listening {
            assert_eq!(subject, Subject::Sessions);
            *self.0.lock().unwrap() = Some(take);
            Listening::default()
        }
        fn health(&self) -> Option<watch::Receiver<Health>> {
            None
        }
    }

    fn session() -> Arc<Session> {
        let (joined_at, username) = (Utc::now(), "ann".to_owned());
        let user = User { id: UserId::new(), username, home_region: None, joined_at };
        let expires_at = joined_at + TimeDelta::hours(1);
        Arc::new(Session { id: SessionId::new(), user, expires_at })
    }

    #[test]
    fn a_session_is_known_until_it_is_signed_out_or_expires() {
        let (known, session) = (KnownSessions::new(Arc::new(NoBus)), session());
        let (token, now) = ([1; 32], Utc::now());
        assert_eq!(known.get(&token, now), None);
        known.keep(known.reading(), token, Arc::clone(&session));
        assert_eq!(known.get(&token, now), Some(Arc::clone(&session)));
        assert_eq!(known.get(&token, session.expires_at), None, "it expired");
        known.sign_out(session.id);
        assert_eq!(known.get(&token, now), None, "it was signed out");
    }

    #[test]
    fn a_sign_out_elsewhere_ends_what_holds_the_session_here() {
        let bus = Arc::<Heard>::default();
        let (known, session) = (KnownSessions::new(Arc::clone(&bus) as _), session());
        let (token, now) = ([1; 32], Utc::now());
        known.keep(known.reading(), token, Arc::clone(&session));
        let (before, watch) = (known.reading(), known.hold(&session, now));
        let hear = |message: &[u8]| bus.0.lock().unwrap().as_ref().unwrap()(message);
        hear(&serde_json::to_vec(&SessionId::new()).unwrap());
        assert!(!watch.is_over(), "it was another one");
        hear(b"something newer");
        assert!(!watch.is_over() && !known.is_unchanged(before), "who knows: ask the database");
        assert_eq!(known.get(&token, now), None);
        hear(&serde_json::to_vec(&session.id).unwrap());
        assert!(watch.is_over());
    }

    #[test]
    fn what_was_read_before_a_sign_out_is_not_kept_after_it() {
        let (known, session) = (KnownSessions::new(Arc::new(NoBus)), session());
        let reading = known.reading();
        known.sign_out(session.id);
        known.keep(reading, [1; 32], session);
        assert_eq!(known.get(&[1; 32], Utc::now()), None);
    }
}
