//! Bids.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, Object, Result};
use chrono::{DateTime, Utc};

use super::{
    auction::{Auction, sequence},
    user::User,
};
use crate::{
    domain::event::Bid as Public,
    graphql::{context::ContextExt, scalar::Decimal},
};

/// A recorded bid. Bids are never changed or removed.
#[derive(Debug, Clone, Description)]
pub struct Bid {
    /// The bid.
    pub public: Arc<Public>,
    /// Its auction, where that is at hand.
    pub auction: Option<Auction>,
}

impl From<Arc<Public>> for Bid {
    fn from(public: Arc<Public>) -> Self {
        Self { public, auction: None }
    }
}

#[Object(use_type_description)]
impl Bid {
    /// The bid's global id, with the prefix `bid_`.
    pub async fn id(&self) -> ID {
        self.public.id.to_string().into()
    }

    /// The auction on which the bid was placed.
    async fn auction(&self, ctx: &Context<'_>) -> Result<Auction> {
        match &self.auction {
            Some(auction) => Ok(auction.clone()),
            None => Auction::load(ctx, self.public.auction).await,
        }
    }

    /// The user who placed the bid.
    async fn bidder(&self) -> User {
        User(Arc::clone(&self.public.bidder))
    }

    /// The amount of the bid, in the marketplace's currency.
    async fn amount(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Ok(Decimal::of(self.public.amount, &ctx.engine()?.rules().currency))
    }

    /// The sequence number of the bid's event in its auction.
    async fn sequence(&self) -> Result<i32> {
        sequence(self.public.sequence)
    }

    /// Whether the bid was placed automatically on behalf of the bidder, up to their maximum.
    async fn is_automatic(&self) -> bool {
        self.public.is_automatic
    }

    /// The time at which the bid was accepted.
    async fn placed_at(&self) -> DateTime<Utc> {
        self.public.placed_at
    }
}
