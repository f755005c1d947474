//! Who watches their own affairs on this node.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{TimeDelta, Utc};
use entity::{
    Time,
    ids::{NotificationId, UserId},
    notification,
};
use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};

use super::bus::{Bus, Listening, PersonNews, Subject};
use crate::{
    domain::ledger::Balances,
    store::{DbErr, connection::Db, notifications, wallets},
};

/// How many news a watcher may be behind before it is told only that it missed some.
const RING: usize = 64;

/// How many of the newest notifications are known again.
const KNOWN: usize = 512;

/// How far back a sweep looks: longer than a transaction lasts and clocks differ.
const BACK: TimeDelta = TimeDelta::seconds(30);

/// The people who watch their own affairs on this node.
#[derive(Debug)]
pub struct People {
    bus: Arc<dyn Bus>,
    watched: Mutex<HashMap<UserId, Person>>,
}

#[derive(Debug)]
struct Person {
    ring: Sender<OwnUpdate>,
    since: Time,
    /// The newest balances heard of.
    balances: Option<Balances>,
    /// The newest notifications told.
    told: VecDeque<NotificationId>,
    _listening: Listening,
}

/// What a person is told.
#[derive(Debug, Clone)]
pub struct OwnUpdate {
    /// Whom.
    pub user: UserId,
    /// Whether the wallet changed. It is read when it is shown, so that the newest is.
    pub wallet_changed: bool,
    /// A new notification.
    pub notification: Option<Arc<notification::Model>>,
}

/// One watcher.
#[derive(Debug)]
pub struct OwnFeed {
    people: Arc<People>,
    user: UserId,
    ring: Receiver<OwnUpdate>,
    is_new: bool,
}

impl People {
    /// Nobody watches yet; the other nodes are heard by `bus`.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>) -> Arc<Self> {
        Arc::new(Self { bus, watched: Mutex::default() })
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<UserId, Person>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes news of a commit; drops them when that person does not watch here.
    pub fn receive(&self, news: PersonNews) {
        if let Some(person) = self.watched().get_mut(&news.user) {
            person.tell(news);
        }
    }

    /// Begins to watch one's own affairs.
    #[must_use]
    pub fn watch(self: &Arc<Self>, user: UserId) -> OwnFeed {
        let mut watched = self.watched();
        let person = watched.entry(user).or_insert_with(|| {
            let people = Arc::downgrade(self);
            let take = move |message: &[u8]| {
                let news = serde_json::from_slice::<PersonNews>(message);
                if let (Ok(news), Some(people)) = (news, people.upgrade()) {
                    people.receive(news);
                }
            };
            Person {
                ring: Sender::new(RING),
                since: Utc::now() - TimeDelta::seconds(1),
                balances: None,
                told: VecDeque::new(),
                _listening: self.bus.listen(Subject::Person(user), Box::new(take)),
            }
        });
        OwnFeed { people: Arc::clone(self), user, ring: person.ring.subscribe(), is_new: true }
    }

    /// Reads whatever the bus may have lost: balances that changed, and new notifications.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn sweep(&self, db: &Db) -> Result<(), DbErr> {
        let now = Utc::now();
        let users: Vec<_> = self.watched().keys().copied().collect();
        if users.is_empty() {
            return Ok(());
        }
        let balances = wallets::of_each(&db.read, &users).await?;
        let notes = notifications::newer(&db.read, &users, now - BACK).await?;
        let mut watched = self.watched();
        for (user, balances) in balances {
            if let Some(person) = watched.get_mut(&user)
                && person.balances != Some(balances)
            {
                person.tell(PersonNews { user, wallet: Some(balances), notification: None });
            }
        }
        for note in notes {
            let user = note.user_id;
            if let Some(person) = watched.get_mut(&user)
                && note.at >= person.since
            {
                let notification = Some(Arc::new(note));
                person.tell(PersonNews { user, wallet: None, notification });
            }
        }
        Ok(())
    }
}

impl Person {
    fn tell(&mut self, news: PersonNews) {
        let PersonNews { user, wallet, notification } = news;
        let is_told = |note: &Arc<notification::Model>| self.told.contains(&note.id);
        let notification = notification.filter(|note| !is_told(note));
        if let Some(note) = &notification {
            if self.told.len() >= KNOWN {
                self.told.pop_front();
            }
            self.told.push_back(note.id);
        }
        self.balances = wallet.or(self.balances);
        let wallet_changed = wallet.is_some();
        if wallet_changed || notification.is_some() {
            // Fails only when the last watcher is just leaving.
            let _ = self.ring.send(OwnUpdate { user, wallet_changed, notification });
        }
    }
}

impl OwnFeed {
    /// The next update; first of all, and whenever some were missed, that the wallet may have
    /// changed. `None` when the house closes.
    pub async fn next(&mut self) -> Option<OwnUpdate> {
        let resync = OwnUpdate { user: self.user, wallet_changed: true, notification: None };
        if std::mem::take(&mut self.is_new) {
            return Some(resync);
        }
        match self.ring.recv().await {
            Ok(update) => Some(update),
            Err(RecvError::Lagged(_)) => Some(resync),
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for OwnFeed {
    fn drop(&mut self) {
        if let Entry::Occupied(person) = self.people.watched().entry(self.user) {
            // This one still counts.
            if person.get().ring.receiver_count() <= 1 {
                person.remove();
            }
        }
    }
}
