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

/// A bid.
#[derive(Debug, InputObject)]
pub struct PlaceBidInput {
    /// On which auction.
    auction_id: ID,
    /// At least the auction's `minimumBid`. The leader may name the current price, to raise only
    /// the maximum.
    amount: Decimal,
    /// Up to what the engine bids on automatically, at least the amount; by default the amount.
    /// All of it is held while leading, or the buy-now price if that is less; nobody else sees it.
    maximum: Option<Decimal>,
    /// 1 to 200 bytes: repeated under the same key, the bid counts once and the first accepted
    /// answer is given again. Keys never expire.
    idempotency_key: Option<String>,
}

/// The bid, or why it was refused.
#[derive(Debug, SimpleObject)]
pub struct PlaceBidPayload {
    /// The bid that was recorded, or the leading one whose maximum was raised; null when refused.
    bid: Option<Bid>,
    /// The auction right after, also when the bid was refused; null when there is none of that id.
    auction: Option<Auction>,
    /// Why it was refused; empty when it was not.
    user_errors: Vec<UserError>,
}

/// What was bought, or why it was not.
#[derive(Debug, SimpleObject)]
pub struct BuyNowPayload {
    /// The auction right after, also when refused; null when there is none of that id.
    auction: Option<Auction>,
    /// What the sale owes its two sides; null when refused.
    order: Option<Order>,
    /// Why it was refused; empty when it was not.
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
    /// Places a bid. It is judged in the order in which bids reach the auction, saved before it
    /// is answered, and told to everybody in the room.
    async fn place_bid(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The bid.")] input: PlaceBidInput,
    ) -> Result<PlaceBidPayload> {
        let bidder = acting(ctx, Kind::Bid)?.user.id;
        let outcome = place_bid(ctx, bidder, input).await.map_err(|error| ctx.fault(error))?;
        Ok(outcome.into())
    }

    /// Pays the buy-now price at once: open to whoever may bid, while the price is below it.
    async fn buy_now(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which auction.")] input: AuctionIdInput,
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
