//! Auctions.

use std::sync::Arc;

use async_graphql::{
    Context, Description, Error, ID, Object, Result, SimpleObject, connection::Connection,
};
use chrono::{DateTime, Utc};
use entity::ids::AuctionId;

use super::{
    bid::Bid,
    category::Category,
    enums::{AuctionScope, AuctionStatus, ItemCondition, ReserveStatus, ShippingPayer},
    region::Region,
    user::User,
};
use crate::{
    domain::{
        event::AuctionState,
        listing::{AuctionView, Listing},
        money::Money,
    },
    graphql::{
        context::ContextExt,
        error::{Code, coded},
        loaders::{BidsOfAuction, StandingOf},
        page::{self, PageArgs},
        scalar::Decimal,
    },
};

/// An auction of one thing.
#[derive(Debug, Clone, Description)]
pub struct Auction {
    id: AuctionId,
    state: AuctionState,
    /// What the seller wrote, where that is at hand; else it is loaded when asked for.
    listing: Option<Arc<Listing>>,
}

impl From<AuctionView> for Auction {
    fn from(view: AuctionView) -> Self {
        let AuctionView { listing, state } = view;
        Self { id: listing.id, state, listing: Some(listing) }
    }
}

impl Auction {
    /// With the state that an answer carries; the rest is loaded when asked for.
    pub fn with_state(id: AuctionId, state: AuctionState) -> Self {
        Self { id, state, listing: None }
    }

    /// The auction of an id that some row refers to.
    pub async fn load(ctx: &Context<'_>, id: AuctionId) -> Result<Self> {
        let view = ctx.load(id).await?;
        let gone = || coded(Code::NotFound, "There is no such auction.");
        view.map(Self::from).ok_or_else(gone)
    }

    async fn listing(&self, ctx: &Context<'_>) -> Result<Arc<Listing>> {
        if let Some(listing) = &self.listing {
            return Ok(Arc::clone(listing));
        }
        let view = ctx.load(self.id).await?;
        let gone = || coded(Code::NotFound, "There is no such auction.");
        view.map(|view| view.listing).ok_or_else(gone)
    }
}

/// An event's number as the API's `Int`.
pub fn sequence(number: i64) -> Result<i32> {
    i32::try_from(number).map_err(|_| Error::new("a sequence beyond 32 bits"))
}

fn decimal(ctx: &Context<'_>, money: Money) -> Result<Decimal> {
    Ok(Decimal::of(money, &ctx.engine()?.rules().currency))
}

