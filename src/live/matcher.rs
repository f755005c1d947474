//! Puts the events of all auctions in order and tells each to the lists that it concerns. What is
//! missing between two of them, and what an auction was before, is read from the log.
//!
//! Of each auction it knows up to which event all is told. What was committed before the lists
//! were watched counts as told.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::{Time, enums::EventKind, ids::AuctionId};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::{bus::AuctionNews, index::Index, known::Known, list::List, pace::Pace, update::Update};
use crate::{
    domain::{
        event::{AuctionState, Event},
        filter::{Before, SearchableListing, Standing},
        increments::IncrementTable,
        listing::{AuctionView, Listing},
    },
    store::{DbErr, auctions, connection::Db, events},
};

/// How many messages are taken at once.
const BATCH: usize = 512;

/// How many events one read of the log brings.
const READ: i64 = 2_000;

/// How many news wait for the first look at the log.
const EARLY: usize = 1_024;

/// Of how many quiet auctions it is remembered what was told.
const TOLD: usize = 100_000;

/// How many lists are told of an event before others may have a turn.
const TOGETHER: usize = 64;

/// What the matcher is sent. An epoch is the time in which there is any watched list.
pub(super) enum Message {
    /// Something committed.
    News(u64, AuctionNews),
    /// A look at the log.
    Look(Look),
}

/// Which auctions had events of late.
pub(super) struct Look {
    pub epoch: u64,
    /// Nobody has been told anything in this epoch: all that the log has now is past.
    pub is_first: bool,
    /// By the database's clock.
    pub since: Time,
    /// Each with the sequence before the first of those events, and that of the newest.
    pub active: Vec<(AuctionId, i64, i64)>,
    /// Answered when all of it is told.
    pub done: oneshot::Sender<Result<(), DbErr>>,
}

/// Matches events against the watched filters.
pub(super) struct Matcher {
    db: Db,
    table: IncrementTable,
    index: Arc<Mutex<Index>>,
    pace: Pace,
    /// None before the first look.
    epoch: Option<u64>,
    early: Vec<(u64, AuctionNews)>,
    /// Every auction with an event since then, when the log was last looked at, is in `told`.
    since: Time,
    /// The newest event that was told, or that was there before.
    told: HashMap<AuctionId, i64>,
    known: Known,
    is_failing: bool,
}

impl Matcher {
    pub fn new(db: Db, table: IncrementTable, index: Arc<Mutex<Index>>) -> Self {
        Self {
            db,
            table,
            index,
            pace: Pace::begin(),
            epoch: None,
            early: Vec::new(),
            since: Time::MAX_UTC,
            told: HashMap::new(),
            known: Known::default(),
            is_failing: false,
        }
    }

