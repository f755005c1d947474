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

/// A snapshot of an auction, or an event with the auction as it was right after it.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuctionUpdate {
    /// The number of the newest event that it includes; strictly increasing on a stream. A jump
    /// always comes as a SNAPSHOT.
    sequence: i32,
    /// What it tells.
    kind: AuctionUpdateKind,
    /// When it happened; of a SNAPSHOT, when it was taken.
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
    /// It ended with a winner. The last update.
    Sold,
    /// It ended without one: no bid, or the reserve was not met. The last update.
    Unsold,
    /// Its seller withdrew it. The last update.
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

/// How many watch an auction.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuctionPresence {
    /// The auction's id.
    auction_id: ID,
    /// How many run `auctionUpdated` on it now, on all nodes; approximate within seconds.
    watcher_count: i32,
}

impl AuctionPresence {
    /// A count beyond 32 bits is told as the largest.
    pub fn new(auction: AuctionId, count: u32) -> Self {
        let watcher_count = i32::try_from(count).unwrap_or(i32::MAX);
        Self { auction_id: auction.to_string().into(), watcher_count }
    }
}

/// Something of the viewer's own that changed.
#[derive(Debug, Clone, Description)]
pub struct ViewerUpdate(pub OwnUpdate);

#[Object(use_type_description)]
impl ViewerUpdate {
    /// The wallet as it is now; null when it did not change.
    async fn wallet(&self, ctx: &Context<'_>) -> Result<Option<Wallet>> {
        if !self.0.wallet_changed {
            return Ok(None);
        }
        let owner = self.0.user;
        let balances = ctx.page(BalancesOf(owner)).await?;
        Ok(Some(Wallet { owner, balances }))
    }

    /// A new notification; null when it was only the wallet.
    async fn notification(&self) -> Option<Notification> {
        self.0.notification.as_deref().cloned().map(Notification)
    }
}
