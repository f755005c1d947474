//! One watched list on this node. Each reader has a place in the order of its updates. For readers
//! who are behind, its newest updates are kept in full, of older ones the newest of each auction;
//! what all have read is dropped. Who is slow sees the newest of each auction, and nothing grows.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::ids::AuctionId;
use tokio::sync::watch;

use super::{memory::Memory, update::Update};

/// How many of the newest updates a list keeps in full.
const RECENT: usize = 256;

/// Of how many auctions a list keeps the newest of the older updates, and knows what it told last.
const OLDER: usize = 10_000;

/// How many bytes it takes to know what was told last of an auction, and to have an update in
/// order.
const LAST_BYTES: usize = 128;
const TICK_BYTES: usize = 192;

/// A watched list.
#[derive(Debug)]
pub(super) struct List {
    /// What the lists hold for readers who are behind.
    memory: Arc<Memory>,
    /// What it takes the lists to know what they told last, whether anybody is behind or not.
    known: Arc<Memory>,
    kept: Mutex<Kept>,
    /// The newest place.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Their places follow each other without a hole, up to the newest.
    recent: VecDeque<Tick>,
    older: BTreeMap<u64, Tick>,
    /// The place among the older, by auction.
    older_of: HashMap<AuctionId, u64>,
    /// The last update that was told, by auction; and the auctions by its place.
    latest: HashMap<AuctionId, Last>,
    latest_at: BTreeMap<u64, AuctionId>,
    /// The newest place of which that is not known any more.
    unknown: u64,
    /// How many readers there are at each place.
    readers: BTreeMap<u64, usize>,
    /// How many bytes the updates take.
    ticks: usize,
    /// How many bytes are counted as held, and as known.
    counted: usize,
    counted_known: usize,
    /// The newest place that was given up without a newer update of its auction.
    forgotten: u64,
    newest: u64,
}

/// An update in a list's order.
#[derive(Debug, Clone)]
struct Tick {
    place: u64,
    update: Arc<Update>,
    /// The update of the same auction that the list told before.
    previous: Option<Last>,
    /// Of a final event: the moment before it, as a snapshot.
    before: Option<Arc<Update>>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    place: u64,
    sequence: i64,
}

impl List {
    /// A list that nobody reads yet.
    pub fn within(memory: Arc<Memory>, known: Arc<Memory>) -> Self {
        Self { memory, known, kept: Mutex::default(), newest: watch::Sender::default() }
    }

    /// A panic while the lock was held leaves at worst an update untold.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an update, unless one as new of the same auction was kept already. With a final event
    /// comes the moment `before` it, for those who missed that.
    pub fn keep(&self, update: Arc<Update>, before: Option<Arc<Update>>) {
        let mut kept = self.kept();
        let (auction, sequence) = (update.auction.listing.id, update.sequence());
        let previous = kept.latest.get(&auction).copied();
        if previous.is_some_and(|last| last.sequence >= sequence) {
            return;
        }
        kept.newest += 1;
        let place = kept.newest;
        kept.latest.insert(auction, Last { place, sequence });
        if let Some(former) = previous {
            kept.latest_at.remove(&former.place);
        }
        kept.latest_at.insert(place, auction);
        let tick = Tick { place, update, previous, before };
        kept.ticks += tick.bytes();
        kept.recent.push_back(tick);
        kept.shorten();
        self.count(&mut kept);
        self.newest.send_replace(place);
    }

    /// A reader has passed from one place to another; nobody needs what all have passed.
    fn pass(&self, kept: &mut Kept, from: Option<u64>, to: Option<u64>) {
        if let Some(to) = to {
            *kept.readers.entry(to).or_default() += 1;
        }
        if let Some(from) = from
            && let Entry::Occupied(mut readers) = kept.readers.entry(from)
        {
            *readers.get_mut() -= 1;
            if *readers.get() == 0 {
                readers.remove();
            }
        }
        kept.drop_read();
        self.count(kept);
    }

    /// Holds less for readers who are behind. Says whether there was anything.
    pub fn shrink(&self) -> bool {
        let mut kept = self.kept();
        let shrunk = kept.halve();
        self.count(&mut kept);
        shrunk
    }

