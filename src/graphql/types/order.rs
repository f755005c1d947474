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

/// What a sale owes its two sides. The price lies in escrow until the order is settled; only the
/// two sides and admins see it.
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
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What was sold.
    async fn auction(&self, ctx: &Context<'_>) -> Result<Auction> {
        Auction::load(ctx, self.0.auction_id).await
    }

    /// Who pays.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<User> {
        self.side(ctx, self.0.buyer_id).await
    }

    /// Who is paid.
    async fn seller(&self, ctx: &Context<'_>) -> Result<User> {
        self.side(ctx, self.0.seller_id).await
    }

    /// What the buyer pays.
    async fn price(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Self::decimal(ctx, self.0.price)
    }

    /// What the house keeps of it when the seller is paid.
    async fn fee(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Self::decimal(ctx, self.0.fee)
    }

    /// Where it stands.
    async fn status(&self) -> OrderStatus {
        self.0.status.into()
    }

    /// When the auction was sold.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last moved.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// When it completes by itself; null unless handed over.
    async fn completes_at(&self) -> Option<DateTime<Utc>> {
        self.0.completes_at
    }

    /// Why a side disagreed; null without a dispute.
    async fn dispute_reason(&self) -> Option<&str> {
        self.0.dispute_reason.as_deref()
    }

    /// The admin who decided the dispute; null before a decision, and where there was none to make.
    async fn decided_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.decided_by {
            Some(admin) => self.side(ctx, admin).await.map(Some),
            None => Ok(None),
        }
    }

    /// What the admin said who decided; null before a decision.
    async fn resolution_note(&self) -> Option<&str> {
        self.0.resolution_note.as_deref()
    }
}
