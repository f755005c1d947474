//! Who watches lists on this node. An event is matched when it happens, once for all equal
//! filters; what nobody announced is found in the log.
//!
//! What is told depends on the log and the database's clock alone: a list begins behind all that
//! was committed before it, and the clock of this node says nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{TimeDelta, Utc};
use entity::Time;
use tokio::sync::{mpsc, oneshot};

use super::{
    bus::{AuctionNews, Bus, Listening, Subject},
    list::{List, Reader},
    matcher::{Look, Matcher, Message, Watched},
    turns::Turns,
    update::Update,
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
}

#[derive(Debug, Default)]
struct State {
    lists: HashMap<Arc<Filter>, Arc<List>>,
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
    reader: Reader,
}

impl Lists {
    /// No lists yet; matching runs until the last handle is gone.
    #[must_use]
    pub fn start(db: Db, table: IncrementTable, bus: Arc<dyn Bus>) -> Arc<Self> {
        let (inbox, messages) = mpsc::channel(INBOX);
        let (state, looks) = (Mutex::default(), Turns::default());
        let lists = Arc::new(Self { db: db.clone(), state, looks, bus, inbox });
        let weak = Arc::downgrade(&lists);
        let watched = move || weak.upgrade().map_or_else(Vec::new, |lists| lists.watched());
        tokio::spawn(Matcher::new(db, table, watched).run(messages));
        lists
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> Vec<Watched> {
        let state = self.state();
        state.lists.iter().map(|(filter, list)| (Arc::clone(filter), Arc::clone(list))).collect()
    }

    /// Takes news of a commit; drops them when no list is watched here.
    pub fn receive(&self, news: &AuctionNews) {
        let epoch = {
            let state = self.state();
            if state.lists.is_empty() {
                return;
            }
            state.epoch
        };
        // What does not fit is found in the log.
        if self.inbox.try_send(Message::News(epoch, news.clone())).is_err() {
            metrics::counter!("neighborbid_list_news_dropped_total").increment(1);
        }
    }

    /// Begins to watch a list: whatever is committed once this has returned is told, and nothing
    /// that was committed before it was called.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn watch(self: &Arc<Self>, filter: Filter) -> Result<ListFeed, DbErr> {
        let mut feed = {
            // Counted as a watcher before the lock is given back: the last one to leave looks.
            let mut state = self.state();
            state.listening.get_or_insert_with(|| self.listen());
            let filter = Arc::new(filter);
            let list = Arc::clone(state.lists.entry(Arc::clone(&filter)).or_default());
            ListFeed { lists: Arc::clone(self), filter, reader: Reader::new(list) }
        };
        self.sweep().await?;
        feed.reader.skip_all();
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
            if state.lists.is_empty() {
                return Ok(());
            }
            (state.epoch, state.looked)
        };
        let now = transaction::now(&self.db.read).await?.unwrap_or_else(Utc::now);
        let since = looked.map_or(now, |looked| looked.min(now)) - BACK;
        let active = events::active(&self.db.read, since).await?;
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
    /// The next update; `None` when the house closes.
    pub async fn next(&mut self) -> Option<Arc<Update>> {
        self.reader.next().await
    }
}

impl Drop for ListFeed {
    fn drop(&mut self) {
        let mut state = self.lists.state();
        if self.reader.is_alone() {
            state.lists.remove(&self.filter);
        }
        if state.lists.is_empty() {
            *state = State { epoch: state.epoch + 1, ..State::default() };
        }
    }
}