#[Object(use_type_description)]
impl Auction {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.id.to_string().into()
    }

    /// One line.
    async fn title(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.listing(ctx).await?.title.clone())
    }

    /// Plain text; may be empty.
    async fn description(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.listing(ctx).await?.description.clone())
    }

    /// What kind of goods it is; null when the seller named none.
    async fn category(&self, ctx: &Context<'_>) -> Result<Option<Category>> {
        let listing = self.listing(ctx).await?;
        let places = ctx.engine()?.places();
        let found = listing.category.as_ref().and_then(|id| places.category(id));
        Ok(found.cloned().map(Category))
    }

    /// The state of the goods, as their seller states it.
    async fn condition(&self, ctx: &Context<'_>) -> Result<ItemCondition> {
        Ok(self.listing(ctx).await?.condition.into())
    }

    /// Who pays for shipping.
    async fn shipping_payer(&self, ctx: &Context<'_>) -> Result<ShippingPayer> {
        Ok(self.listing(ctx).await?.shipping_payer.into())
    }

    /// How many watch it live now (run `auctionUpdated` on it), on all nodes; approximate within
    /// seconds. `auctionPresence` tells when it changes.
    async fn watcher_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(i32::try_from(ctx.engine()?.watcher_count(self.id)).unwrap_or(i32::MAX))
    }

    /// Who sells.
    async fn seller(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(Arc::clone(&self.listing(ctx).await?.seller)))
    }

    /// Who may bid.
    async fn scope(&self, ctx: &Context<'_>) -> Result<AuctionScope> {
        Ok(self.listing(ctx).await?.scope.into())
    }

    /// Where the goods are; where bidders must live when the scope is REGIONAL.
    async fn region(&self, ctx: &Context<'_>) -> Result<Option<Region>> {
        let listing = self.listing(ctx).await?;
        let places = ctx.engine()?.places();
        let found = listing.region.as_ref().and_then(|id| places.region(id));
        Ok(found.cloned().map(Region))
    }

    /// The least first bid.
    async fn starting_price(&self, ctx: &Context<'_>) -> Result<Decimal> {
        decimal(ctx, self.listing(ctx).await?.starting_price)
    }

    /// What the leader would pay now; the starting price before the first bid.
    async fn current_price(&self, ctx: &Context<'_>) -> Result<Decimal> {
        decimal(ctx, self.state.price)
    }

    /// The least amount that a bid may name now; never above the buy-now price, for a bid of that
    /// price has bought.
    async fn minimum_bid(&self, ctx: &Context<'_>) -> Result<Decimal> {
        decimal(ctx, self.state.minimum_bid)
    }

    /// The seller's own step: bids are whole multiples of it. Null where the marketplace's
    /// increments count.
    async fn bid_unit(&self, ctx: &Context<'_>) -> Result<Option<Decimal>> {
        let unit = self.listing(ctx).await?.bid_unit;
        unit.map(|unit| decimal(ctx, unit)).transpose()
    }

    /// Who pays it has bought, at once; null when the seller named none. Open while the price is
    /// below it.
    async fn buy_now_price(&self, ctx: &Context<'_>) -> Result<Option<Decimal>> {
        let price = self.listing(ctx).await?.buy_now_price;
        price.map(|price| decimal(ctx, price)).transpose()
    }

    /// What the public may know of the hidden reserve.
    async fn reserve_status(&self) -> ReserveStatus {
        self.state.reserve_status.into()
    }

    /// How many bids are recorded, automatic ones included.
    async fn bid_count(&self) -> i32 {
        self.state.bid_count
    }

    /// Who leads; null before the first bid.
    async fn leader(&self) -> Option<User> {
        self.state.leader.clone().map(User)
    }

    /// Who won; null unless SOLD.
    async fn winner(&self) -> Option<User> {
        let sold = self.state.status == entity::enums::AuctionStatus::Sold;
        self.state.leader.clone().filter(|_| sold).map(User)
    }

    /// From when bids count.
    async fn starts_at(&self, ctx: &Context<'_>) -> Result<DateTime<Utc>> {
        Ok(self.listing(ctx).await?.starts_at)
    }

    /// Until when bids count; a bid shortly before it moves it.
    async fn ends_at(&self) -> DateTime<Utc> {
        self.state.ends_at
    }

    /// Where it stands in its life.
    async fn status(&self) -> AuctionStatus {
        self.state.status.into()
    }

    /// The number of its newest event; 0 before the first. Give it to
    /// `auctionUpdated(after:)` to watch from here on.
    async fn sequence(&self) -> Result<i32> {
        sequence(self.state.sequence)
    }

    /// Its bids, newest first.
    async fn bids(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what precedes this cursor.")] before: Option<String>,
    ) -> Result<Connection<String, Bid>> {
        let page = PageArgs { first, after, last, before }.page::<i64>()?;
        let bids = ctx.page(BidsOfAuction(self.id, page.clone())).await?;
        Ok(page::connection(&page, bids, |bid| bid.sequence, Bid::from))
    }

    /// Where the viewer stands; null when signed out.
    async fn viewer_position(&self, ctx: &Context<'_>) -> Result<Option<ViewerPosition>> {
        let Some(session) = ctx.session() else {
            return Ok(None);
        };
        let viewer = session.user.id;
        let standing = ctx.load(StandingOf(viewer, self.id)).await?;
        let standing = standing.unwrap_or_default();
        let decimal = |money: Option<Money>| money.map(|money| decimal(ctx, money)).transpose();
        Ok(Some(ViewerPosition {
            is_seller: self.listing(ctx).await?.seller.id == viewer,
            is_leading: self.state.leader.as_ref().is_some_and(|leader| leader.id == viewer),
            highest_bid: decimal(standing.highest)?,
            maximum: decimal(standing.maximum)?,
        }))
    }
}

/// Where the viewer stands on an auction.
#[derive(Debug, SimpleObject)]
pub struct ViewerPosition {
    /// Whether the viewer sells it.
    is_seller: bool,
    /// Whether the viewer leads.
    is_leading: bool,
    /// The viewer's highest recorded bid, automatic ones included; null without any.
    highest_bid: Option<Decimal>,
    /// Up to what the engine bids on for the viewer; null unless leading. Only the viewer sees it.
    maximum: Option<Decimal>,
}
