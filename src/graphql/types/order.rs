//! Orders.

use async_graphql::{Context, Description, ID, Object, Result};
use chrono::{DateTime, Utc};
use entity::{ids::UserId, order::Model};

use super::{auction::Auction, enums::OrderStatus, user::User};
use crate::{
    domain::money::Money,
    graphql::{
        context::ContextExt,
        error::{Code, coded},
        scalar::Decimal,
    },
};

/// The order that a sale opens between buyer and seller. Its price is in escrow until it is
/// settled. Only its two sides and admins can see it.
#[derive(Debug, Clone, Description)]
pub struct Order(pub Model);

impl Order {
    async fn side(&self, ctx: &Context<'_>, id: UserId) -> Result<User> {
        let user = ctx.load(id).await?;
        user.map(User).ok_or_else(|| coded(Code::NotFound, "There is no such user."))
    }

    fn decimal(ctx: &Context<'_>, minor: i64) -> Result<Decimal> {
        let money = Money::from_minor(minor).unwrap_or_default();
        Ok(Decimal::of(money, &ctx.engine()?.rules().currency))
    }
}

#[Object(use_type_description)]
impl Order {
    /// The order's global id, with the prefix `ord_`.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The auction that was sold.
    async fn auction(&self, ctx: &Context<'_>) -> Result<Auction> {
        Auction::load(ctx, self.0.auction_id).await
    }

    /// The user who pays.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<User> {
        self.side(ctx, self.0.buyer_id).await
    }

    /// The user who is paid.
    async fn seller(&self, ctx: &Context<'_>) -> Result<User> {
        self.side(ctx, self.0.seller_id).await
    }

    /// The price that the buyer pays.
    async fn price(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Self::decimal(ctx, self.0.price)
    }

    /// The marketplace's fee, deducted from the price when the seller is paid.
    async fn fee(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Self::decimal(ctx, self.0.fee)
    }

    /// The status of the order.
    async fn status(&self) -> OrderStatus {
        self.0.status.into()
    }

    /// The time of the sale.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The time of the last change of status.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// The time at which the order completes without the buyer's confirmation. Null unless the
    /// status is HANDED_OVER.
    async fn completes_at(&self) -> Option<DateTime<Utc>> {
        self.0.completes_at
    }

    /// The reason stated for the dispute. Null if there was none.
    async fn dispute_reason(&self) -> Option<&str> {
        self.0.dispute_reason.as_deref()
    }

    /// The admin who decided the dispute. Null if there was none or it is undecided.
    async fn decided_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.decided_by {
            Some(admin) => self.side(ctx, admin).await.map(Some),
            None => Ok(None),
        }
    }

    /// The admin's explanation of the decision. Null if there is no decision.
    async fn resolution_note(&self) -> Option<&str> {
        self.0.resolution_note.as_deref()
    }
}
