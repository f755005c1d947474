//! Live updates.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{enums::EventKind, ids::AuctionId};

use super::{
    auction::{Auction, sequence},
    bid::Bid,
    notification::Notification,
    wallet::Wallet,
};
use crate::{
    engine::{OwnUpdate, Update, UpdateKind},
    graphql::{context::ContextExt, loaders::BalancesOf},
};

/// A snapshot of an auction, or an event together with the auction as it was right after the event.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuctionUpdate {
    /// The sequence number of the newest event included in this update. It increases strictly on a
    /// stream; whenever it skips a number, the update is a SNAPSHOT.
    sequence: i32,
    /// The kind of the update.
    kind: AuctionUpdateKind,
    /// The time of the event, or the time at which the SNAPSHOT was taken.
    at: DateTime<Utc>,
    /// The auction right after the event.
    auction: Auction,
    /// The recorded bid. Null unless the kind is BID_PLACED.
    bid: Option<Bid>,
}

/// The kind of an update of an auction.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum AuctionUpdateKind {
    /// The current state of the auction; earlier events are left out.
    Snapshot,
    /// The auction began to accept bids.
    Opened,
    /// The seller edited the auction.
    Edited,
    /// A bid was recorded.
    BidPlaced,
    /// The auction ended with a winner. This is the last update.
    Sold,
    /// The auction ended without a winner: there was no bid, or the reserve price was not met. This
    /// is the last update.
    Unsold,
    /// The auction was cancelled. This is the last update.
    Cancelled,
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
                UpdateKind::Event(EventKind::Sold) => AuctionUpdateKind::Sold,
                UpdateKind::Event(EventKind::Unsold) => AuctionUpdateKind::Unsold,
                UpdateKind::Event(EventKind::Cancelled) => AuctionUpdateKind::Cancelled,
            },
            at: update.at,
            bid: bid.map(|bid| Bid { public: Arc::clone(bid), auction: Some(auction.clone()) }),
            auction,
        })
    }
}

/// The number of clients that watch an auction.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuctionPresence {
    /// The id of the auction.
    auction_id: ID,
    /// The number of clients that run `auctionUpdated` on the auction, on all nodes, accurate to
    /// within seconds.
    watcher_count: i32,
}

impl AuctionPresence {
    /// A count beyond 32 bits is told as the largest.
    pub fn new(auction: AuctionId, count: u32) -> Self {
        let watcher_count = i32::try_from(count).unwrap_or(i32::MAX);
        Self { auction_id: auction.to_string().into(), watcher_count }
    }
}

/// A change in the viewer's account.
#[derive(Debug, Clone, Description)]
pub struct ViewerUpdate(pub OwnUpdate);

#[Object(use_type_description)]
impl ViewerUpdate {
    /// The wallet after the change. Null if it did not change.
    async fn wallet(&self, ctx: &Context<'_>) -> Result<Option<Wallet>> {
        if !self.0.wallet_changed {
            return Ok(None);
        }
        let owner = self.0.user;
        let balances = ctx.page(BalancesOf(owner)).await?;
        Ok(Some(Wallet { owner, balances }))
    }

    /// The new notification. Null if there is none.
    async fn notification(&self) -> Option<Notification> {
        self.0.notification.as_deref().cloned().map(Notification)
    }
}
