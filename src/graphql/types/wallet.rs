//! Wallets and transfers.

use async_graphql::{Context, Description, Enum, ID, Object, Result, connection::Connection};
use chrono::{DateTime, Utc};
use entity::{
    enums::TransferKind as Kind,
    ids::{TransferId, UserId},
    transfer::Model,
};

use super::{auction::Auction, enums::TransferKind};
use crate::{
    domain::{ledger::Balances, money::Money},
    graphql::{
        context::ContextExt,
        loaders::TransfersOf,
        page::{self, PageArgs},
        scalar::Decimal,
    },
};

/// A user's wallet. Only its owner can see it.
#[derive(Debug, Clone, Copy, Description)]
pub struct Wallet {
    /// Whose.
    pub owner: UserId,
    /// What is in it.
    pub balances: Balances,
}

#[Object(use_type_description)]
impl Wallet {
    /// The balance that is free for bids and withdrawals.
    async fn available(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Ok(Decimal::of(self.balances.available, &ctx.engine()?.rules().currency))
    }

    /// The balance held for the open auctions in which the user leads: each auction's maximum, or
    /// its buy-now price if that is lower.
    async fn locked(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Ok(Decimal::of(self.balances.locked, &ctx.engine()?.rules().currency))
    }

    /// The transfers of the wallet, newest first.
    async fn transfers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
    ) -> Result<Connection<String, Transfer>> {
        let page = PageArgs { first, after, ..Default::default() }.page::<TransferId>()?;
        let rows = ctx.page(TransfersOf(self.owner, page.clone())).await?;
        Ok(page::connection(&page, rows, |row| row.id, Transfer))
    }
}

/// A movement of money in the ledger. Transfers are never changed.
#[derive(Debug, Clone, Description)]
pub struct Transfer(pub Model);

/// The direction of a transfer as seen by the owner of the wallet.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum TransferDirection {
    /// Into `available`.
    In,
    /// Out of the wallet.
    Out,
    /// From `available` to `locked`.
    Lock,
    /// From `locked` to `available`.
    Unlock,
}

#[Object(use_type_description)]
impl Transfer {
    /// The transfer's global id, with the prefix `trf_`.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The reason for the movement.
    async fn kind(&self) -> TransferKind {
        self.0.kind.into()
    }

    /// The amount, always greater than zero.
    async fn amount(&self, ctx: &Context<'_>) -> Result<Decimal> {
        let amount = Money::from_minor(self.0.amount).unwrap_or_default();
        Ok(Decimal::of(amount, &ctx.engine()?.rules().currency))
    }

    /// The direction as seen by the owner of the wallet.
    async fn direction(&self) -> TransferDirection {
        match self.0.kind {
            Kind::Deposit | Kind::Payout | Kind::Refund => TransferDirection::In,
            Kind::Withdrawal | Kind::Capture | Kind::Fee => TransferDirection::Out,
            Kind::Hold => TransferDirection::Lock,
            Kind::Release => TransferDirection::Unlock,
        }
    }

    /// The auction that it belongs to. Null for deposits and withdrawals.
    async fn auction(&self, ctx: &Context<'_>) -> Result<Option<Auction>> {
        match self.0.auction_id {
            Some(id) => Auction::load(ctx, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The time of the movement.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }
}