    /// Knows less of what was told last. Says whether there was anything.
    pub fn forget(&self) -> bool {
        let mut kept = self.kept();
        let half = kept.latest.len().div_ceil(2);
        (0..half).for_each(|_| kept.forget_latest());
        self.count(&mut kept);
        half > 0
    }

    /// How many bytes it holds for readers who are behind, about.
    pub fn bytes(&self) -> usize {
        self.kept().counted
    }

    /// How many bytes it takes to know what was told last, about.
    pub fn known_bytes(&self) -> usize {
        self.kept().counted_known
    }

    fn count(&self, kept: &mut Kept) {
        let known = kept.latest.len() * LAST_BYTES;
        self.memory.changed(kept.counted, kept.ticks);
        self.known.changed(kept.counted_known, known);
        (kept.counted, kept.counted_known) = (kept.ticks, known);
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let (held, known) = (self.bytes(), self.known_bytes());
        self.memory.changed(held, 0);
        self.known.changed(known, 0);
    }
}

impl Tick {
    fn bytes(&self) -> usize {
        TICK_BYTES + self.update.bytes()
    }
}

impl Kept {
    fn shorten(&mut self) {
        self.drop_read();
        if self.recent.len() > RECENT
            && let Some(tick) = self.recent.pop_front()
        {
            self.keep_older(tick);
        }
        if self.older.len() > OLDER {
            self.forget_oldest();
        }
        if self.latest.len() > OLDER {
            self.forget_latest();
        }
    }

    /// Keeps one that is not recent any more in place of an older one of its auction.
    fn keep_older(&mut self, tick: Tick) {
        let auction = tick.update.auction.listing.id;
        if let Some(former) = self.older_of.insert(auction, tick.place)
            && let Some(former) = self.older.remove(&former)
        {
            self.ticks -= former.bytes();
        }
        self.older.insert(tick.place, tick);
    }

    /// Drops what every reader has read.
    fn drop_read(&mut self) {
        let read = self.readers.first_key_value().map_or(self.newest, |(place, _)| *place);
        while self.recent.front().is_some_and(|tick| tick.place <= read) {
            self.ticks -= self.recent.pop_front().map_or(0, |tick| tick.bytes());
        }
        while self.older.first_key_value().is_some_and(|(place, _)| *place <= read) {
            self.drop_oldest();
        }
    }

    /// Gives up the oldest though somebody has not read it: what follows it is in doubt.
    fn forget_oldest(&mut self) {
        let Some(tick) = self.drop_oldest() else { return };
        self.forgotten = self.forgotten.max(tick.place);
        if let Some(auction) = self.latest_at.remove(&tick.place) {
            self.latest.remove(&auction);
            self.unknown = self.unknown.max(tick.place);
        }
    }

    fn drop_oldest(&mut self) -> Option<Tick> {
        let (_, tick) = self.older.pop_first()?;
        self.older_of.remove(&tick.update.auction.listing.id);
        self.ticks -= tick.bytes();
        Some(tick)
    }

    /// Gives up to know what was told last of the auction that was quiet for longest.
    fn forget_latest(&mut self) {
        if let Some((place, auction)) = self.latest_at.pop_first() {
            self.latest.remove(&auction);
            self.unknown = self.unknown.max(place);
        }
    }

    /// Gives up half of what is kept, the oldest of it; but final events only where there is
    /// nothing else. Says whether there was anything.
    fn halve(&mut self) -> bool {
        let some = self.recent.len().div_ceil(2);
        let passed: Vec<_> = self.recent.drain(..some).collect();
        passed.into_iter().for_each(|tick| self.keep_older(tick));
        let half = self.older.len().div_ceil(2);
        let is_final = |tick: &&Tick| tick.update.is_final();
        let spared: Vec<_> = self.older.values().take(half).filter(is_final).cloned().collect();
        let spared = if spared.len() == half { Vec::new() } else { spared };
        for _ in 0..half {
            self.forget_oldest();
        }
        for tick in spared {
            self.ticks += tick.bytes();
            self.keep_older(tick);
        }
        half > 0
    }

