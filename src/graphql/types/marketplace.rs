//! The marketplace's settings.

use async_graphql::{Context, Description, Object, Result};
use chrono::{DateTime, Utc};

use crate::graphql::{context::ContextExt, loaders::ServerTime, scalar::Decimal};

/// The settings of the marketplace, the same for every user.
#[derive(Debug, Description)]
pub struct Marketplace;

/// The bid increment for a range of current prices.
#[derive(Debug, async_graphql::SimpleObject)]
pub struct IncrementTier {
    /// The tier applies to current prices below this amount. Null for the last tier.
    below: Option<Decimal>,
    /// The amount by which a bid must exceed the current price.
    increment: Decimal,
}

#[Object(use_type_description)]
impl Marketplace {
    /// The currency of all amounts, as an ISO 4217 code.
    async fn currency(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(ctx.engine()?.rules().currency.code.clone())
    }

    /// The number of fraction digits of an amount.
    async fn currency_digits(&self, ctx: &Context<'_>) -> Result<u32> {
        Ok(ctx.engine()?.rules().currency.digits)
    }

    /// The marketplace's fee on a sale, in basis points (hundredths of a percent) of the price.
    async fn fee_basis_points(&self, ctx: &Context<'_>) -> Result<u32> {
        Ok(ctx.engine()?.rules().fee_basis_points)
    }

    /// The bid increments by current price, for auctions without a `bidUnit`.
    async fn increments(&self, ctx: &Context<'_>) -> Result<Vec<IncrementTier>> {
        let rules = ctx.engine()?.rules();
        let decimal = |money| Decimal::of(money, &rules.currency);
        let tier = |(below, increment): (Option<_>, _)| IncrementTier {
            below: below.map(decimal),
            increment: decimal(increment),
        };
        Ok(rules.increments.tiers().map(tier).collect())
    }

    /// The default soft-close window, in seconds: a bid this close to the end extends the auction.
    async fn soft_close_window_seconds(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.engine()?.rules().soft_close.window.num_seconds())
    }

    /// The default soft-close extension, in seconds: how long after such a bid the auction ends.
    async fn soft_close_extension_seconds(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.engine()?.rules().soft_close.extension.num_seconds())
    }

    /// The maximum by which soft close can extend an auction in total, in seconds.
    async fn soft_close_cap_seconds(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.engine()?.rules().soft_close.cap.num_seconds())
    }

    /// The current time of the clock that judges bids and ends auctions. Count down to `endsAt`
    /// from it rather than from the client's clock.
    async fn server_time(&self, ctx: &Context<'_>) -> Result<DateTime<Utc>> {
        ctx.page(ServerTime()).await
    }
}
