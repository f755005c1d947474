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

/// A user's money in the house. Only its owner sees it.
#[derive(Debug, Clone, Copy, Description)]
pub struct Wallet {
    /// Whose.
    pub owner: UserId,
    /// What is in it.
    pub balances: Balances,
}

#[Object(use_type_description)]
impl Wallet {
    /// Free to bid with or to withdraw.
    async fn available(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Ok(Decimal::of(self.balances.available, &ctx.engine()?.rules().currency))
    }

    /// Held for the open auctions that its owner leads: the whole of each maximum.
    async fn locked(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Ok(Decimal::of(self.balances.locked, &ctx.engine()?.rules().currency))
    }

    /// Every movement of its money, newest first.
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

/// One movement of money: a row of the ledger, never changed.
#[derive(Debug, Clone, Description)]
pub struct Transfer(pub Model);

/// A transfer as its wallet's owner sees it.
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
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Why the money moved.
    async fn kind(&self) -> TransferKind {
        self.0.kind.into()
    }

    /// How much, always above zero.
    async fn amount(&self, ctx: &Context<'_>) -> Result<Decimal> {
        let amount = Money::from_minor(self.0.amount).unwrap_or_default();
        Ok(Decimal::of(amount, &ctx.engine()?.rules().currency))
    }

    /// As its wallet's owner sees it.
    async fn direction(&self) -> TransferDirection {
        match self.0.kind {
            Kind::Deposit | Kind::Payout | Kind::Refund => TransferDirection::In,
            Kind::Withdrawal | Kind::Capture | Kind::Fee => TransferDirection::Out,
            Kind::Hold => TransferDirection::Lock,
            Kind::Release => TransferDirection::Unlock,
        }
    }

    /// For which auction; null for deposits and withdrawals.
    async fn auction(&self, ctx: &Context<'_>) -> Result<Option<Auction>> {
        match self.0.auction_id {
            Some(id) => Auction::load(ctx, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// When.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }
}
