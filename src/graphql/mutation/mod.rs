//! Everything that can be done, one file a subject.

mod auctions;
mod bids;
mod blocking;
mod notifications;
mod orders;
mod sessions;
mod wallets;

use async_graphql::{Context, Error, MergedObject};

use super::{context::ContextExt, types::user_error::UserError};
use crate::engine;

/// All mutations.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    sessions::Sessions,
    wallets::Wallets,
    auctions::Auctions,
    bids::Bids,
    blocking::Blocking,
    orders::Orders,
    notifications::Notifications,
);

/// What was done, or why it was refused; anything else is a top-level error.
fn answer<T>(
    ctx: &Context<'_>,
    done: Result<T, engine::Error>,
) -> Result<Result<T, Vec<UserError>>, Error> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(engine::Error::Refused(refusal)) => Ok(Err(vec![refusal.into()])),
        Err(error) => Err(ctx.fault(error)),
    }
}
