//! One watcher's stream: a snapshot or a replay, then live, without a hole between, every
//! sequence once and in order; ended by the final event.
//!
//! It joins the topic first and reads the log after, so nothing can fall between the two.

use std::{collections::VecDeque, sync::Arc};

use entity::ids::AuctionId;
use futures_util::{Stream, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    hub::{Hub, Watch},
    topic::Position,
    update::Update,
};
use crate::store::DbErr;

/// How many missed events are replayed at most; who missed more gets a snapshot.
pub const REPLAY: i64 = 1_000;

/// A watcher's place in an auction's events.
#[derive(Debug)]
pub struct Feed {
    watch: Watch,
    ring: Receiver<Arc<Update>>,
    /// What is to be given before the ring.
    backlog: VecDeque<Arc<Update>>,
    /// The newest sequence given, or assumed by the watcher.
    last: i64,
    is_over: bool,
}

/// Begins to watch an auction; `None` when there is no such auction. With `after`, the events
/// that follow it; without, a snapshot first.
///
/// # Errors
/// When the database refuses.
pub async fn watch(
    hub: &Arc<Hub>,
    auction: AuctionId,
    after: Option<i64>,
) -> Result<Option<Feed>, DbErr> {
    let Some((watch, position)) = hub.watch(auction).await? else {
        return Ok(None);
    };
    let mut position = position;
    if after.is_some_and(|after| after > position.current.sequence()) {
        // Told by another node perhaps, and not yet here: the log knows.
        hub.fill(&watch.topic).await?;
        let Some(newer) = watch.topic.position() else { return Ok(None) };
        position = newer;
    }
    let Position { current, ring, .. } = position;
    let newest = current.sequence();
    let mut feed = Feed { watch, ring, backlog: VecDeque::new(), last: -1, is_over: false };
    match after {
        Some(after) if (0..=newest).contains(&after) => feed.replay(hub, after, &current).await?,
        _ => feed.backlog.push_back(Arc::new(current.to_snapshot())),
    }
    Ok(Some(feed))
}

impl Feed {
    async fn replay(
        &mut self,
        hub: &Arc<Hub>,
        after: i64,
        current: &Arc<Update>,
    ) -> Result<(), DbErr> {
        let newest = current.sequence();
        self.last = after;
        self.is_over = after == newest && current.is_final();
        if after == newest {
            return Ok(());
        }
        // Past the bound: a snapshot, but a final event is still told as itself.
        let (from, as_snapshot) = match newest - after {
            missed if missed <= REPLAY => (after, false),
            _ if current.is_final() => (newest - 2, true),
            _ => {
                self.backlog.push_back(Arc::new(current.to_snapshot()));
                return Ok(());
            }
        };
        let topic = &self.watch.topic;
        let missed = match topic.since(from) {
            Some(missed) => Some(missed),
            None => {
                hub.remember(topic, from).await?;
                topic.since(from)
            }
        };
        match missed {
            Some(missed) => self.backlog.extend(missed),
            // The log is shorter than it should be (a replica that lags, say): start from now.
            None => self.backlog.push_back(Arc::new(current.to_snapshot())),
        }
        if let Some(first) = self.backlog.front_mut().filter(|_| as_snapshot) {
            *first = Arc::new(first.to_snapshot());
        }
        Ok(())
    }

    /// The next update; `None` after the final one, or when the house closes.
    pub async fn next(&mut self) -> Option<Arc<Update>> {
        loop {
            if self.is_over {
                return None;
            }
            if let Some(update) = self.backlog.pop_front() {
                return Some(self.give(update));
            }
            match self.ring.recv().await {
                Ok(update) if update.sequence() <= self.last => {}
                Ok(update) if update.sequence() == self.last + 1 => {
                    return Some(self.give(update));
                }
                // Behind the ring, or (it cannot be) beside it: start again from now.
                Ok(_) | Err(RecvError::Lagged(_)) => self.resync()?,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Replaces what was missed by one snapshot of the newest state. A final event is never
    /// replaced: the snapshot is then of the moment before it.
    fn resync(&mut self) -> Option<()> {
        metrics::counter!("neighborbid_resyncs_total").increment(1);
        let Position { current, previous, ring } = self.watch.topic.position()?;
        self.ring = ring;
        let before_final = previous.filter(|_| current.is_final());
        match before_final {
            Some(previous) => {
                if previous.sequence() > self.last {
                    self.backlog.push_back(Arc::new(previous.to_snapshot()));
                }
                self.backlog.push_back(current);
            }
            None if current.sequence() > self.last => {
                self.backlog.push_back(Arc::new(current.to_snapshot()));
            }
            None => {}
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