    /// What follows a place, and whether it is one of the recent.
    fn after(&self, place: u64) -> Option<(&Tick, bool)> {
        let skipped = self.recent.front().and_then(|first| (place + 1).checked_sub(first.place));
        if let Some(skipped) = skipped {
            let tick = self.recent.get(usize::try_from(skipped).ok()?)?;
            return Some((tick, true));
        }
        match self.older.range(place + 1..).next() {
            Some((_, tick)) => Some((tick, false)),
            None => self.recent.front().map(|tick| (tick, true)),
        }
    }
}

/// One reader of a list.
#[derive(Debug)]
pub(super) struct Reader {
    list: Arc<List>,
    newest: watch::Receiver<u64>,
    /// Where it began: what came before is not for it.
    start: u64,
    /// The place of the last update given.
    place: u64,
    /// Up to here nothing was missed, or it does not matter any more.
    whole_until: u64,
    /// Updates up to here may follow one that was forgotten.
    doubtful_until: u64,
    /// A final event whose snapshot was given first.
    held_back: Option<Arc<Update>>,
}

impl Reader {
    /// Reads what comes from now on.
    pub fn new(list: Arc<List>) -> Self {
        let newest = list.newest.subscribe();
        list.pass(&mut list.kept(), None, Some(0));
        let (start, place, whole_until, doubtful_until) = (0, 0, 0, 0);
        let mut reader =
            Self { list, newest, start, place, whole_until, doubtful_until, held_back: None };
        reader.skip_all();
        reader
    }

    /// Passes by all that was kept until now.
    pub fn skip_all(&mut self) {
        let mut kept = self.list.kept();
        let newest = kept.newest;
        self.list.pass(&mut kept, Some(self.place), Some(newest));
        (self.start, self.place, self.whole_until) = (newest, newest, newest);
    }

    /// Reads no more. Says whether nobody reads this list now.
    pub fn leave(self) -> bool {
        let list = Arc::clone(&self.list);
        drop(self);
        list.newest.receiver_count() == 0
    }

    /// The next update; `None` when the server shuts down.
    pub async fn next(&mut self) -> Option<Arc<Update>> {
        loop {
            if let Some(update) = self.held_back.take().or_else(|| self.next_kept()) {
                return Some(update);
            }
            self.newest.changed().await.ok()?;
        }
    }

    fn next_kept(&mut self) -> Option<Arc<Update>> {
        let list = Arc::clone(&self.list);
        let mut kept = list.kept();
        let (tick, is_recent) = kept.after(self.place)?;
        if kept.forgotten > self.whole_until {
            self.doubtful_until = kept.newest;
        }
        let is_jump = self.is_jump(tick, is_recent, kept.unknown);
        let tick = tick.clone();
        list.pass(&mut kept, Some(self.place), Some(tick.place));
        self.place = tick.place;
        if is_recent {
            // What is recent follows what was still there when this reader passed it.
            self.whole_until = tick.place;
        }
        drop(kept);
        Some(self.give(tick, is_jump))
    }

    /// Whether this reader missed something between the auction's update before and this one; in
    /// doubt, yes. Up to `unknown` it is not known of all auctions what was told of them.
    fn is_jump(&self, tick: &Tick, is_recent: bool, unknown: u64) -> bool {
        let sequence = tick.update.sequence();
        match tick.previous {
            _ if tick.place <= self.doubtful_until => true,
            // Who once fell behind what is kept cannot tell a first sight from a jump.
            None => (self.doubtful_until > 0 || unknown > self.start) && sequence > 1,
            Some(previous) if previous.place <= self.start => false,
            Some(previous) => {
                let was_given = is_recent || previous.place <= self.whole_until;
                !was_given || sequence != previous.sequence + 1
            }
        }
    }

    /// An update; where it skips what the reader had not seen, as a snapshot. A final one is never
    /// replaced: a snapshot of the moment before it comes first.
    fn give(&mut self, tick: Tick, is_jump: bool) -> Arc<Update> {
        let Tick { update, before, .. } = tick;
        match (is_jump, update.is_final(), before) {
            (false, ..) | (true, true, None) => update,
            (true, false, _) => Arc::new(update.to_snapshot()),
            (true, true, Some(before)) => {
                self.held_back = Some(update);
                before
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut kept = self.list.kept();
        self.list.pass(&mut kept, Some(self.place), None);
    }
}
