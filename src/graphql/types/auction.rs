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

/// An auction of one item.
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
    /// The auction's global id, with the prefix `auc_`.
    pub async fn id(&self) -> ID {
        self.id.to_string().into()
    }

    /// The title, one line of 1 to 100 characters.
    async fn title(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.listing(ctx).await?.title.clone())
    }

    /// The seller's description as plain text; it may have several lines and may be empty.
    async fn description(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.listing(ctx).await?.description.clone())
    }

    /// The category of the item. Null if the seller chose none.
    async fn category(&self, ctx: &Context<'_>) -> Result<Option<Category>> {
        let listing = self.listing(ctx).await?;
        let places = ctx.engine()?.places();
        let found = listing.category.as_ref().and_then(|id| places.category(id));
        Ok(found.cloned().map(Category))
    }

    /// The condition of the item as stated by the seller.
    async fn condition(&self, ctx: &Context<'_>) -> Result<ItemCondition> {
        Ok(self.listing(ctx).await?.condition.into())
    }

    /// Who pays for shipping.
    async fn shipping_payer(&self, ctx: &Context<'_>) -> Result<ShippingPayer> {
        Ok(self.listing(ctx).await?.shipping_payer.into())
    }

    /// The number of clients that watch the auction live (with `auctionUpdated`) on all nodes,
    /// accurate to within seconds. `auctionPresence` reports changes.
    async fn watcher_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(i32::try_from(ctx.engine()?.watcher_count(self.id)).unwrap_or(i32::MAX))
    }

    /// The user who sells the item.
    async fn seller(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(Arc::clone(&self.listing(ctx).await?.seller)))
    }

    /// Who may bid.
    async fn scope(&self, ctx: &Context<'_>) -> Result<AuctionScope> {
        Ok(self.listing(ctx).await?.scope.into())
    }

    /// The region of the item. If the scope is REGIONAL, bidders must live in it. Null if the
    /// seller stated none.
    async fn region(&self, ctx: &Context<'_>) -> Result<Option<Region>> {
        let listing = self.listing(ctx).await?;
        let places = ctx.engine()?.places();
        let found = listing.region.as_ref().and_then(|id| places.region(id));
        Ok(found.cloned().map(Region))
    }

    /// The minimum amount of the first bid.
    async fn starting_price(&self, ctx: &Context<'_>) -> Result<Decimal> {
        decimal(ctx, self.listing(ctx).await?.starting_price)
    }

    /// The price that the leader would pay if the auction ended now. Before the first bid it is the
    /// starting price.
    async fn current_price(&self, ctx: &Context<'_>) -> Result<Decimal> {
        decimal(ctx, self.state.price)
    }

    /// The minimum amount of the next bid. Never more than the buy-now price, since a bid of that
    /// price buys the item.
    async fn minimum_bid(&self, ctx: &Context<'_>) -> Result<Decimal> {
        decimal(ctx, self.state.minimum_bid)
    }

    /// The bid unit fixed by the seller: amounts must be whole multiples of it. Null if the
    /// marketplace's increments apply.
    async fn bid_unit(&self, ctx: &Context<'_>) -> Result<Option<Decimal>> {
        let unit = self.listing(ctx).await?.bid_unit;
        unit.map(|unit| decimal(ctx, unit)).transpose()
    }

    /// The price at which a bidder can buy the item immediately, as long as the current price is
    /// lower. Null if the seller set none.
    async fn buy_now_price(&self, ctx: &Context<'_>) -> Result<Option<Decimal>> {
        let price = self.listing(ctx).await?.buy_now_price;
        price.map(|price| decimal(ctx, price)).transpose()
    }

    /// Whether there is a hidden reserve price and whether the current price has reached it. The
    /// reserve price itself is never shown.
    async fn reserve_status(&self) -> ReserveStatus {
        self.state.reserve_status.into()
    }

    /// The number of recorded bids, automatic bids included.
    async fn bid_count(&self) -> i32 {
        self.state.bid_count
    }

    /// The bidder with the highest maximum. Null before the first bid.
    async fn leader(&self) -> Option<User> {
        self.state.leader.clone().map(User)
    }

    /// The buyer. Null unless the status is SOLD.
    async fn winner(&self) -> Option<User> {
        let sold = self.state.status == entity::enums::AuctionStatus::Sold;
        self.state.leader.clone().filter(|_| sold).map(User)
    }

    /// The time from which bids are accepted.
    async fn starts_at(&self, ctx: &Context<'_>) -> Result<DateTime<Utc>> {
        Ok(self.listing(ctx).await?.starts_at)
    }

    /// The time until which bids are accepted. A bid within the soft-close window moves it.
    async fn ends_at(&self) -> DateTime<Utc> {
        self.state.ends_at
    }

    /// The status of the auction.
    async fn status(&self) -> AuctionStatus {
        self.state.status.into()
    }

    /// The sequence number of the auction's newest event; 0 before the first. Pass it to
    /// `auctionUpdated(after:)` to receive every later event.
    async fn sequence(&self) -> Result<i32> {
        sequence(self.state.sequence)
    }

    /// The recorded bids of the auction, newest first.
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

    /// The viewer's position in the auction. Null if nobody is signed in.
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

/// The viewer's position in an auction.
#[derive(Debug, SimpleObject)]
pub struct ViewerPosition {
    /// Whether the viewer is the seller.
    is_seller: bool,
    /// Whether the viewer leads.
    is_leading: bool,
    /// The viewer's highest recorded bid, automatic bids included. Null if they have not bid.
    highest_bid: Option<Decimal>,
    /// The viewer's maximum, up to which bids are placed automatically. Null unless the viewer
    /// leads. Nobody else can see it.
    maximum: Option<Decimal>,
}
