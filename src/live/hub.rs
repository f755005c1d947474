//! Who watches what on this node.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::{enums::EventKind, ids::AuctionId};
use sea_orm::DbErr;

use super::{
    bus::AuctionNews,
    topic::{Position, Topic},
};
use crate::{
    domain::{increments::IncrementTable, listing::AuctionView},
    store::{auctions, connection::Db, events},
};

/// How many events one read of the log brings.
const READ: i64 = 1_000;

/// The topics of this node: one for each auction that somebody watches here.
#[derive(Debug)]
pub struct Hub {
    pub(super) db: Db,
    table: IncrementTable,
    topics: Mutex<HashMap<AuctionId, Watched>>,
}

#[derive(Debug)]
struct Watched {
    topic: Arc<Topic>,
    watchers: usize,
}

/// A watcher's hold on a topic: dropped with the last one, the topic is forgotten.
#[derive(Debug)]
pub(super) struct Watch {
    hub: Arc<Hub>,
    pub topic: Arc<Topic>,
}

impl Hub {
    /// A hub that reads from `db`.
    #[must_use]
    pub fn new(db: Db, table: IncrementTable) -> Arc<Self> {
        Arc::new(Self { db, table, topics: Mutex::new(HashMap::new()) })
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<AuctionId, Watched>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes news of a commit; drops them when nobody watches that auction here.
    pub fn receive(self: &Arc<Self>, news: AuctionNews) {
        let topic = match self.topics().get(&news.event.auction) {
            Some(watched) => Arc::clone(&watched.topic),
            None => return,
        };
        if topic.receive(news) {
            self.fill_soon(topic);
        }
    }

    /// Joins an auction's watchers; `None` when there is no such auction. However many join at
    /// once, the auction is read once.
    pub(super) async fn watch(
        self: &Arc<Self>,
        auction: AuctionId,
    ) -> Result<Option<(Watch, Position)>, DbErr> {
        let watch = self.join(auction);
        let topic = &watch.topic;
        let load = async || {
            let view = self.view(auction).await?.ok_or(LoadError::Unknown)?;
            if topic.load(view) {
                self.fill_soon(Arc::clone(topic));
            }
            Ok(())
        };
        match topic.loaded.get_or_try_init(load).await {
            Ok(()) => Ok(topic.position().map(|position| (watch, position))),
            Err(LoadError::Unknown) => Ok(None),
            Err(LoadError::Failed(error)) => Err(error),
        }
    }

    fn join(self: &Arc<Self>, auction: AuctionId) -> Watch {
        let mut topics = self.topics();
        let watched = topics
            .entry(auction)
            .or_insert_with(|| Watched { topic: Arc::new(Topic::new(auction)), watchers: 0 });
        watched.watchers += 1;
        metrics::gauge!("neighborbid_watchers").increment(1);
        Watch { hub: Arc::clone(self), topic: Arc::clone(&watched.topic) }
    }

    async fn view(&self, auction: AuctionId) -> Result<Option<AuctionView>, DbErr> {
        Ok(auctions::views(&self.db.read, &[auction], &self.table).await?.pop())
    }

    fn fill_soon(self: &Arc<Self>, topic: Arc<Topic>) {
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            metrics::counter!("neighborbid_log_reads_total").increment(1);
            if let Err(error) = hub.fill(&topic).await {
                tracing::warn!(%error, auction = %topic.auction, "reading the event log");
                topic.stop_filling();
            }
        });
    }

    /// Reads the log until the topic has heard of everything that was announced.
    pub(super) async fn fill(&self, topic: &Topic) -> Result<(), DbErr> {
        loop {
            let after = topic.newest();
            let read = events::between(&self.db.read, topic.auction, after, i64::MAX, READ).await?;
            let edited = read.iter().any(|event| event.kind == EventKind::Edited);
            let listing = match edited {
                true => self.view(topic.auction).await?.map(|view| view.listing),
                false => None,
            };
            let news = |event| AuctionNews { event, listing: listing.clone() };
            let is_empty = read.is_empty();
            if !topic.fill(read.into_iter().map(news).collect()) {
                return Ok(());
            }
            if is_empty {
                // Announced, not readable yet: a replica that lags, say.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

enum LoadError {
    Unknown,
    Failed(DbErr),
}

impl From<DbErr> for LoadError {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        metrics::gauge!("neighborbid_watchers").decrement(1);
        let mut topics = self.hub.topics();
        if let Entry::Occupied(mut watched) = topics.entry(self.topic.auction) {
            watched.get_mut().watchers -= 1;
            if watched.get().watchers == 0 {
                watched.remove();
            }
        }
    }
}
