//! Bidding.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::ids::{AuctionId, BidId, UserId};

use super::auctions::AuctionIdInput;
use crate::{
    domain::{
        money::Currency,
        refusal::{Code, Refusal},
        request::{BidRequest, IdempotencyKey, Offer},
    },
    engine::{BidOutcome, Error},
    graphql::{
        context::ContextExt,
        rate::{Kind, acting},
        scalar::Decimal,
        types::{auction::Auction, bid::Bid, order::Order, user_error::UserError},
    },
};

#[derive(Debug, Default)]
pub struct Bids;

/// The bid to place.
#[derive(Debug, InputObject)]
pub struct PlaceBidInput {
    /// The id of the auction.
    auction_id: ID,
    /// The amount: at least the auction's `minimumBid`. The leader may pass the current price to
    /// raise only the maximum.
    amount: Decimal,
    /// The maximum up to which bids are placed automatically on the bidder's behalf; at least the
    /// amount, and by default equal to it. While the bidder leads, the maximum (or the buy-now
    /// price, if lower) is held from their wallet. Nobody else can see it.
    maximum: Option<Decimal>,
    /// A key of 1 to 200 bytes. A bid repeated with the same key counts once and returns the first
    /// accepted result. Keys never expire.
    idempotency_key: Option<String>,
}

/// The result of `placeBid`.
#[derive(Debug, SimpleObject)]
pub struct PlaceBidPayload {
    /// The recorded bid, or the leading bid whose maximum was raised. Null if the bid was refused.
    bid: Option<Bid>,
    /// The auction afterwards, also if the bid was refused. Null if there is no auction of that id.
    auction: Option<Auction>,
    /// The reasons for a refusal; empty on success.
    user_errors: Vec<UserError>,
}

/// The result of `buyNow`.
#[derive(Debug, SimpleObject)]
pub struct BuyNowPayload {
    /// The auction afterwards, also if the purchase was refused. Null if there is no auction of
    /// that id.
    auction: Option<Auction>,
    /// The order that the purchase opened. Null if it was refused.
    order: Option<Order>,
    /// The reasons for a refusal; empty on success.
    user_errors: Vec<UserError>,
}

impl From<BidOutcome> for PlaceBidPayload {
    fn from(outcome: BidOutcome) -> Self {
        Self {
            bid: outcome.bid.map(Bid::from),
            auction: outcome.auction.map(|(id, state)| Auction::with_state(id, state)),
            user_errors: outcome.refusal.into_iter().map(UserError::from).collect(),
        }
    }
}

async fn place_bid(
    ctx: &Context<'_>,
    bidder: UserId,
    input: PlaceBidInput,
) -> Result<BidOutcome, Error> {
    let engine = ctx.engine().map_err(|error| Error::Fault(error.message))?;
    let currency = &engine.rules().currency;
    let Ok(auction) = input.auction_id.parse::<AuctionId>() else {
        let refusal = Refusal::new(Code::AuctionNotFound, "There is no such auction.");
        let refusal = Some(refusal.at(&["auctionId"]));
        return Ok(BidOutcome { bid: None, auction: None, refusal });
    };
    match offer(&input, currency) {
        Ok((offer, key)) => engine.place_bid(BidRequest::bid(bidder, auction, offer, key)).await,
        Err(refusal) => engine.refused_unjudged(auction, refusal).await,
    }
}

fn offer(
    input: &PlaceBidInput,
    currency: &Currency,
) -> Result<(Offer, Option<IdempotencyKey>), Refusal> {
    let amount = input.amount.amount(currency, &["amount"])?;
    let maximum = input.maximum.as_ref().map(|maximum| maximum.amount(currency, &["maximum"]));
    let offer = Offer::new(BidId::new(), amount, maximum.transpose()?)?;
    let key = input.idempotency_key.as_deref().map(IdempotencyKey::parse).transpose()?;
    Ok((offer, key))
}

#[Object]
impl Bids {
    /// Places a bid. Bids are judged in the order in which they reach the auction. An accepted bid
    /// is durable before it is acknowledged, and is then published to everyone who watches the
    /// auction.
    async fn place_bid(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The bid.")] input: PlaceBidInput,
    ) -> Result<PlaceBidPayload> {
        let bidder = acting(ctx, Kind::Bid)?.user.id;
        let outcome = place_bid(ctx, bidder, input).await.map_err(|error| ctx.fault(error))?;
        Ok(outcome.into())
    }

    /// Buys the item at the buy-now price. Allowed to everyone who may bid, while the current price
    /// is lower than the buy-now price.
    async fn buy_now(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The auction to buy from.")] input: AuctionIdInput,
    ) -> Result<BuyNowPayload> {
        let buyer = acting(ctx, Kind::Bid)?.user.id;
        let Ok(auction) = input.id.parse::<AuctionId>() else {
            let refusal = Refusal::new(Code::AuctionNotFound, "There is no such auction.");
            let user_errors = vec![refusal.at(&["id"]).into()];
            return Ok(BuyNowPayload { auction: None, order: None, user_errors });
        };
        let engine = ctx.engine()?;
        let outcome = engine
            .place_bid(BidRequest::buy_now(buyer, auction))
            .await
            .map_err(|error| ctx.fault(error))?;
        let order = match outcome.refusal {
            Some(_) => None,
            None => engine.order_of_auction(auction).await.map_err(|error| ctx.fault(error))?,
        };
        Ok(BuyNowPayload {
            auction: outcome.auction.map(|(id, state)| Auction::with_state(id, state)),
            order: order.map(Order),
            user_errors: outcome.refusal.into_iter().map(UserError::from).collect(),
        })
    }
}