    /// Until nothing can be sent any more.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        while inbox.recv_many(&mut messages, BATCH).await > 0 {
            let taken = std::mem::take(&mut messages);
            // What was not told counts as that, so the next look at the log finds it.
            if AssertUnwindSafe(self.take_messages(taken)).catch_unwind().await.is_err() {
                metrics::counter!("neighborbid_panics_total", "task" => "lists").increment(1);
                tracing::error!("telling lists ended badly, and goes on");
            }
        }
    }

    async fn take_messages(&mut self, messages: Vec<Message>) {
        let mut news = Vec::new();
        for message in messages {
            match message {
                Message::News(epoch, one) if self.epoch == Some(epoch) => news.push(one),
                Message::News(epoch, one) => {
                    self.early.truncate(EARLY - 1);
                    self.early.push((epoch, one));
                }
                Message::Look(look) => {
                    self.take_all(std::mem::take(&mut news)).await;
                    self.take_look(look).await;
                }
            }
        }
        self.take_all(news).await;
    }

    async fn take_look(&mut self, look: Look) {
        let Look { epoch, is_first, since, active, done } = look;
        let result = match (is_first, self.epoch == Some(epoch)) {
            (true, _) => {
                self.begin(epoch, since, &active).await;
                Ok(())
            }
            // The lists that asked are gone.
            (false, false) => Ok(()),
            (false, true) => self.catch_up_with(since, &active).await,
        };
        // Whoever asked may have gone.
        let _ = done.send(result);
    }

    async fn begin(&mut self, epoch: u64, since: Time, active: &[(AuctionId, i64, i64)]) {
        self.known.forget();
        (self.epoch, self.since) = (Some(epoch), since);
        self.told = active.iter().map(|(auction, _, newest)| (*auction, *newest)).collect();
        let early = std::mem::take(&mut self.early).into_iter();
        let early = early.filter(|(of, _)| *of == epoch).map(|(_, news)| news).collect();
        self.take_all(early).await;
    }

    async fn catch_up_with(
        &mut self,
        since: Time,
        active: &[(AuctionId, i64, i64)],
    ) -> Result<(), DbErr> {
        let mut behind = BTreeSet::new();
        for (auction, before, newest) in active {
            if *self.told.entry(*auction).or_insert(*before) < *newest {
                behind.insert(*auction);
            }
        }
        self.catch_up(&behind).await?;
        self.since = since;
        if self.told.len() > TOLD {
            let active: HashSet<_> = active.iter().map(|(auction, ..)| *auction).collect();
            self.told.retain(|auction, _| active.contains(auction));
        }
        Ok(())
    }

    /// Tells news in the order in which they came, but each auction's in its own. What cannot be
    /// told now is found by the next look at the log.
    async fn take_all(&mut self, news: Vec<AuctionNews>) {
        if news.is_empty() {
            return;
        }
        let result = self.try_take_all(news).await;
        self.note(result);
    }

    async fn try_take_all(&mut self, news: Vec<AuctionNews>) -> Result<(), DbErr> {
        self.prepare(&news).await?;
        let order: Vec<_> = news.iter().map(|news| news.event.auction).collect();
        let mut waiting: HashMap<AuctionId, BTreeMap<i64, AuctionNews>> = HashMap::new();
        for news in news {
            waiting.entry(news.event.auction).or_default().insert(news.event.sequence(), news);
        }
        for auction in order {
            let next = waiting.get_mut(&auction).and_then(BTreeMap::pop_first);
            if let Some((_, AuctionNews { event, listing })) = next {
                self.take(&event, listing).await?;
            }
        }
        Ok(())
    }

    /// Reads what these news do not say themselves.
    async fn prepare(&mut self, news: &[AuctionNews]) -> Result<(), DbErr> {
        let mut sequences: HashMap<AuctionId, BTreeSet<i64>> = HashMap::new();
        for AuctionNews { event, .. } in news {
            sequences.entry(event.auction).or_default().insert(event.sequence());
        }
        let is_unknown = |auction: &&AuctionId| !self.told.contains_key(*auction);
        let unknown: Vec<_> = sequences.keys().filter(is_unknown).copied().collect();
        if !unknown.is_empty() {
            self.told.extend(events::last_before(&self.db.reserved, &unknown, self.since).await?);
        }
        let mut behind = BTreeSet::new();
        for (auction, sequences) in sequences {
            let Some(&told) = self.told.get(&auction) else { continue };
            let mut newer = sequences.range(told + 1..).zip(told + 1..);
            let is_new = sequences.last().is_some_and(|last| *last > told);
            let has_hole = newer.any(|(sequence, expected)| *sequence != expected);
            if is_new && (has_hole || self.is_in_the_dark(auction, told)) {
                behind.insert(auction);
            }
        }
        self.catch_up(&behind).await
    }

    /// Whether it is not known how an auction stood after an event.
    fn is_in_the_dark(&mut self, auction: AuctionId, after: i64) -> bool {
        after > 0 && self.known.state(auction, after).is_none()
    }

    /// Tells what the log has beyond what was told of these auctions.
    async fn catch_up(&mut self, behind: &BTreeSet<AuctionId>) -> Result<(), DbErr> {
        let mut places = HashMap::new();
        for auction in behind {
            let told = self.told.get(auction).copied().unwrap_or_default();
            // With the event before, where it is needed.
            let from = told - i64::from(self.is_in_the_dark(*auction, told));
            places.insert(*auction, from);
        }
        while !places.is_empty() {
            let asked: Vec<_> = places.iter().map(|(auction, from)| (*auction, *from)).collect();
            let read = events::after_each(&self.db.reserved, &asked, READ).await?;
            let is_all = (read.len() as i64) < READ;
            self.load_listings(&read).await?;
            for event in read {
                places.insert(event.auction, event.sequence());
                self.take(&event, None).await?;
            }
            if is_all {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells an event, if it is the next of its auction.
    async fn take(&mut self, event: &Event, listing: Option<Arc<Listing>>) -> Result<(), DbErr> {
        let (auction, sequence) = (event.auction, event.sequence());
        let Some(&told) = self.told.get(&auction) else { return Ok(()) };
        if sequence == told && self.is_in_the_dark(auction, told) {
            self.known.set_state(event);
        }
        if sequence != told + 1 || self.is_in_the_dark(auction, told) {
            return Ok(());
        }
        let former = self.known.words_before(event);
        let state = self.known.state(auction, told).filter(|_| told > 0).cloned();
        if let Some(words) = self.listing(event, listing).await? {
            let standing = match &state {
                Some(state) => Some(Standing::of(state)),
                None => self.at_first(event, words.listing()).await?,
            };
            let former = match event.kind {
                EventKind::Edited => former,
                _ => Some(Arc::clone(&words)),
            };
            let before = standing.map(|standing| Before { standing, listing: former.as_deref() });
            let lists = self.index().told(before, &words, Standing::of(&event.state));
            self.tell(event, &words, state, &lists).await;
        }
        self.told.insert(auction, sequence);
        self.known.set_state(event);
        Ok(())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an event to the lists that it concerns. Others have their turns meanwhile, for there
    /// may be many; the next event waits until all have this one.
    async fn tell(
        &mut self,
        event: &Event,
        words: &SearchableListing,
        state: Option<AuctionState>,
        lists: &[Arc<List>],
    ) {
        if !lists.is_empty() {
            let listing = words.listing();
            let view = |state| AuctionView { listing: Arc::clone(listing), state };
            let state = state.filter(|_| event.is_final());
            let moment_before = state.map(|state| Arc::new(Update::snapshot(view(state))));
            let update = Arc::new(Update::of_event(event, listing));
            for some in lists.chunks(TOGETHER) {
                for list in some {
                    list.keep(Arc::clone(&update), moment_before.clone());
                }
                self.pace.rest().await;
            }
            self.index().make_room();
        }
        self.pace.rest().await;
    }

    /// How an auction stood before its first event; it was not there at all if that opened it as
    /// it was listed.
    async fn at_first(
        &self,
        event: &Event,
        listing: &Arc<Listing>,
    ) -> Result<Option<Standing>, DbErr> {
        let may_be_new = event.kind == EventKind::Opened && event.at <= listing.starts_at;
        let was_there =
            !may_be_new || events::was_scheduled(&self.db.reserved, event.auction).await?;
        Ok(was_there.then(|| Standing::scheduled(listing)))
    }

    /// The words of an event's auction; `None` when nobody can read them.
    async fn listing(
        &mut self,
        event: &Event,
        told: Option<Arc<Listing>>,
    ) -> Result<Option<Arc<SearchableListing>>, DbErr> {
        if let Some(listing) = told {
            return Ok(Some(self.known.set_words(listing, event.sequence())));
        }
        if let Some(words) = self.known.words_after(event) {
            return Ok(Some(words));
        }
        match auctions::views(&self.db.reserved, &[event.auction], &self.table).await {
            Ok(mut views) => Ok(views.pop().map(|view| self.keep_view(view))),
            Err(error) if is_about_the_row(&error) => {
                tracing::warn!(%error, auction = %event.auction, "lists cannot show this auction");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the words of all auctions at once that these events need.
    async fn load_listings(&mut self, events: &[Arc<Event>]) -> Result<(), DbErr> {
        let mut missing: Vec<_> = events
            .iter()
            .filter(|event| self.known.lacks_words(event.auction))
            .map(|event| event.auction)
            .collect();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        match auctions::views(&self.db.reserved, &missing, &self.table).await {
            Ok(views) => views.into_iter().for_each(|view| drop(self.keep_view(view))),
            // Each is asked for by itself then.
            Err(error) if is_about_the_row(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn keep_view(&mut self, view: AuctionView) -> Arc<SearchableListing> {
        self.known.set_words(view.listing, view.state.sequence)
    }

    /// Logs the first failure of a row, and keeps the others out of the log.
    fn note(&mut self, result: Result<(), DbErr>) {
        match result {
            Ok(()) => self.is_failing = false,
            Err(error) if self.is_failing => tracing::debug!(%error, "telling lists"),
            Err(error) => {
                self.is_failing = true;
                tracing::warn!(%error, "telling lists");
            }
        }
    }
}

/// Whether a row holds what nobody can read: asking again brings nothing.
fn is_about_the_row(error: &DbErr) -> bool {
    matches!(error, DbErr::Custom(_) | DbErr::Type(_))
}
