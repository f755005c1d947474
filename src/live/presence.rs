//! How many watch an auction, over all nodes: each node tells the others its own numbers when
//! they change, and all of them now and then. Approximate within seconds, and cheap.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use entity::ids::AuctionId;
use tokio::{sync::watch, time::interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    bus::{Bus, Listening, Report, Subject},
    hub::Hub,
    settings::LiveSettings,
    watcher::{Share, Shares, Unwatched, Watcher},
};

/// How often a node reports what changed: its pulse, too.
const PULSE: Duration = Duration::from_millis(500);

/// Watchers of a number are told once in so many pulses at most: once a second.
const CONFLATED: u32 = 2;

/// Once in so many pulses a node reports everything: every five seconds.
const WHOLE: u32 = 10;

/// How long what another node said counts.
const LIFE: Duration = Duration::from_secs(15);

/// How many numbers one message holds.
const PART: usize = 1_000;

/// How many watch, on all nodes.
#[derive(Debug)]
pub struct Presence {
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
    others: Mutex<HashMap<AuctionId, HashMap<Uuid, Count>>>,
    watched: Mutex<HashMap<AuctionId, watch::Sender<u32>>>,
    shares: Arc<Shares>,
}

/// What another node said.
#[derive(Debug)]
struct Count {
    watchers: u32,
    heard: Instant,
}

/// One watcher of a number.
#[derive(Debug)]
pub struct PresenceFeed {
    presence: Arc<Presence>,
    auction: AuctionId,
    /// None once it leaves.
    count: Option<watch::Receiver<u32>>,
    is_new: bool,
    _share: Share,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Presence {
    /// The numbers of `hub`, and those that `bus` brings.
    #[must_use]
    pub fn new(hub: Arc<Hub>, bus: Arc<dyn Bus>, settings: &LiveSettings) -> Arc<Self> {
        let shares = Shares::new(settings.presences_per_address, usize::MAX);
        Arc::new(Self { hub, bus, others: Mutex::default(), watched: Mutex::default(), shares })
    }

    /// How many watch an auction now.
    #[must_use]
    pub fn count(&self, auction: AuctionId) -> u32 {
        let others = lock(&self.others);
        let counts = others.get(&auction).into_iter().flat_map(HashMap::values);
        let elsewhere = counts.fold(0_u32, |sum, count| sum.saturating_add(count.watchers));
        elsewhere.saturating_add(self.hub.watchers(auction))
    }

    /// Begins to watch how many watch.
    ///
    /// # Errors
    /// When the watcher watches as many as it may.
    pub fn watch(
        self: &Arc<Self>,
        watcher: &Watcher,
        auction: AuctionId,
    ) -> Result<PresenceFeed, Unwatched> {
        let _share = self.shares.take(watcher)?;
        let now = self.count(auction);
        let mut watched = lock(&self.watched);
        let sender = watched.entry(auction).or_insert_with(|| watch::Sender::new(now));
        let count = Some(sender.subscribe());
        Ok(PresenceFeed { presence: Arc::clone(self), auction, count, is_new: true, _share })
    }

    /// Reports to the other nodes, and tells those who watch a number, until the server shuts down.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let _listening = self.listen();
        let mut reported = HashMap::new();
        let mut pulses = interval(PULSE);
        for pulse in 0_u32.. {
            tokio::select! {
                _ = pulses.tick() => {}
                () = stop.cancelled() => break,
            }
            let counts = self.hub.all_watchers();
            self.report(&counts, &mut reported, pulse % WHOLE == 0);
            if pulse % CONFLATED == 0 {
                self.forget_the_silent();
                self.tell();
            }
        }
        // Nobody watches here any more.
        self.report(&HashMap::new(), &mut reported, false);
    }

    fn listen(self: &Arc<Self>) -> Listening {
        let presence = Arc::downgrade(self);
        let take = move |message: &[u8]| {
            if let (Ok(report), Some(presence)) =
                (serde_json::from_slice(message), presence.upgrade())
            {
                presence.hear(report);
            }
        };
        self.bus.listen(Subject::Nodes, Box::new(take))
    }

    fn hear(&self, report: Report) {
        let mut others = lock(&self.others);
        for (auction, watchers) in report.counts {
            let counts = others.entry(auction).or_default();
            match watchers {
                0 => drop(counts.remove(&report.node)),
                _ => drop(counts.insert(report.node, Count { watchers, heard: Instant::now() })),
            }
            if counts.is_empty() {
                others.remove(&auction);
            }
        }
    }

    /// Reports what differs from what was reported, or everything. An empty report is a pulse.
    fn report(
        &self,
        counts: &HashMap<AuctionId, u32>,
        reported: &mut HashMap<AuctionId, u32>,
        is_whole: bool,
    ) {
        let news = counts.iter().filter(|(a, count)| is_whole || reported.get(a) != Some(count));
        let gone = reported.keys().filter(|auction| !counts.contains_key(auction));
        let changes: Vec<_> = news.map(|(a, n)| (*a, *n)).chain(gone.map(|a| (*a, 0))).collect();
        let node = self.bus.node();
        let mut parts = changes.chunks(PART);
        let first = parts.next().unwrap_or_default();
        for part in std::iter::once(first).chain(parts) {
            self.bus.report(&Report { node, counts: part.to_vec() });
        }
        reported.clone_from(counts);
    }

    fn forget_the_silent(&self) {
        lock(&self.others).retain(|_, counts| {
            counts.retain(|_, count| count.heard.elapsed() < LIFE);
            !counts.is_empty()
        });
    }

    fn tell(&self) {
        let watched = lock(&self.watched);
        for (auction, sender) in watched.iter() {
            let now = self.count(*auction);
            sender.send_if_modified(|count| std::mem::replace(count, now) != now);
        }
    }
}

impl PresenceFeed {
    /// The next number: at once, then when it changed, once a second at most.
    pub async fn next(&mut self) -> Option<u32> {
        let count = self.count.as_mut()?;
        if std::mem::take(&mut self.is_new) {
            count.borrow_and_update();
            return Some(self.presence.count(self.auction));
        }
        count.changed().await.ok()?;
        Some(*count.borrow_and_update())
    }
}

impl Drop for PresenceFeed {
    fn drop(&mut self) {
        let mut watched = lock(&self.presence.watched);
        // It leaves while the lock is held: of two that leave together, the second is the last.
        self.count = None;
        if let Entry::Occupied(sender) = watched.entry(self.auction)
            && sender.get().receiver_count() == 0
        {
            sender.remove();
        }
    }
}
