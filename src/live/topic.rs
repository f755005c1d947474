//! One watched auction on this node: news put in order, holes filled from the log, and everything
//! handed to all watchers through one bounded ring. A watcher is a place in it: one that falls
//! behind loses its place and nothing else happens: nobody waits for it, nothing grows.
//!
//! What was handed on is never corrected. It need not be: news come from nodes alone, after their
//! commit, so they say what the log says; unless the database itself forgets what it acknowledged
//! (it was restored from a backup), and then the nodes must be started anew.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use entity::{enums::EventKind, ids::AuctionId};
use tokio::sync::{self, OnceCell, watch};

use super::{bus::AuctionNews, memory::Memory, turns::Turns, update::Update};
use crate::domain::listing::AuctionView;

/// How many updates a watcher may be behind before it is sent a snapshot instead.
const RING: i64 = 256;

/// How many updates are kept at hand; and how many after somebody came back from further, while
/// that one reads them and others may follow.
const KEPT: usize = 256;
const KEPT_LONGER: usize = 1_256;
const FOLLOWERS: Duration = Duration::from_secs(60);

/// How far back the log is read for somebody who missed fewer: others will have missed about as
/// many. Who missed more comes back from far.
pub(super) const NEAR: i64 = 128;

/// How many early or late news wait for a hole to be filled; beyond it the log is read instead.
const PENDING: usize = 1_024;

#[derive(Debug)]
pub(super) struct Topic {
    pub auction: AuctionId,
    /// Set once the auction is loaded; every watcher waits for the one load.
    pub loaded: OnceCell<()>,
    /// Held by the one who reads older events for all who come back.
    pub remembering: sync::Mutex<()>,
    /// Turns of those who ask the log for what was not told here yet.
    pub asking: Turns,
    /// The newest sequence: wakes the watchers.
    newest: watch::Sender<i64>,
    /// What all topics keep.
    memory: Arc<Memory>,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    /// The newest update, and the one before it.
    current: Option<Arc<Update>>,
    previous: Option<Arc<Update>>,
    /// The newest events, without a hole, up to `current`: the ring.
    kept: VecDeque<Arc<Update>>,
    /// How many bytes they take, and how many are counted as held.
    bytes: usize,
    counted: usize,
    /// When the last one came, or older ones were read for somebody.
    used: Instant,
    /// Until when more of them are kept.
    followers_until: Option<Instant>,
    /// AuctionNews that came before the auction was loaded or after a hole.
    pending: BTreeMap<i64, AuctionNews>,
    /// The newest number heard of, pending or not.
    announced: i64,
    /// Somebody is reading the log already.
    is_filling: bool,
    /// Something could not be read that was said about this auction.
    is_doubted: bool,
}

/// The newest update, and the one before it.
#[derive(Debug)]
pub(super) struct Position {
    pub current: Arc<Update>,
    pub previous: Option<Arc<Update>>,
}

/// What follows a watcher's place.
#[derive(Debug)]
pub(super) enum Step {
    /// The next event.
    Event(Arc<Update>),
    /// The watcher is too far behind.
    Behind,
    /// Nothing yet.
    Nothing,
}

impl Topic {
    pub fn new(auction: AuctionId, memory: Arc<Memory>) -> Self {
        let line = Line {
            current: None,
            previous: None,
            kept: VecDeque::new(),
            bytes: 0,
            counted: 0,
            used: Instant::now(),
            followers_until: None,
            pending: BTreeMap::new(),
            announced: 0,
            is_filling: false,
            is_doubted: false,
        };
        Self {
            auction,
            loaded: OnceCell::new(),
            remembering: sync::Mutex::new(()),
            asking: Turns::default(),
            newest: watch::Sender::default(),
            memory,
            line: Mutex::new(line),
        }
    }

    /// Counts what is kept, and wakes the watchers if anything is new.
    fn settle(&self, line: &mut Line) {
        self.memory.changed(line.counted, line.bytes);
        line.counted = line.bytes;
        let newest = line.newest().unwrap_or_default();
        self.newest.send_if_modified(|known| std::mem::replace(known, newest) != newest);
    }

    /// Wakes whenever there is something new.
    pub fn listen(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }

    /// What follows `last`. A watcher is never too far behind in what it was promised when it
    /// came, up to `promised`, as long as that is kept.
    pub fn after(&self, last: i64, promised: i64) -> Step {
        let line = self.line();
        let newest = line.newest().unwrap_or_default();
        if last >= newest {
            return Step::Nothing;
        }
        let is_near = last < promised || newest - last <= RING;
        match line.kept(last + 1).filter(|_| is_near) {
            Some(update) => Step::Event(Arc::clone(update)),
            None => Step::Behind,
        }
    }

    /// When the last event came, or older ones were read for somebody.
    pub fn used(&self) -> Instant {
        self.line().used
    }

