//! Live updates.

use std::sync::Arc;

use async_graphql::{Enum, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entity::enums::EventKind;

use super::{
    auction::{Auction, sequence},
    bid::Bid,
};
use crate::live::update::{Update, UpdateKind};

/// A snapshot of an auction, or an event with the auction as it was right after it.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuctionUpdate {
    /// The number of the newest event that it includes; strictly increasing on a stream. A jump
    /// always comes as a SNAPSHOT.
    sequence: i32,
    /// What it tells.
    kind: AuctionUpdateKind,
    /// When it happened; of a SNAPSHOT, when the state that it shows came about.
    at: DateTime<Utc>,
    /// The auction right after it.
    auction: Auction,
    /// The bid, when it was one.
    bid: Option<Bid>,
}

/// What an update tells.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum AuctionUpdateKind {
    /// The auction as it is now; earlier events are left out.
    Snapshot,
    /// It began to take bids.
    Opened,
    /// Its seller changed its words.
    Edited,
    /// A bid was recorded.
    BidPlaced,
}

impl TryFrom<&Update> for AuctionUpdate {
    type Error = async_graphql::Error;

    fn try_from(update: &Update) -> Result<Self> {
        let auction = Auction::from(update.auction.clone());
        let bid = update.bid.as_ref();
        Ok(Self {
            sequence: sequence(update.sequence())?,
            kind: match update.kind {
                UpdateKind::Snapshot => AuctionUpdateKind::Snapshot,
                UpdateKind::Event(EventKind::Opened) => AuctionUpdateKind::Opened,
                UpdateKind::Event(EventKind::Edited) => AuctionUpdateKind::Edited,
                UpdateKind::Event(EventKind::BidPlaced) => AuctionUpdateKind::BidPlaced,
            },
            at: update.at,
            bid: bid.map(|bid| Bid {
                public: Arc::clone(bid),
                auction: Some(auction.clone()),
            }),
            auction,
        })
    }
}
