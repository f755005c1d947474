//! What a watcher receives.

use std::sync::Arc;

use chrono::Utc;
use entity::{Time, enums::EventKind};

use crate::domain::{
    event::{Bid, Event, is_final},
    listing::{AuctionView, Listing},
    user::User,
};

/// A snapshot of an auction, or an event with the auction as it was right after it.
#[derive(Debug, Clone)]
pub struct Update {
    /// Which of the two.
    pub kind: UpdateKind,
    /// When it happened; of a snapshot, when it was taken.
    pub at: Time,
    /// The bid, when it was one.
    pub bid: Option<Arc<Bid>>,
    /// The auction.
    pub auction: AuctionView,
}

/// What an update tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateKind {
    /// The auction as it is: what came before is left out.
    Snapshot,
    /// The next event.
    Event(EventKind),
}

impl Update {
    /// An event, with the words of its auction.
    #[must_use]
    pub fn of_event(event: &Event, listing: &Arc<Listing>) -> Self {
        Self {
            kind: UpdateKind::Event(event.kind),
            at: event.at,
            bid: event.bid.clone(),
            auction: AuctionView { listing: Arc::clone(listing), state: event.state.clone() },
        }
    }

    /// An auction as it is.
    #[must_use]
    pub fn snapshot(auction: AuctionView) -> Self {
        Self { kind: UpdateKind::Snapshot, at: Utc::now(), bid: None, auction }
    }

    /// The same moment as a snapshot.
    #[must_use]
    pub fn to_snapshot(&self) -> Self {
        Self::snapshot(self.auction.clone())
    }

    /// How many bytes it takes to keep it, about; the words of an auction with the edit that
    /// brought them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const ALONE: usize = size_of::<Update>() + size_of::<Bid>() + 2 * size_of::<User>() + 64;
        let listing = &self.auction.listing;
        match self.kind {
            UpdateKind::Event(EventKind::Edited) => {
                ALONE + size_of::<Listing>() + listing.title.len() + listing.description.len()
            }
            _ => ALONE,
        }
    }

    /// The newest event that it includes.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.auction.state.sequence
    }

    /// Whether nothing can follow it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        is_final(self.auction.state.status)
    }
}
