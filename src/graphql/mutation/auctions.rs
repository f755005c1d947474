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

/// A thing to sell.
#[derive(Debug, InputObject)]
pub struct CreateAuctionInput {
    /// One line of 1 to 100 characters.
    title: String,
    /// Plain text of at most 10,000 characters.
    description: String,
    /// What kind of goods it is.
    category: Option<ID>,
    /// The state of the goods.
    #[graphql(default_with = "ItemCondition::UsedA")]
    condition: ItemCondition,
    /// Who pays for shipping.
    #[graphql(default_with = "ShippingPayer::Buyer")]
    shipping_payer: ShippingPayer,
    /// Who may bid.
    #[graphql(default_with = "AuctionScope::National")]
    scope: AuctionScope,
    /// Where: the seller's home region, which is the default, or one around it.
    region: Option<ID>,
    /// The least first bid.
    starting_price: Decimal,
    /// A step of the seller's own: bids must be whole multiples of it. By default the
    /// marketplace's increments count.
    bid_unit: Option<Decimal>,
    /// Below it nothing is sold. Never shown to anybody.
    reserve_price: Option<Decimal>,
    /// Who pays it has bought: above the starting price, no less than the reserve.
    buy_now_price: Option<Decimal>,
    /// From when bids count; by default at once. At most 90 days ahead.
    starts_at: Option<DateTime<Utc>>,
    /// Until when bids count: 1 minute to 30 days after the start.
    ends_at: DateTime<Utc>,
    /// In seconds, 0 to 3,600: a bid this close to the end moves it.
    soft_close_window_seconds: Option<i32>,
    /// In seconds, 0 to 3,600: to how long after such a bid the end moves.
    soft_close_extension_seconds: Option<i32>,
}

/// New words for an auction. What is left out stays.
#[derive(Debug, InputObject)]
pub struct UpdateAuctionInput {
    /// Which auction.
    id: ID,
    /// One line of 1 to 100 characters.
    title: Option<String>,
    /// Plain text of at most 10,000 characters.
    description: Option<String>,
    /// What kind of goods it is.
    category: Option<ID>,
}

/// An auction to withdraw.
#[derive(Debug, InputObject)]
pub struct CancelAuctionInput {
    /// Which auction.
    id: ID,
    /// Why, for those who bid: 1 to 500 characters.
    reason: String,
}

/// An auction.
#[derive(Debug, InputObject)]
pub struct AuctionIdInput {
    /// Which.
    pub id: ID,
}

/// The auction, or why nothing was done.
#[derive(Debug, SimpleObject)]
pub struct AuctionPayload {
    /// The auction; null when refused.
    auction: Option<Auction>,
    /// Why it was refused; empty when it was not.
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
    /// Lists a thing for auction.
    async fn create_auction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The thing.")] input: CreateAuctionInput,
    ) -> Result<AuctionPayload> {
        let seller = acting(ctx, Kind::List)?;
        let engine = ctx.engine()?;
        let done = match parse(input, &engine.rules().currency) {
            Ok(wanted) => engine.create_auction(seller, wanted).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(ctx, done)
    }

    /// Changes an auction's words while it has no bid. FORBIDDEN to others than its seller.
    async fn update_auction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new words.")] input: UpdateAuctionInput,
    ) -> Result<AuctionPayload> {
        let seller = acting(ctx, Kind::Change)?;
        let done = match parse_edit(input) {
            Ok(wanted) => ctx.engine()?.update_auction(seller, wanted).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(ctx, done)
    }

    /// Withdraws an auction: always before the first bid; with bids, until 12 hours before its
    /// end. All holds end. FORBIDDEN to others than its seller.
    async fn cancel_auction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: CancelAuctionInput,
    ) -> Result<AuctionPayload> {
        let seller = acting(ctx, Kind::Change)?;
        let parsed = auction_id(&input.id).and_then(|id| Ok((id, Reason::parse(&input.reason)?)));
        let done = match parsed {
            Ok((id, reason)) => ctx.engine()?.cancel_auction(seller, id, reason).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(ctx, done)
    }

    /// Sells to the leader now, if the reserve is met. FORBIDDEN to others than its seller.
    async fn end_auction_early(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: AuctionIdInput,
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
