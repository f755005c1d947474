//! Listing auctions and editing their words.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use entity::ids::AuctionId;

use super::answer;
use crate::{
    domain::{
        listing::AuctionView,
        money::Currency,
        refusal::{Code, Refusal},
        text::{Description, Reason, Title},
    },
    engine::{CreateAuction, Error, UpdateAuction},
    graphql::{
        context::ContextExt,
        rate::{Kind, acting},
        scalar::Decimal,
        types::{
            auction::Auction,
            enums::{AuctionScope, ItemCondition, ShippingPayer},
            user_error::UserError,
        },
    },
};

#[derive(Debug, Default)]
pub struct Auctions;

/// The item to list, and the terms of its auction.
#[derive(Debug, InputObject)]
pub struct CreateAuctionInput {
    /// One line of 1 to 100 characters.
    title: String,
    /// Plain text of at most 10,000 characters; it may be empty and may have several lines.
    description: String,
    /// The category of the item.
    category: Option<ID>,
    /// The condition of the item.
    #[graphql(default_with = "ItemCondition::UsedA")]
    condition: ItemCondition,
    /// Who pays for shipping.
    #[graphql(default_with = "ShippingPayer::Buyer")]
    shipping_payer: ShippingPayer,
    /// Who may bid.
    #[graphql(default_with = "AuctionScope::National")]
    scope: AuctionScope,
    /// The region of the item: the seller's home region, which is the default, or a region that
    /// contains it.
    region: Option<ID>,
    /// The minimum amount of the first bid.
    starting_price: Decimal,
    /// A bid unit: amounts must be whole multiples of it. By default, the marketplace's increments
    /// apply.
    bid_unit: Option<Decimal>,
    /// The hidden reserve price: the item is not sold below it. It is never shown to anybody.
    reserve_price: Option<Decimal>,
    /// Price at which a bidder can buy the item immediately. Must exceed the starting price and be
    /// at least the reserve price.
    buy_now_price: Option<Decimal>,
    /// The time from which bids are accepted, at most 90 days ahead. By default, immediately.
    starts_at: Option<DateTime<Utc>>,
    /// The time until which bids are accepted: 1 minute to 30 days after the start.
    ends_at: DateTime<Utc>,
    /// Soft close: a bid this many seconds before the end, or fewer, extends the auction. 0 to
    /// 3,600; by default, the marketplace's value.
    soft_close_window_seconds: Option<i32>,
    /// Soft close: such a bid moves the end to this many seconds after the bid. 0 to 3,600; by
    /// default, the marketplace's value.
    soft_close_extension_seconds: Option<i32>,
}

/// New values for an auction. Fields that are left out or null are not changed.
#[derive(Debug, InputObject)]
pub struct UpdateAuctionInput {
    /// The id of the auction to edit.
    id: ID,
    /// One line of 1 to 100 characters.
    title: Option<String>,
    /// Plain text of at most 10,000 characters.
    description: Option<String>,
    /// The category of the item.
    category: Option<ID>,
}

/// The auction to cancel, and why.
#[derive(Debug, InputObject)]
pub struct CancelAuctionInput {
    /// The id of the auction to cancel.
    id: ID,
    /// The reason, shown to those who bid: 1 to 500 characters.
    reason: String,
}

/// An auction, by its id.
#[derive(Debug, InputObject)]
pub struct AuctionIdInput {
    /// The id of the auction.
    pub id: ID,
}

/// The result of a mutation of an auction.
#[derive(Debug, SimpleObject)]
pub struct AuctionPayload {
    /// The auction after the mutation. Null if it was refused.
    auction: Option<Auction>,
    /// The reasons for a refusal; empty on success.
    user_errors: Vec<UserError>,
}

fn payload(ctx: &Context<'_>, done: Result<AuctionView, Error>) -> Result<AuctionPayload> {
    Ok(match answer(ctx, done)? {
        Ok(view) => AuctionPayload { auction: Some(view.into()), user_errors: Vec::new() },
        Err(user_errors) => AuctionPayload { auction: None, user_errors },
    })
}

