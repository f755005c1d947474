//! One watched auction on this node: news put in order, holes filled from the log, and everything
//! handed to all watchers through one bounded ring. A watcher that falls behind loses its place
//! in the ring and nothing else happens: nobody waits for it, nothing grows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::ids::AuctionId;
use tokio::sync::{OnceCell, broadcast};

use super::{bus::AuctionNews, update::Update};
use crate::domain::listing::AuctionView;

/// How many updates a watcher may be behind before it is sent a snapshot instead.
const RING: usize = 256;

/// How many early or late news wait for a hole to be filled; beyond it the log is read instead.
const PENDING: usize = 1_024;

#[derive(Debug)]
pub(super) struct Topic {
    pub auction: AuctionId,
    /// Set once the auction is loaded; every watcher waits for the one load.
    pub loaded: OnceCell<()>,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    ring: broadcast::Sender<Arc<Update>>,
    /// The newest update, and the one before it.
    current: Option<Arc<Update>>,
    previous: Option<Arc<Update>>,
    /// AuctionNews that came before the auction was loaded or after a hole.
    pending: BTreeMap<i64, AuctionNews>,
    /// The newest number heard of, pending or not.
    announced: i64,
    /// Somebody is reading the log already.
    is_filling: bool,
}

/// Where a watcher stands when it begins: no event falls between `current` and `ring`.
#[derive(Debug)]
pub(super) struct Position {
    pub current: Arc<Update>,
    pub previous: Option<Arc<Update>>,
    pub ring: broadcast::Receiver<Arc<Update>>,
}

impl Topic {
    pub fn new(auction: AuctionId) -> Self {
        let line = Line {
            ring: broadcast::Sender::new(RING),
            current: None,
            previous: None,
            pending: BTreeMap::new(),
            announced: 0,
            is_filling: false,
        };
        Self { auction, loaded: OnceCell::new(), line: Mutex::new(line) }
    }

    /// A panic while the lock was held cannot leave the line half-changed: each change is one
    /// assignment after its checks.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The auction as the database has it, once, before anybody watches. News that came while it
    /// was read are in `pending` already. Says whether a hole must be filled.
    pub fn load(&self, view: AuctionView) -> bool {
        let mut line = self.line();
        line.current = Some(Arc::new(Update::snapshot(view)));
        line.drain();
        line.begin_filling()
    }

    /// Takes news from the bus. Says whether the caller must see to a hole being filled.
    pub fn receive(&self, news: AuctionNews) -> bool {
        let mut line = self.line();
        let sequence = news.event.sequence();
        line.announced = line.announced.max(sequence);
        let newest = line.newest();
        if newest.is_some_and(|newest| sequence <= newest) {
            return false;
        }
        if line.pending.len() >= PENDING {
            line.pending.clear();
        }
        line.pending.insert(sequence, news);
        line.drain();
        line.begin_filling()
    }

    /// Takes what the log had. Says whether there is still a hole.
    pub fn fill(&self, read: Vec<AuctionNews>) -> bool {
        let mut line = self.line();
        for news in read {
            line.pending.insert(news.event.sequence(), news);
        }
        line.drain();
        line.is_filling = line.is_behind();
        line.is_filling
    }

    /// Filling failed: the next news tries again.
    pub fn stop_filling(&self) {
        self.line().is_filling = false;
    }

    /// The newest number that watchers were given.
    pub fn newest(&self) -> i64 {
        self.line().newest().unwrap_or(0)
    }

    /// A watcher's place to begin from; `None` before the topic is loaded.
    pub fn position(&self) -> Option<Position> {
        let line = self.line();
        Some(Position {
            current: line.current.clone()?,
            previous: line.previous.clone(),
            ring: line.ring.subscribe(),
        })
    }
}

impl Line {
    fn newest(&self) -> Option<i64> {
        self.current.as_ref().map(|update| update.sequence())
    }

    fn is_behind(&self) -> bool {
        self.newest().is_some_and(|newest| newest < self.announced)
    }

    fn begin_filling(&mut self) -> bool {
        let begins = self.is_behind() && !self.is_filling;
        self.is_filling |= begins;
        begins
    }

    /// Hands on what follows without a hole.
    fn drain(&mut self) {
        while let Some(current) = self.current.clone() {
            let Some((&sequence, _)) = self.pending.first_key_value() else {
                return;
            };
            if sequence > current.sequence() + 1 {
                return;
            }
            let Some((_, news)) = self.pending.pop_first() else {
                return;
            };
            if sequence <= current.sequence() {
                continue;
            }
            let listing = news.listing.as_ref().unwrap_or(&current.auction.listing);
            let update = Arc::new(Update::of_event(&news.event, listing));
            self.previous = Some(current);
            self.current = Some(Arc::clone(&update));
            // Fails only when nobody listens yet.
            let _ = self.ring.send(update);
        }
    }
}
