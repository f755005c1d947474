//! The house's numbers.

use async_graphql::{Context, Description, Object, Result};
use chrono::{DateTime, Utc};

use crate::graphql::{context::ContextExt, loaders::ServerTime, scalar::Decimal};

/// The house's numbers, the same for everybody.
#[derive(Debug, Description)]
pub struct Marketplace;

/// By how much a bid must top the price, up to a price.
#[derive(Debug, async_graphql::SimpleObject)]
pub struct IncrementTier {
    /// The tier counts for prices below it; null for the last tier.
    below: Option<Decimal>,
    /// The least step.
    increment: Decimal,
}

#[Object(use_type_description)]
impl Marketplace {
    /// The one currency, as ISO 4217 writes it.
    async fn currency(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(ctx.engine()?.rules().currency.code.clone())
    }

    /// How many fraction digits its amounts have.
    async fn currency_digits(&self, ctx: &Context<'_>) -> Result<u32> {
        Ok(ctx.engine()?.rules().currency.digits)
    }

    /// What the house takes of a sale, in hundredths of a percent of its price.
    async fn fee_basis_points(&self, ctx: &Context<'_>) -> Result<u32> {
        Ok(ctx.engine()?.rules().fee_basis_points)
    }

    /// The least steps between bids, by current price, where a seller fixes no `bidUnit`.
    async fn increments(&self, ctx: &Context<'_>) -> Result<Vec<IncrementTier>> {
        let rules = ctx.engine()?.rules();
        let decimal = |money| Decimal::of(money, &rules.currency);
        let tier = |(below, increment): (Option<_>, _)| IncrementTier {
            below: below.map(decimal),
            increment: decimal(increment),
        };
        Ok(rules.increments.tiers().map(tier).collect())
    }

    /// In seconds: a bid this close to the end moves it, where a seller says nothing else.
    async fn soft_close_window_seconds(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.engine()?.rules().soft_close.window.num_seconds())
    }

    /// In seconds: to how long after a late bid the end moves, where a seller says nothing else.
    async fn soft_close_extension_seconds(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.engine()?.rules().soft_close.extension.num_seconds())
    }

    /// In seconds: by how much late bids may move the end in all.
    async fn soft_close_cap_seconds(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.engine()?.rules().soft_close.cap.num_seconds())
    }

    /// The clock that judges bids and ends auctions: count down to `endsAt` from it, not from the
    /// client's.
    async fn server_time(&self, ctx: &Context<'_>) -> Result<DateTime<Utc>> {
        ctx.page(ServerTime()).await
    }
}