fn category<T: std::str::FromStr>(id: Option<ID>) -> Result<Option<T>, Refusal> {
    id.map(|id| id.parse()).transpose().map_err(|_| {
        Refusal::new(Code::CategoryNotFound, "There is no such category.").at(&["category"])
    })
}

fn parse(input: CreateAuctionInput, currency: &Currency) -> Result<CreateAuction, Refusal> {
    let amount = |value: &Decimal, field| value.amount(currency, field);
    let optional = |value: &Option<Decimal>, field| {
        value.as_ref().map(|value| value.amount(currency, field)).transpose()
    };
    let region = input.region.map(|id| id.parse()).transpose().map_err(|_| {
        Refusal::new(Code::RegionNotFound, "There is no such region.").at(&["region"])
    })?;
    let seconds = |seconds: Option<i32>| seconds.map(|n| TimeDelta::seconds(n.into()));
    Ok(CreateAuction {
        starting_price: amount(&input.starting_price, &["startingPrice"])?,
        bid_unit: optional(&input.bid_unit, &["bidUnit"])?,
        reserve_price: optional(&input.reserve_price, &["reservePrice"])?,
        buy_now_price: optional(&input.buy_now_price, &["buyNowPrice"])?,
        category: category(input.category)?,
        title: Title::parse(&input.title)?,
        description: Description::parse(&input.description)?,
        condition: input.condition.into(),
        shipping_payer: input.shipping_payer.into(),
        scope: input.scope.into(),
        region,
        starts_at: input.starts_at,
        ends_at: input.ends_at,
        soft_close_window: seconds(input.soft_close_window_seconds),
        soft_close_extension: seconds(input.soft_close_extension_seconds),
    })
}

fn parse_edit(input: UpdateAuctionInput) -> Result<UpdateAuction, Refusal> {
    Ok(UpdateAuction {
        id: auction_id(&input.id)?,
        category: category(input.category)?,
        title: input.title.as_deref().map(Title::parse).transpose()?,
        description: input.description.as_deref().map(Description::parse).transpose()?,
    })
}

#[Object]
impl Auctions {
    /// Lists an item for auction.
    async fn create_auction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The item and the terms of its auction.")] input: CreateAuctionInput,
    ) -> Result<AuctionPayload> {
        let seller = acting(ctx, Kind::List)?;
        let engine = ctx.engine()?;
        let done = match parse(input, &engine.rules().currency) {
            Ok(wanted) => engine.create_auction(seller, wanted).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(ctx, done)
    }

    /// Edits the title, description or category of an auction that has no bids yet. Fails with
    /// FORBIDDEN unless the viewer is its seller.
    async fn update_auction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The auction and the new values.")] input: UpdateAuctionInput,
    ) -> Result<AuctionPayload> {
        let seller = acting(ctx, Kind::Change)?;
        let done = match parse_edit(input) {
            Ok(wanted) => ctx.engine()?.update_auction(seller, wanted).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(ctx, done)
    }

    /// Cancels an auction and releases all holds: at any time before the first bid, and with bids
    /// until 12 hours before the end. Fails with FORBIDDEN unless the viewer is its seller.
    async fn cancel_auction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The auction to cancel, and why.")] input: CancelAuctionInput,
    ) -> Result<AuctionPayload> {
        let seller = acting(ctx, Kind::Change)?;
        let parsed = auction_id(&input.id).and_then(|id| Ok((id, Reason::parse(&input.reason)?)));
        let done = match parsed {
            Ok((id, reason)) => ctx.engine()?.cancel_auction(seller, id, reason).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(ctx, done)
    }

    /// Ends an auction now and sells the item to the leader, if the reserve price is met. Fails
    /// with FORBIDDEN unless the viewer is the seller.
    async fn end_auction_early(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The auction to end.")] input: AuctionIdInput,
    ) -> Result<AuctionPayload> {
        let seller = acting(ctx, Kind::Change)?;
        let done = match auction_id(&input.id) {
            Ok(id) => ctx.engine()?.end_auction_early(seller, id).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(ctx, done)
    }
}

fn auction_id(id: &ID) -> Result<AuctionId, Refusal> {
    id.parse()
        .map_err(|_| Refusal::new(Code::AuctionNotFound, "There is no such auction.").at(&["id"]))
}
