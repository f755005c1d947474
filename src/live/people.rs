//! Who watches their own affairs on this node.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::ids::UserId;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

use super::bus::PersonNews;

/// How many news a watcher may be behind before it is told only that it missed some.
const RING: usize = 64;

/// The people who watch their own affairs on this node.
#[derive(Debug, Default)]
pub struct People {
    rings: Mutex<HashMap<UserId, Sender<PersonNews>>>,
}

/// One watcher.
#[derive(Debug)]
pub struct OwnFeed {
    people: Arc<People>,
    user: UserId,
    ring: Receiver<PersonNews>,
    is_new: bool,
}

impl People {
    /// Nobody watches yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn rings(&self) -> MutexGuard<'_, HashMap<UserId, Sender<PersonNews>>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes news of a commit; drops them when that person does not watch here.
    pub fn receive(&self, news: PersonNews) {
        if let Some(ring) = self.rings().get(&news.user) {
            // Fails only when the last watcher is just leaving.
            let _ = ring.send(news);
        }
    }

    /// Begins to watch one's own affairs.
    #[must_use]
    pub fn watch(self: &Arc<Self>, user: UserId) -> OwnFeed {
        let ring =
            self.rings().entry(user).or_insert_with(|| broadcast::Sender::new(RING)).subscribe();
        OwnFeed { people: Arc::clone(self), user, ring, is_new: true }
    }
}

impl OwnFeed {
    /// The next news; first of all, and whenever some were missed, that the wallet may have
    /// changed. `None` when the house closes.
    pub async fn next(&mut self) -> Option<PersonNews> {
        let resync = PersonNews { user: self.user, wallet_changed: true, notification: None };
        if std::mem::take(&mut self.is_new) {
            return Some(resync);
        }
        match self.ring.recv().await {
            Ok(news) => Some(news),
            Err(RecvError::Lagged(_)) => Some(resync),
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for OwnFeed {
    fn drop(&mut self) {
        if let Entry::Occupied(ring) = self.people.rings().entry(self.user) {
            // This one still counts.
            if ring.get().receiver_count() <= 1 {
                ring.remove();
            }
        }
    }
}