    /// Gives up all that is kept: whoever needs it gets a snapshot.
    pub fn shrink(&self) {
        let mut line = self.line();
        (line.kept, line.bytes) = (VecDeque::new(), 0);
        line.followers_until = None;
        self.settle(&mut line);
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
        self.settle(&mut line);
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
        // Another node's edit came without its words: they are read with the log.
        if news.event.kind == EventKind::Edited && news.listing.is_none() {
            return line.begin_filling();
        }
        if line.pending.len() >= PENDING {
            line.pending.clear();
        }
        line.pending.insert(sequence, news);
        line.drain();
        self.settle(&mut line);
        line.begin_filling()
    }

    /// Takes what the log had. Says whether there is still a hole.
    pub fn fill(&self, read: Vec<AuctionNews>) -> bool {
        let mut line = self.line();
        line.take_all(read);
        self.settle(&mut line);
        line.is_filling = line.is_behind();
        line.is_filling
    }

    /// Takes what the log had without being asked. Says how many were news.
    pub fn catch_up(&self, read: Vec<AuctionNews>) -> u64 {
        let mut line = self.line();
        let before = line.newest().unwrap_or_default();
        line.take_all(read);
        self.settle(&mut line);
        line.newest().map_or(0, |newest| newest.abs_diff(before))
    }

    /// The event of a sequence, if it is at hand.
    pub fn kept(&self, sequence: i64) -> Option<Arc<Update>> {
        self.line().kept(sequence).cloned()
    }

    /// The sequence after which all events are at hand, for somebody who comes back from `after`:
    /// from far, more is kept from now on for some time. What is at hand stays there until it is
    /// read, and what is read from the log still fits to it then.
    pub fn reach_for(&self, after: i64) -> i64 {
        let mut line = self.line();
        if line.newest().unwrap_or_default() - after > NEAR {
            line.followers_until = Some(Instant::now() + FOLLOWERS);
        }
        line.reach()
    }

    /// Keeps older events at hand, for others who come back from as far; for some time even if
    /// that `is_far`.
    pub fn remember(&self, older: Vec<Arc<Update>>, is_far: bool) {
        let mut line = self.line();
        if is_far {
            line.followers_until = Some(Instant::now() + FOLLOWERS);
        }
        // What was just read for somebody is not the first to be given up again.
        line.used = Instant::now();
        for update in older.into_iter().rev() {
            if update.sequence() == line.reach() {
                line.bytes += update.bytes();
                line.kept.push_front(update);
            }
        }
        self.settle(&mut line);
    }

    /// Whether nothing can follow what watchers were given.
    pub fn is_over(&self) -> bool {
        self.line().current.as_ref().is_some_and(|current| current.is_final())
    }

    /// Something was said about this auction that could not be read: the log knows. Says whether
    /// the caller must see to it.
    pub fn doubt(&self) -> bool {
        let mut line = self.line();
        line.is_doubted = line.current.is_some();
        let begins = line.is_doubted && !line.is_filling;
        line.is_filling |= begins;
        begins
    }

    /// Whether the log must still be read; if not, filling is over.
    pub fn is_wanting(&self) -> bool {
        let mut line = self.line();
        line.is_filling = std::mem::take(&mut line.is_doubted) || line.is_behind();
        line.is_filling
    }

    /// What was announced is not in the log: nobody waits for it any longer.
    pub fn give_up(&self) {
        let mut line = self.line();
        line.announced = line.newest().unwrap_or_default();
        line.pending.clear();
        line.is_filling = false;
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
        Some(Position { current: line.current.clone()?, previous: line.previous.clone() })
    }
}

impl Line {
    fn newest(&self) -> Option<i64> {
        self.current.as_ref().map(|update| update.sequence())
    }

    /// The sequence after which all is kept.
    fn reach(&self) -> i64 {
        self.newest().unwrap_or_default() - self.kept.len() as i64
    }

    /// The event of a sequence, if it is kept.
    fn kept(&self, sequence: i64) -> Option<&Arc<Update>> {
        let place = sequence.checked_sub(self.reach())?.checked_sub(1)?;
        self.kept.get(usize::try_from(place).ok()?)
    }

    fn is_behind(&self) -> bool {
        self.newest().is_some_and(|newest| newest < self.announced)
    }

    fn begin_filling(&mut self) -> bool {
        let begins = self.is_behind() && !self.is_filling;
        self.is_filling |= begins;
        begins
    }

    fn take_all(&mut self, read: Vec<AuctionNews>) {
        for news in read {
            self.pending.insert(news.event.sequence(), news);
        }
        self.drain();
    }

    fn keep(&mut self, update: Arc<Update>) {
        self.bytes += update.bytes();
        self.used = Instant::now();
        self.kept.push_back(update);
        let waits = self.followers_until.is_some_and(|until| Instant::now() < until);
        let most = if waits { KEPT_LONGER } else { KEPT };
        while self.kept.len() > most {
            self.bytes -= self.kept.pop_front().map_or(0, |update| update.bytes());
        }
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
            self.keep(update);
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let held = self.line().counted;
        self.memory.changed(held, 0);
    }
}
