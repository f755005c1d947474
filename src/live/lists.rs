//! Who watches lists on this node. An event is matched when it happens, once for all equal
//! filters. A list keeps the newest update of each auction only, in the order in which they came,
//! and each watcher a place in that order: who is slow sees the newest of each auction, and
//! nothing grows.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{TimeDelta, Utc};
use entity::{Time, enums::EventKind, ids::AuctionId};
use tokio::sync::{mpsc, watch};

use super::{
    bus::{AuctionNews, Bus, Listening, Subject},
    update::Update,
};
use crate::{
    domain::{filter::Filter, increments::IncrementTable, listing::Listing},
    store::{DbErr, auctions, connection::Db, events},
};

/// How many news may wait to be matched.
const INBOX: usize = 8_192;

/// How many auctions' newest updates a list keeps.
const KEPT: usize = 10_000;

/// How many listings are kept at hand to match against.
const LISTINGS: usize = 20_000;

/// How far back a sweep looks: longer than a transaction lasts and clocks differ.
const BACK: TimeDelta = TimeDelta::seconds(15);

/// How far clocks may differ.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// Of how many auctions the newest event is known.
const HEARD: usize = 100_000;

/// How many events a sweep reads at once.
const READ: i64 = 2_000;

/// The watched lists of this node.
#[derive(Debug)]
pub struct Lists {
    watched: Mutex<Watched>,
    bus: Arc<dyn Bus>,
    inbox: mpsc::Sender<AuctionNews>,
}

#[derive(Debug, Default)]
struct Watched {
    lists: HashMap<Filter, Arc<List>>,
    /// While there is any list: a list may show any auction, so all of them are listened to.
    listening: Option<Listening>,
    /// Since when.
    since: Option<Time>,
    /// The newest event heard of, by auction.
    heard: HashMap<AuctionId, i64>,
}

#[derive(Debug, Default)]
struct List {
    kept: Mutex<Kept>,
    /// Changes with every update.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    by_place: BTreeMap<u64, Tick>,
    places: HashMap<AuctionId, u64>,
    next_place: u64,
}

/// The newest update of an auction, with what it replaced: who had not seen that gets a snapshot.
#[derive(Debug, Clone)]
struct Tick {
    update: Arc<Update>,
    replaced: Option<(u64, Arc<Update>)>,
}

/// One watcher of a list.
#[derive(Debug)]
pub struct ListFeed {
    lists: Arc<Lists>,
    filter: Filter,
    list: Arc<List>,
    newest: watch::Receiver<u64>,
    /// The place of the last update given.
    place: u64,
    /// A final update whose snapshot was given first.
    held_back: Option<Arc<Update>>,
}

impl Lists {
    /// No lists yet; matching runs until the last handle is gone.
    #[must_use]
    pub fn start(db: Db, table: IncrementTable, bus: Arc<dyn Bus>) -> Arc<Self> {
        let (inbox, news) = mpsc::channel(INBOX);
        let lists = Arc::new(Self { watched: Mutex::default(), bus, inbox });
        let matcher =
            Matcher { lists: Arc::downgrade(&lists), db, table, listings: HashMap::new() };
        tokio::spawn(matcher.run(news));
        lists
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes news of a commit; drops them when no list is watched here.
    pub fn receive(&self, news: &AuctionNews) {
        let mut watched = self.watched();
        if watched.lists.is_empty() {
            return;
        }
        if watched.heard.len() >= HEARD {
            watched.heard.clear();
        }
        let heard = watched.heard.entry(news.event.auction).or_default();
        *heard = news.event.sequence().max(*heard);
        if self.inbox.try_send(news.clone()).is_err() {
            metrics::counter!("neighborbid_list_news_dropped_total").increment(1);
        }
    }

    /// Begins to watch a list.
    #[must_use]
    pub fn watch(self: &Arc<Self>, filter: Filter) -> ListFeed {
        let (list, newest) = {
            // Counted as a watcher before the lock is given back: the last one to leave looks.
            let mut watched = self.watched();
            watched.listening.get_or_insert_with(|| self.listen());
            watched.since.get_or_insert_with(|| Utc::now() - SKEW);
            let list = Arc::clone(watched.lists.entry(filter.clone()).or_default());
            let newest = list.newest.subscribe();
            (list, newest)
        };
        let place = list.kept().next_place;
        ListFeed { lists: Arc::clone(self), filter, list, newest, place, held_back: None }
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

    /// Reads from the log whatever the bus may have lost since `since`: first which auctions had
    /// events, then those that were not heard of.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn sweep(&self, db: &Db, since: Time) -> Result<(), DbErr> {
        let Some(begun) = self.watched().since else { return Ok(()) };
        let active = events::active(&db.read, (since - BACK).max(begun)).await?;
        loop {
            let places: Vec<_> = {
                let watched = self.watched();
                let place = |&(auction, before, newest)| {
                    let heard = watched.heard.get(&auction).copied().unwrap_or(before);
                    (heard < newest).then_some((auction, heard))
                };
                active.iter().filter_map(place).collect()
            };
            if places.is_empty() {
                return Ok(());
            }
            let read = events::after_each(&db.read, &places, READ).await?;
            let is_all = (read.len() as i64) < READ;
            for event in read {
                self.receive(&AuctionNews { event, listing: None });
            }
            if is_all {
                return Ok(());
            }
        }
    }
}

impl List {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, update: Arc<Update>) {
        let mut kept = self.kept();
        let auction = update.auction.listing.id;
        let former = kept.places.get(&auction).copied();
        let former =
            former.and_then(|place| Some((place, kept.by_place.get(&place)?.update.clone())));
        if former.as_ref().is_some_and(|(_, former)| former.sequence() >= update.sequence()) {
            // Older than what is known: it came late, or twice.
            return;
        }
        if let Some((place, _)) = former {
            kept.by_place.remove(&place);
        }
        kept.next_place += 1;
        let place = kept.next_place;
        kept.places.insert(auction, place);
        kept.by_place.insert(place, Tick { update, replaced: former });
        if kept.by_place.len() > KEPT
            && let Some((_, oldest)) = kept.by_place.pop_first()
        {
            kept.places.remove(&oldest.update.auction.listing.id);
        }
        self.newest.send_replace(place);
    }
}

