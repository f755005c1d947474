//! One watcher's stream: a snapshot or a replay, then live, without a hole between, every
//! sequence once and in order; ended by the final event.
//!
//! It joins the topic first and reads the log after, so nothing can fall between the two.

use std::{collections::VecDeque, sync::Arc};

use entity::ids::AuctionId;
use futures_util::{Stream, stream};
use tokio::sync::watch as signal;

use super::{
    hub::{Hub, Watch},
    topic::{Position, Step},
    update::Update,
    watcher::Watcher,
};
use crate::store::DbErr;

/// How many missed events are replayed at most; who missed more gets a snapshot.
pub const REPLAY: i64 = 1_000;

/// A watcher's place in an auction's events.
#[derive(Debug)]
pub struct Feed {
    watch: Watch,
    newest: signal::Receiver<i64>,
    /// What is to be given before what follows `last`: a snapshot, and perhaps the final event.
    first: VecDeque<Arc<Update>>,
    /// The newest sequence given, or assumed by the watcher.
    last: i64,
    /// Up to here it was promised what it missed, however far it is behind.
    promised: i64,
    is_over: bool,
}

/// Begins to watch an auction; `None` when there is no such auction. With `after`, the events
/// that follow it, unless the watcher has spent its replays; without, a snapshot first.
///
/// # Errors
/// When the database refuses.
pub async fn watch(
    hub: &Arc<Hub>,
    watcher: &Watcher,
    auction: AuctionId,
    after: Option<i64>,
) -> Result<Option<Feed>, DbErr> {
    let Some((watch, position)) = hub.watch(auction).await? else {
        return Ok(None);
    };
    let mut position = position;
    if after.is_some_and(|after| after > position.current.sequence()) {
        // Told by another node perhaps, and not yet here: the log knows.
        hub.ask(&watch.topic).await?;
        let Some(newer) = watch.topic.position() else { return Ok(None) };
        position = newer;
    }
    let newest = position.current.sequence();
    let mut feed = Feed {
        newest: watch.topic.listen(),
        watch,
        first: VecDeque::new(),
        last: -1,
        promised: newest,
        is_over: false,
    };
    match after {
        Some(after) if (0..=newest).contains(&after) => {
            feed.replay(hub, watcher, after, position).await?;
        }
        _ => feed.begin_with(&position.current),
    }
    Ok(Some(feed))
}

impl Feed {
    async fn replay(
        &mut self,
        hub: &Arc<Hub>,
        watcher: &Watcher,
        after: i64,
        position: Position,
    ) -> Result<(), DbErr> {
        let current = position.current;
        let missed = current.sequence() - after;
        self.last = after;
        self.is_over = missed == 0 && current.is_final();
        if missed == 0 {
            return Ok(());
        }
        let is_replayed = missed <= REPLAY && hub.replays.allow(watcher, missed);
        if !is_replayed && !current.is_final() {
            self.begin_with(&current);
            return Ok(());
        }
        // A final event is told as itself also to those who are not told what came before it.
        let from = if is_replayed { after } else { current.sequence() - 2 };
        let topic = &self.watch.topic;
        hub.remember(topic, from).await?;
        match topic.kept(from + 1) {
            Some(before) if !is_replayed => self.begin_with(&before),
            Some(_) => {}
            // The log is shorter than it should be (a replica that lags, say), or what was read
            // was given up already: start from now, but tell a final event as itself.
            None => self.resync().unwrap_or_default(),
        }
        Ok(())
    }

    fn begin_with(&mut self, update: &Update) {
        self.first.push_back(Arc::new(update.to_snapshot()));
    }

    /// The next update; `None` after the final one, or when the server shuts down.
    pub async fn next(&mut self) -> Option<Arc<Update>> {
        loop {
            if self.is_over {
                return None;
            }
            if let Some(update) = self.first.pop_front() {
                return Some(self.give(update));
            }
            match self.watch.topic.after(self.last, self.promised) {
                Step::Event(update) => return Some(self.give(update)),
                Step::Behind => self.resync()?,
                Step::Nothing => self.newest.changed().await.ok()?,
            }
        }
    }

    /// Replaces what was missed by one snapshot of the newest state. A final event is never
    /// replaced: the snapshot is then of the moment before it.
    fn resync(&mut self) -> Option<()> {
        metrics::counter!("neighborbid_resyncs_total").increment(1);
        let Position { current, previous } = self.watch.topic.position()?;
        let before_final = previous.filter(|_| current.is_final());
        match before_final {
            Some(previous) => {
                if previous.sequence() > self.last {
                    self.begin_with(&previous);
                }
                self.first.push_back(current);
            }
            None => self.begin_with(&current),
        }
        Some(())
    }

    fn give(&mut self, update: Arc<Update>) -> Arc<Update> {
        self.last = update.sequence();
        self.is_over = update.is_final();
        update
    }

    /// The feed as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Arc<Update>> + Send {
        stream::unfold(self, async |mut feed| feed.next().await.map(|update| (update, feed)))
    }
}
