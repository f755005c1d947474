//! Who watches what on this node.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::{enums::EventKind, ids::AuctionId};
use futures_util::future::OptionFuture;
use tokio::sync::Mutex as AsyncMutex;

use super::{
    bus::{AuctionNews, Bus, Listening, Subject},
    memory::Memory,
    replays::Replays,
    settings::LiveSettings,
    topic::{NEAR, Position, Topic},
    update::Update,
};
use crate::{
    domain::{event::Event, increments::IncrementTable, listing::AuctionView},
    store::{DbErr, auctions, connection::Db, events, reader::Reader},
};

/// How many events one read of the log brings.
const READ: i64 = 1_000;

/// How often the log is read for an event that was announced and is not in it.
const TRIES: u32 = 500;

/// How long news that are overtaken by later ones may still come by themselves.
const GRACE: Duration = Duration::from_millis(10);

/// The topics of this node: one for each auction that somebody watches here.
#[derive(Debug)]
pub struct Hub {
    pub(super) db: Db,
    table: IncrementTable,
    bus: Arc<dyn Bus>,
    topics: Mutex<HashMap<AuctionId, Watched>>,
    /// What the rings of all topics hold.
    memory: Arc<Memory>,
    pub(super) replays: Replays,
    /// Holes are filled by one read at a time: tokens and bids wait for the same connections.
    filling: AsyncMutex<()>,
}

#[derive(Debug)]
struct Watched {
    topic: Arc<Topic>,
    watchers: u32,
    /// Only what is watched here is listened to.
    _listening: Listening,
}

/// A watcher's hold on a topic: dropped with the last one, the topic is forgotten.
#[derive(Debug)]
pub(super) struct Watch {
    hub: Arc<Hub>,
    pub topic: Arc<Topic>,
}