impl ListFeed {
    /// The next update; `None` when the house closes.
    pub async fn next(&mut self) -> Option<Arc<Update>> {
        if let Some(update) = self.held_back.take() {
            return Some(update);
        }
        loop {
            let next = {
                let kept = self.list.kept();
                let next = kept.by_place.range(self.place + 1..).next();
                next.map(|(place, tick)| (*place, tick.clone()))
            };
            if let Some((place, tick)) = next {
                let since = std::mem::replace(&mut self.place, place);
                return Some(self.give(tick, since));
            }
            self.newest.changed().await.ok()?;
        }
    }

    /// An update; where it skips what the watcher had not seen, as a snapshot. A final one is
    /// never replaced: a snapshot of the moment before it comes first.
    fn give(&mut self, tick: Tick, since: u64) -> Arc<Update> {
        let Tick { update, replaced } = tick;
        let Some((place, before)) = replaced else {
            return update;
        };
        let is_next = update.sequence() == before.sequence() + 1;
        match (place <= since && is_next, update.is_final()) {
            (true, _) => update,
            (false, false) => Arc::new(update.to_snapshot()),
            (false, true) if is_next => {
                self.held_back = Some(update);
                Arc::new(before.to_snapshot())
            }
            (false, true) => update,
        }
    }
}

impl Drop for ListFeed {
    fn drop(&mut self) {
        let mut watched = self.lists.watched();
        // This one's receiver still counts.
        if self.list.newest.receiver_count() <= 1 {
            watched.lists.remove(&self.filter);
        }
        if watched.lists.is_empty() {
            *watched = Watched::default();
        }
    }
}

/// Matches news against the watched filters.
struct Matcher {
    lists: std::sync::Weak<Lists>,
    db: Db,
    table: IncrementTable,
    listings: HashMap<AuctionId, Arc<Listing>>,
}

impl Matcher {
    async fn run(mut self, mut news: mpsc::Receiver<AuctionNews>) {
        while let Some(news) = news.recv().await {
            let Some(listing) = self.listing(&news).await else {
                continue;
            };
            let Some(lists) = self.lists.upgrade() else {
                return;
            };
            let lists: Vec<_> = lists
                .watched()
                .lists
                .iter()
                .map(|(f, list)| (f.clone(), Arc::clone(list)))
                .collect();
            let mut update = None;
            for (filter, list) in lists {
                if filter.matches(&listing, &news.event.state) {
                    let shared = update
                        .get_or_insert_with(|| Arc::new(Update::of_event(&news.event, &listing)));
                    list.keep(Arc::clone(shared));
                }
            }
        }
    }

    async fn listing(&mut self, news: &AuctionNews) -> Option<Arc<Listing>> {
        let auction = news.event.auction;
        match &news.listing {
            Some(listing) => {
                self.listings.insert(auction, Arc::clone(listing));
            }
            // Another node's edit: its words are read.
            None if news.event.kind == EventKind::Edited => {
                self.listings.remove(&auction);
            }
            None => {}
        }
        if let Some(listing) = self.listings.get(&auction) {
            return Some(Arc::clone(listing));
        }
        let views = auctions::views(&self.db.read, &[auction], &self.table).await;
        let view =
            views.inspect_err(|error| tracing::warn!(%error, "loading a listing")).ok()?.pop()?;
        if self.listings.len() >= LISTINGS {
            self.listings.clear();
        }
        self.listings.insert(auction, Arc::clone(&view.listing));
        Some(view.listing)
    }
}
