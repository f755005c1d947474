//! Opening scheduled auctions when their time comes.

use std::sync::Arc;

use entity::{Time, enums::EventKind};

use super::{Engine, Error};
use crate::{
    domain::event::{AuctionState, Event},
    live::bus::News,
    store::{
        auctions, events,
        tx::{self, Retry},
    },
};

/// How many auctions one transaction opens at most, so that bids get between.
const BATCH: u64 = 50;

impl Engine {
    /// When the next scheduled auction opens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_opening(&self) -> Result<Option<Time>, Error> {
        Ok(auctions::next_opening(&self.core.db.read).await?)
    }

    /// Opens what is due, the longest overdue first; says how many. Each is locked and looked at
    /// again, so any number of processes may do this at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_due_auctions(&self) -> Result<usize, Error> {
        let mut retry = Retry::default();
        loop {
            match self.try_open().await {
                Err(Error::Database(error)) if retry.again(&error).await => {}
                done => return done,
            }
        }
    }

    async fn try_open(&self) -> Result<usize, Error> {
        let now = self.core.now(&self.core.db.read).await?;
        let due = auctions::due_to_open(&self.core.db.read, now, BATCH).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let tx = tx::begin(&self.core.db.write).await?;
        let mut locked = auctions::lock(&tx, &due).await?;
        let now = self.core.now(&tx).await?;
        locked.retain_mut(|auction| auction.open_if_due(now));
        if locked.is_empty() {
            return Ok(0);
        }
        auctions::save(&tx, &locked).await?;
        let opened = |auction| {
            let state = AuctionState::of(auction, &self.core.rules.increments, |_| None)?;
            Ok(Event {
                auction: auction.id,
                kind: EventKind::Opened,
                at: now,
                bid: None,
                state,
            })
        };
        let new = locked
            .iter()
            .map(opened)
            .collect::<Result<Vec<_>, Error>>()?;
        events::insert(&tx, &new).await?;
        tx.commit().await?;
        let news = |event| News {
            event: Arc::new(event),
            listing: None,
        };
        self.core.bus.publish(new.into_iter().map(news).collect());
        Ok(locked.len())
    }
}