impl Hub {
    /// A hub that reads from `db` and hears the other nodes by `bus`.
    #[must_use]
    pub fn new(
        db: Db,
        table: IncrementTable,
        bus: Arc<dyn Bus>,
        settings: &LiveSettings,
    ) -> Arc<Self> {
        let memory = Arc::new(Memory::new(settings.ring_bytes));
        let (topics, replays) = (Mutex::default(), Replays::new(settings));
        let filling = AsyncMutex::default();
        Arc::new(Self { db, table, bus, topics, memory, replays, filling })
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<AuctionId, Watched>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes news of a commit; drops them when nobody watches that auction here.
    pub fn receive(self: &Arc<Self>, news: AuctionNews) {
        let Some(topic) = self.topic(news.event.auction) else { return };
        if topic.receive(news) {
            self.fill_soon(topic);
        }
        self.make_room();
    }

    /// Once the rings hold more than they may, those of the auctions that were quiet for longest
    /// are given up.
    fn make_room(&self) {
        if !self.memory.is_exceeded() {
            return;
        }
        let topics: Vec<_> =
            self.topics().values().map(|watched| Arc::clone(&watched.topic)).collect();
        let mut topics: Vec<_> = topics.iter().map(|topic| (topic.used(), topic)).collect();
        topics.sort_by_key(|(used, _)| *used);
        for (_, topic) in topics {
            if self.memory.has_room() {
                return;
            }
            topic.shrink();
        }
    }

    /// Forgets whom no budget holds back.
    pub fn tidy(&self) {
        self.replays.forget_idle();
    }

    /// How many bytes the rings hold.
    pub fn ring_bytes(&self) -> usize {
        self.memory.held()
    }

    fn topic(&self, auction: AuctionId) -> Option<Arc<Topic>> {
        self.topics().get(&auction).map(|watched| Arc::clone(&watched.topic))
    }

    /// Takes what another node says about an auction.
    fn hear(self: &Arc<Self>, auction: AuctionId, message: &[u8]) {
        match serde_json::from_slice::<AuctionNews>(message) {
            Ok(news) if news.event.auction == auction => self.receive(news),
            // Only nodes of ours are heard, so it is another version's message: the log says what
            // it meant.
            _ => {
                let doubted = self.topic(auction).filter(|topic| topic.doubt());
                doubted.into_iter().for_each(|topic| self.fill_soon(topic));
            }
        }
    }

    /// How many watch an auction on this node.
    pub fn watchers(&self, auction: AuctionId) -> u32 {
        self.topics().get(&auction).map_or(0, |watched| watched.watchers)
    }

    /// How many watch each auction that is watched on this node.
    pub fn all_watchers(&self) -> HashMap<AuctionId, u32> {
        self.topics().iter().map(|(auction, watched)| (*auction, watched.watchers)).collect()
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
            metrics::counter!("neighborbid_snapshots_total").increment(1);
            let view = self.view(&self.db.read, auction).await?.ok_or(LoadError::Unknown)?;
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
        let watched = topics.entry(auction).or_insert_with(|| {
            let hub = Arc::downgrade(self);
            let hear = move |message: &[u8]| {
                hub.upgrade().into_iter().for_each(|hub| hub.hear(auction, message));
            };
            let _listening = self.bus.listen(Subject::Auction(auction), Box::new(hear));
            let topic = Arc::new(Topic::new(auction, Arc::clone(&self.memory)));
            Watched { topic, watchers: 0, _listening }
        });
        watched.watchers += 1;
        metrics::gauge!("neighborbid_watchers").increment(1);
        Watch { hub: Arc::clone(self), topic: Arc::clone(&watched.topic) }
    }

    async fn view(&self, db: &Reader, auction: AuctionId) -> Result<Option<AuctionView>, DbErr> {
        Ok(auctions::views(db, &[auction], &self.table).await?.pop())
    }

    fn fill_soon(self: &Arc<Self>, topic: Arc<Topic>) {
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            if !topic.is_wanting() {
                return;
            }
            metrics::counter!("neighborbid_log_reads_total").increment(1);
            if let Err(error) = hub.fill(&topic, &hub.db.reserved, Some(&hub.filling)).await {
                tracing::warn!(%error, auction = %topic.auction, "reading the event log");
                topic.stop_filling();
            }
        });
    }

    /// Asks the log for what was not told here yet, once for all who ask at a time.
    pub(super) async fn ask(&self, topic: &Topic) -> Result<(), DbErr> {
        topic.asking.after_now(|| self.fill(topic, &self.db.read, None)).await
    }

    /// Reads the log until the topic has heard of everything that was announced.
    async fn fill(
        &self,
        topic: &Topic,
        db: &Reader,
        turns: Option<&AsyncMutex<()>>,
    ) -> Result<(), DbErr> {
        for _ in 0..TRIES {
            let news = {
                let _turn = OptionFuture::from(turns.map(AsyncMutex::lock)).await;
                let after = topic.newest();
                let read = events::between(db, topic.auction, after, i64::MAX, READ).await?;
                self.with_words(db, topic.auction, read).await?
            };
            let is_empty = news.is_empty();
            if !topic.fill(news) {
                return Ok(());
            }
            self.make_room();
            if is_empty {
                // Announced, not readable yet: a replica that lags, say.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        topic.give_up();
        Ok(())
    }

    async fn with_words(
        &self,
        db: &Reader,
        auction: AuctionId,
        read: Vec<Arc<Event>>,
    ) -> Result<Vec<AuctionNews>, DbErr> {
        let edited = read.iter().any(|event| event.kind == EventKind::Edited);
        let listing = match edited {
            true => self.view(db, auction).await?.map(|view| view.listing),
            false => None,
        };
        let news = |event| AuctionNews { event, listing: listing.clone() };
        Ok(read.into_iter().map(news).collect())
    }

    /// Puts the events after `after` at hand, once for all who come back from as far.
    pub(super) async fn remember(&self, topic: &Topic, after: i64) -> Result<(), DbErr> {
        let _one_at_a_time = topic.remembering.lock().await;
        let reach = topic.reach_for(after);
        let Some(Position { current, .. }) = topic.position().filter(|_| after < reach) else {
            return Ok(());
        };
        let _turn = self.replays.turn().await;
        metrics::counter!("neighborbid_log_reads_total").increment(1);
        let is_far = current.sequence() - after > NEAR;
        let from = after.min(current.sequence() - if is_far { READ } else { NEAR });
        let older = events::between(&self.db.read, topic.auction, from, reach, READ).await?;
        let update = |event: &Arc<Event>| Update::of_event(event, &current.auction.listing);
        let older = older.iter().map(|event| Arc::new(update(event))).collect();
        topic.remember(older, is_far);
        self.make_room();
        Ok(())
    }

    /// Reads from the log whatever the bus may have lost: one query for all that is watched here.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn sweep(&self) -> Result<(), DbErr> {
        loop {
            let topics: HashMap<_, _> = {
                let topics = self.topics();
                let loaded = topics.values().map(|watched| &watched.topic);
                let live = loaded.filter(|topic| topic.loaded.initialized() && !topic.is_over());
                live.map(|topic| (topic.auction, Arc::clone(topic))).collect()
            };
            if topics.is_empty() {
                return Ok(());
            }
            let places: Vec<_> = topics.values().map(|t| (t.auction, t.newest())).collect();
            let read = events::after_each(&self.db.reserved, &places, READ).await?;
            let is_all = (read.len() as i64) < READ;
            let mut of_topic: HashMap<AuctionId, Vec<Arc<Event>>> = HashMap::new();
            for event in read {
                of_topic.entry(event.auction).or_default().push(event);
            }
            for (auction, read) in of_topic {
                let read = self.with_words(&self.db.reserved, auction, read).await?;
                let news = topics.get(&auction).map_or(0, |topic| topic.catch_up(read));
                metrics::counter!("neighborbid_swept_events_total").increment(news);
            }
            self.make_room();
            if is_all {
                return Ok(());
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
