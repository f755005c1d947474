//! Who watches lists on this node. An event is matched when it happens, once for all equal
//! filters; what nobody announced is found in the log.
//!
//! What is told depends on the log and the database's clock alone: a list begins behind all that
//! was committed before it, and the clock of this node says nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{TimeDelta, Utc};
use entity::Time;
use tokio::sync::{mpsc, oneshot};

use super::{
    bus::{AuctionNews, Bus, Listening, Subject},
    index::Index,
    list::Reader,
    matcher::{Look, Matcher, Message},
    settings::LiveSettings,
    turns::Turns,
    update::Update,
    watcher::{Share, Shares, Unwatched, Watcher},
};
use crate::{
    domain::{filter::Filter, increments::IncrementTable},
    store::{DbErr, connection::Db, events, transaction},
};

/// How many news may wait to be matched.
const INBOX: usize = 8_192;

/// How far back a look at the log goes: longer than a transaction lasts after it read the time.
const BACK: TimeDelta = TimeDelta::seconds(30);

/// The watched lists of this node.
#[derive(Debug)]
pub struct Lists {
    db: Db,
    state: Mutex<State>,
    looks: Turns,
    bus: Arc<dyn Bus>,
    inbox: mpsc::Sender<Message>,
    /// Locked after the state, where both are.
    index: Arc<Mutex<Index>>,
    shares: Arc<Shares>,
}

#[derive(Debug, Default)]
struct State {
    /// How many lists there are.
    lists: usize,
    /// While there is any list: a list may show any auction, so all of them are listened to.
    listening: Option<Listening>,
    /// Counts the times when there was no list.
    epoch: u64,
    /// The database's time at the last look at the log; none before the first.
    looked: Option<Time>,
}

/// One watcher of a list.
#[derive(Debug)]
pub struct ListFeed {
    lists: Arc<Lists>,
    filter: Arc<Filter>,
    /// None once it leaves.
    reader: Option<Reader>,
    _share: Share,
}

impl Lists {
    /// No lists yet; matching runs until the last handle is gone.
    #[must_use]
    pub fn start(db: Db, table: IncrementTable, bus: Arc<dyn Bus>) -> Arc<Self> {
        Self::within(LiveSettings::unlimited(), db, table, bus)
    }

    /// No lists yet, within these bounds.
    #[must_use]
    pub fn within(
        settings: LiveSettings,
        db: Db,
        table: IncrementTable,
        bus: Arc<dyn Bus>,
    ) -> Arc<Self> {
        let (inbox, messages) = mpsc::channel(INBOX);
        let (state, looks) = (Mutex::default(), Turns::default());
        let index = Arc::new(Mutex::new(Index::within(settings.list_bytes)));
        let matcher = Matcher::new(db.clone(), table, Arc::clone(&index));
        tokio::spawn(matcher.run(messages));
        let shares = Shares::new(settings.lists_per_address, settings.lists_per_account);
        Arc::new(Self { db, state, looks, bus, inbox, index, shares })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lists are watched, equal ones counted once.
    pub fn len(&self) -> usize {
        self.state().lists
    }

    /// Whether no list is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes news of a commit; drops them when no list is watched here.
    pub fn receive(&self, news: &AuctionNews) {
        let epoch = {
            let state = self.state();
            if state.lists == 0 {
                return;
            }
            state.epoch
        };
        // What does not fit is found in the log.
        if self.inbox.try_send(Message::News(epoch, news.clone())).is_err() {
            metrics::counter!("neighborbid_list_news_dropped_total").increment(1);
        }
    }

    /// Begins to watch a list, for somebody who is not counted.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn watch(self: &Arc<Self>, filter: Filter) -> Result<ListFeed, Unwatched> {
        self.watch_as(&Watcher::default(), filter).await
    }

    /// Begins to watch a list: whatever is committed once this has returned is told, and nothing
    /// that was committed before it was called.
    ///
    /// # Errors
    /// When the watcher watches as many as it may, or the database refuses.
    pub async fn watch_as(
        self: &Arc<Self>,
        watcher: &Watcher,
        filter: Filter,
    ) -> Result<ListFeed, Unwatched> {
        let _share = self.shares.take(watcher)?;
        let mut feed = {
            // Counted as a watcher before the lock is given back: the last one to leave looks.
            let mut state = self.state();
            state.listening.get_or_insert_with(|| self.listen());
            let filter = Arc::new(filter);
            let mut index = self.index();
            let reader = Some(Reader::new(index.list(&filter)));
            state.lists = index.len();
            ListFeed { lists: Arc::clone(self), filter, reader, _share }
        };
        self.sweep().await?;
        feed.reader.as_mut().into_iter().for_each(Reader::skip_all);
        Ok(feed)
    }

    fn listen(self: &Arc<Self>) -> Listening {
        let lists = Arc::downgrade(self);
        let take = move |message: &[u8]| {
            if let (Ok(news), Some(lists)) = (serde_json::from_slice(message), lists.upgrade()) {
                lists.receive(&news);
            }
        };
        self.bus.listen(Subject::Auctions, Box::new(take))
    }

    /// Tells from the log whatever nobody announced; returns when all that was committed before
    /// this call is told. Costs nothing while no list is watched.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn sweep(&self) -> Result<(), DbErr> {
        self.looks.after_now(|| self.look()).await
    }

    async fn look(&self) -> Result<(), DbErr> {
        let (epoch, looked) = {
            let state = self.state();
            if state.lists == 0 {
                return Ok(());
            }
            (state.epoch, state.looked)
        };
        let now = transaction::now(&self.db.reserved).await?.unwrap_or_else(Utc::now);
        let since = looked.map_or(now, |looked| looked.min(now)) - BACK;
        let active = events::active(&self.db.reserved, since).await?;
        let (done, is_told) = oneshot::channel();
        let look = Look { epoch, is_first: looked.is_none(), since, active, done };
        let gone = || DbErr::Custom("nothing matches events with lists any more".to_owned());
        self.inbox.send(Message::Look(look)).await.map_err(|_| gone())?;
        is_told.await.map_err(|_| gone())??;
        let mut state = self.state();
        if state.epoch == epoch {
            state.looked = Some(now);
        }
        Ok(())
    }
}

impl ListFeed {
    /// The next update; `None` when the server shuts down.
    pub async fn next(&mut self) -> Option<Arc<Update>> {
        self.reader.as_mut()?.next().await
    }
}

impl Drop for ListFeed {
    fn drop(&mut self) {
        let mut state = self.lists.state();
        // It leaves while the lock is held: of two that leave together, the second is the last.
        if self.reader.take().is_some_and(Reader::leave) {
            let mut index = self.lists.index();
            index.remove(&self.filter);
            state.lists = index.len();
        }
        if state.lists == 0 {
            *state = State { epoch: state.epoch + 1, ..State::default() };
        }
    }
}
