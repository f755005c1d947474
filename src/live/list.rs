//! One watched list on this node. Its newest updates are kept in full, of older ones the newest of
//! each auction; each reader has a place in their order. Who is slow sees the newest of each
//! auction, and nothing grows.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::ids::AuctionId;
use tokio::sync::watch;

use super::update::Update;

/// How many of the newest updates a list keeps in full.
const RECENT: usize = 256;

/// Of how many auctions a list keeps the newest of the older updates.
const OLDER: usize = 10_000;

/// A watched list.
#[derive(Debug, Default)]
pub(super) struct List {
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
    /// The last kept update, by auction.
    latest: HashMap<AuctionId, Last>,
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
        kept.recent.push_back(Tick { place, update, previous, before });
        kept.shorten();
        self.newest.send_replace(place);
    }
}

impl Kept {
    fn shorten(&mut self) {
        if self.recent.len() <= RECENT {
            return;
        }
        let Some(tick) = self.recent.pop_front() else { return };
        let auction = tick.update.auction.listing.id;
        if let Some(former) = self.older_of.insert(auction, tick.place) {
            self.older.remove(&former);
        }
        self.older.insert(tick.place, tick);
        if self.older.len() > OLDER
            && let Some((place, oldest)) = self.older.pop_first()
        {
            let auction = oldest.update.auction.listing.id;
            self.older_of.remove(&auction);
            if self.latest.get(&auction).is_some_and(|last| last.place == place) {
                self.latest.remove(&auction);
            }
            self.forgotten = place;
        }
    }

    /// What follows a place, and whether it is one of the recent.
    fn after(&self, place: u64) -> Option<(&Tick, bool)> {
        let first = self.recent.front()?.place;
        if let Some(skipped) = (place + 1).checked_sub(first) {
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
        let (start, place, whole_until, doubtful_until) = (0, 0, 0, 0);
        let mut reader =
            Self { list, newest, start, place, whole_until, doubtful_until, held_back: None };
        reader.skip_all();
        reader
    }

    /// Passes by all that was kept until now.
    pub fn skip_all(&mut self) {
        let newest = self.list.kept().newest;
        (self.start, self.place, self.whole_until) = (newest, newest, newest);
    }

    /// Whether nobody else reads this list.
    pub fn is_alone(&self) -> bool {
        self.list.newest.receiver_count() <= 1
    }

    /// The next update; `None` when the house closes.
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
        let kept = list.kept();
        let (tick, is_recent) = kept.after(self.place)?;
        if kept.forgotten > self.whole_until {
            self.doubtful_until = kept.newest;
        }
        let is_jump = self.is_jump(tick, is_recent);
        self.place = tick.place;
        if is_recent {
            // What is recent follows what was still there when this reader passed it.
            self.whole_until = tick.place;
        }
        let tick = tick.clone();
        drop(kept);
        Some(self.give(tick, is_jump))
    }

    /// Whether this reader missed something between the auction's update before and this one; in
    /// doubt, yes.
    fn is_jump(&self, tick: &Tick, is_recent: bool) -> bool {
        let sequence = tick.update.sequence();
        match tick.previous {
            _ if tick.place <= self.doubtful_until => true,
            // Who once fell behind what is kept cannot tell a first sight from a jump.
            None => self.doubtful_until > 0 && sequence > 1,
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
