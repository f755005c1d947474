//! Who watches their own account on this node.
//!
//! What is told depends on the database and its clock alone: a watcher begins behind all that was
//! committed before, and what is not known yet is news, however late it was committed.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{TimeDelta, Utc};
use entity::{
    Time,
    ids::{NotificationId, UserId},
    notification,
};
use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};

use super::{
    bus::{Bus, Listening, PersonNews, Subject},
    settings::LiveSettings,
    turns::Turns,
    watcher::{Share, Shares, Unwatched, Watcher},
};
use crate::{
    domain::ledger::Balances,
    store::{DbErr, connection::Db, notifications, transaction, wallets},
};

/// How many news a watcher may be behind before it is told only that it missed some.
const RING: usize = 64;

/// How far back a look at the notifications goes: longer than a transaction lasts after it read
/// the time.
const BACK: TimeDelta = TimeDelta::seconds(30);

/// The people who watch their own accounts on this node.
#[derive(Debug)]
pub struct People {
    db: Db,
    bus: Arc<dyn Bus>,
    watched: Mutex<HashMap<UserId, Person>>,
    looks: Turns,
    shares: Arc<Shares>,
    /// The database's time at the last look.
    looked: Mutex<Option<Time>>,
}

#[derive(Debug)]
struct Person {
    ring: Sender<OwnUpdate>,
    watchers: usize,
    /// Whether the past is known: before, everything is past.
    has_begun: bool,
    /// The newest balances heard of, and how often any were.
    balances: Option<Balances>,
    heard: u64,
    /// The notifications that are no news, by the time that they bear.
    known: HashMap<NotificationId, Time>,
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

/// Holds a person among the watched.
#[derive(Debug)]
struct Hold {
    people: Arc<People>,
    user: UserId,
}

/// One watcher.
#[derive(Debug)]
pub struct OwnFeed {
    hold: Hold,
    ring: Receiver<OwnUpdate>,
    is_new: bool,
    _share: Share,
}

impl People {
    /// Nobody watches yet; the other nodes are heard by `bus`.
    #[must_use]
    pub fn new(db: Db, bus: Arc<dyn Bus>, settings: &LiveSettings) -> Arc<Self> {
        let (watched, looks, looked) = (Mutex::default(), Turns::default(), Mutex::default());
        let shares = Shares::new(usize::MAX, settings.own_feeds_per_account);
        Arc::new(Self { db, bus, watched, looks, shares, looked })
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

    /// Begins to watch one's own account: whatever is committed once this has returned is told,
    /// and no notification that was committed before it was called.
    ///
    /// # Errors
    /// When the person watches as often as may be, or the database refuses.
    pub async fn watch(self: &Arc<Self>, user: UserId) -> Result<OwnFeed, Unwatched> {
        // Each is told by a read of the wallet.
        let _share = self.shares.take(&Watcher::new(None, Some(user)))?;
        let hold = self.hold(user);
        self.sweep().await?;
        let ring = {
            let mut watched = self.watched();
            // It is there as long as it is held.
            watched.entry(user).or_insert_with(|| self.person(user)).ring.subscribe()
        };
        Ok(OwnFeed { hold, ring, is_new: true, _share })
    }

    fn hold(self: &Arc<Self>, user: UserId) -> Hold {
        let mut watched = self.watched();
        watched.entry(user).or_insert_with(|| self.person(user)).watchers += 1;
        Hold { people: Arc::clone(self), user }
    }

    fn person(self: &Arc<Self>, user: UserId) -> Person {
        let people = Arc::downgrade(self);
        let take = move |message: &[u8]| {
            let news = serde_json::from_slice::<PersonNews>(message);
            if let (Ok(news), Some(people)) = (news, people.upgrade()) {
                people.receive(news);
            }
        };
        Person {
            ring: Sender::new(RING),
            watchers: 0,
            has_begun: false,
            balances: None,
            heard: 0,
            known: HashMap::new(),
            _listening: self.bus.listen(Subject::Person(user), Box::new(take)),
        }
    }

    /// Tells from the database whatever nobody announced: balances that changed, and new
    /// notifications; returns when all that was committed before this call is told. Costs nothing
    /// while nobody watches.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn sweep(&self) -> Result<(), DbErr> {
        self.looks.after_now(|| self.look()).await
    }

    fn looked(&self) -> MutexGuard<'_, Option<Time>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self) -> Result<(), DbErr> {
        let heard: HashMap<_, _> =
            self.watched().iter().map(|(user, person)| (*user, person.heard)).collect();
        if heard.is_empty() {
            *self.looked() = None;
            return Ok(());
        }
        let users: Vec<_> = heard.keys().copied().collect();
        let looked = *self.looked();
        let now = transaction::now(&self.db.reserved).await?.unwrap_or_else(Utc::now);
        let since = looked.map_or(now, |looked| looked.min(now)) - BACK;
        let balances = wallets::of_each(&self.db.reserved, &users).await?;
        let notes = notifications::since(&self.db.reserved, &users, since).await?;
        self.take(&heard, balances, notes, since);
        *self.looked() = Some(now);
        Ok(())
    }

    /// Tells what the database had.
    fn take(
        &self,
        heard: &HashMap<UserId, u64>,
        balances: Vec<(UserId, Balances)>,
        notes: Vec<notification::Model>,
        since: Time,
    ) {
        let mut watched = self.watched();
        for (user, balances) in balances {
            let Some(person) = watched.get_mut(&user) else { continue };
            if !person.has_begun {
                person.balances = person.balances.or(Some(balances));
            } else if person.balances != Some(balances) && heard.get(&user) == Some(&person.heard) {
                // Else something newer was heard meanwhile.
                person.tell(PersonNews { user, wallet: Some(balances), notification: None });
            }
        }
        for note in notes {
            let user = note.user_id;
            let Some(person) = watched.get_mut(&user) else { continue };
            if person.has_begun {
                let notification = Some(Arc::new(note));
                person.tell(PersonNews { user, wallet: None, notification });
            } else {
                person.known.insert(note.id, note.at);
            }
        }
        for user in heard.keys() {
            if let Some(person) = watched.get_mut(user) {
                person.has_begun = true;
                // What is older no later look finds.
                person.known.retain(|_, at| *at >= since);
            }
        }
    }
}

impl Person {
    fn tell(&mut self, news: PersonNews) {
        let PersonNews { user, wallet, notification } = news;
        let is_new = |note: &Arc<notification::Model>| !self.known.contains_key(&note.id);
        let notification = notification.filter(is_new);
        if let Some(note) = &notification {
            self.known.insert(note.id, note.at);
        }
        self.balances = wallet.or(self.balances);
        self.heard += u64::from(wallet.is_some());
        let wallet_changed = wallet.is_some();
        if wallet_changed || notification.is_some() {
            // Fails while nobody has begun to listen.
            let _ = self.ring.send(OwnUpdate { user, wallet_changed, notification });
        }
    }
}

impl OwnFeed {
    /// The next update; first of all, and whenever some were missed, that the wallet may have
    /// changed. `None` when the server shuts down.
    pub async fn next(&mut self) -> Option<OwnUpdate> {
        let user = self.hold.user;
        let resync = OwnUpdate { user, wallet_changed: true, notification: None };
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

impl Drop for Hold {
    fn drop(&mut self) {
        if let Entry::Occupied(mut person) = self.people.watched().entry(self.user) {
            person.get_mut().watchers -= 1;
            if person.get().watchers == 0 {
                person.remove();
            }
        }
    }
}
