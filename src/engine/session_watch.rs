//! The sessions that somebody holds open on this node (a WebSocket, a stream of events), and the
//! news that one of them is over: signed out here, signed out elsewhere, or expired.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::{Time, ids::SessionId};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Engine, Error, Session};
use crate::store::sessions;

/// How often the database is asked which of the held sessions still exist: so late at most, and
/// the time of the question, is a sign-out known that no bus told of.
const ASK_EVERY: Duration = Duration::from_millis(400);

/// The sessions that are held on this node.
#[derive(Debug, Default)]
pub(super) struct HeldSessions {
    held: Mutex<HashMap<SessionId, Held>>,
    /// Told when a session is held that expires before the others are looked at again.
    expires_soon: Notify,
}

#[derive(Debug)]
struct Held {
    holders: usize,
    expires_at: Time,
    over: CancellationToken,
}

/// Somebody's hold on a session: tells when the session is over.
#[derive(Debug)]
pub struct SessionWatch {
    sessions: Arc<HeldSessions>,
    id: SessionId,
    over: CancellationToken,
}

impl SessionWatch {
    /// Returns when the session is over.
    pub async fn ended(&self) {
        self.over.cancelled().await;
    }

    /// Whether the session is over: true from before its sign-out is answered.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }
}

impl Drop for SessionWatch {
    fn drop(&mut self) {
        let mut held = self.sessions.held();
        if let Entry::Occupied(mut entry) = held.entry(self.id) {
            entry.get_mut().holders -= 1;
            if entry.get().holders == 0 {
                entry.remove();
            }
        }
    }
}

impl HeldSessions {
    fn held(&self) -> MutexGuard<'_, HashMap<SessionId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a session.
    pub fn hold(self: &Arc<Self>, session: &Session, now: Time) -> SessionWatch {
        let Session { id, expires_at, .. } = *session;
        let mut held = self.held();
        let over = CancellationToken::new();
        let held = held.entry(id).or_insert_with(|| Held { holders: 0, expires_at, over });
        held.holders += 1;
        if until(expires_at, now) < ASK_EVERY {
            self.expires_soon.notify_one();
        }
        SessionWatch { sessions: Arc::clone(self), id, over: held.over.clone() }
    }

    /// Tells those who hold a session that it is over.
    pub fn end(&self, id: SessionId) {
        if let Some(held) = self.held().get(&id) {
            held.over.cancel();
        }
    }

    /// Ends what has expired; answers how long nothing else will.
    fn expire(&self, now: Time) -> Duration {
        let mut wait = ASK_EVERY;
        for held in self.held().values().filter(|held| !held.over.is_cancelled()) {
            match until(held.expires_at, now) {
                Duration::ZERO => held.over.cancel(),
                left => wait = wait.min(left),
            }
        }
        wait
    }

    fn living(&self) -> Vec<SessionId> {
        let held = self.held();
        held.iter().filter(|(_, held)| !held.over.is_cancelled()).map(|(id, _)| *id).collect()
    }
}

/// How long it is from `now` to `then`; nothing when that is past.
fn until(then: Time, now: Time) -> Duration {
    (then - now).to_std().unwrap_or_default()
}

impl Engine {
    /// Whose token it is, and a hold on that session; `None` when it is dead or was never one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch_session(
        &self,
        token: &str,
    ) -> Result<Option<(Arc<Session>, SessionWatch)>, Error> {
        let before = self.core.sessions.reading();
        let Some(session) = self.session(token).await? else { return Ok(None) };
        let watch = self.core.sessions.hold(&session, self.core.clock.now(None));
        if self.core.sessions.is_unchanged(before) {
            return Ok(Some((session, watch)));
        }
        // Some session was signed out before this one was held: if it was this one, nobody tells.
        Ok(self.session(token).await?.map(|session| (session, watch)))
    }

    /// Ends held sessions when they expire, and those that the database no longer knows; until
    /// `stop`.
    pub async fn watch_over_sessions(self: Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            () = self.expire_sessions() => {}
            () = self.ask_for_sessions() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn expire_sessions(&self) {
        let held = self.core.sessions.held();
        loop {
            let wait = held.expire(self.core.clock.now(None));
            tokio::select! {
                () = sleep(wait) => {}
                () = held.expires_soon.notified() => {}
            }
        }
    }

    async fn ask_for_sessions(&self) {
        let mut is_failing = false;
        loop {
            sleep(ASK_EVERY).await;
            let asked = self.end_missing_sessions().await;
            if let Err(error) = &asked
                && !is_failing
            {
                tracing::warn!(%error, "cannot tell which sessions were signed out elsewhere");
            }
            is_failing = asked.is_err();
        }
    }

    /// A failure says nothing about any session: it ends none.
    async fn end_missing_sessions(&self) -> Result<(), Error> {
        let living = self.core.sessions.held().living();
        if living.is_empty() {
            return Ok(());
        }
        let found = sessions::existing(&self.core.db.reserved, &living).await?;
        let found: HashSet<_> = found.into_iter().collect();
        for id in living.iter().filter(|id| !found.contains(id)) {
            self.core.sessions.forget(*id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use entity::ids::UserId;

    use super::*;
    use crate::domain::user::User;

    fn session(now: Time) -> Session {
        let user =
            User { id: UserId::new(), username: "ann".into(), home_region: None, joined_at: now };
        Session { id: SessionId::new(), user, expires_at: now + TimeDelta::milliseconds(100) }
    }

    #[test]
    fn all_who_hold_a_session_hear_of_its_end_and_nobody_else_does() {
        let (held, now) = (Arc::<HeldSessions>::default(), Utc::now());
        let (ended, other) = (session(now), session(now));
        let [first, second] = [(); 2].map(|()| held.hold(&ended, now));
        let others = held.hold(&other, now);
        held.end(ended.id);
        assert!(first.is_over() && second.is_over() && !others.is_over());
        assert_eq!(held.living(), [other.id]);
        drop(first);
        assert!(held.hold(&ended, now).is_over(), "it never comes back to life");
    }

    #[test]
    fn a_session_that_nobody_holds_any_more_is_forgotten() {
        let (held, now) = (Arc::<HeldSessions>::default(), Utc::now());
        let session = session(now);
        let [first, second] = [(); 2].map(|()| held.hold(&session, now));
        drop(first);
        assert_eq!(held.living(), [session.id]);
        drop(second);
        assert!(held.held().is_empty());
    }

    #[test]
    fn a_session_expires_when_its_time_has_come_and_the_wait_is_no_longer() {
        let (held, now) = (Arc::<HeldSessions>::default(), Utc::now());
        assert_eq!(held.expire(now), ASK_EVERY);
        let session = session(now);
        let watch = held.hold(&session, now);
        assert_eq!(held.expire(now), Duration::from_millis(100));
        assert!(!watch.is_over());
        assert_eq!(held.expire(session.expires_at), ASK_EVERY);
        assert!(watch.is_over());
    }
}
