//! Whom a seller does not want as a bidder.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::answer;
use crate::{
    domain::refusal::{Code, Refusal},
    engine::Error,
    graphql::{
        context::ContextExt,
        rate::{Kind, acting},
        types::{user::User, user_error::UserError},
    },
};

#[derive(Debug, Default)]
pub struct Blocking;

/// A bidder.
#[derive(Debug, InputObject)]
pub struct BlockBidderInput {
    /// Whom.
    user: ID,
}

/// The bidder, or why nothing was done.
#[derive(Debug, SimpleObject)]
pub struct BlockBidderPayload {
    /// Whom it was about; null when refused.
    user: Option<User>,
    /// Why it was refused; empty when it was not.
    user_errors: Vec<UserError>,
}

async fn set_blocked(
    ctx: &Context<'_>,
    input: BlockBidderInput,
    is_blocked: bool,
) -> Result<BlockBidderPayload> {
    let seller = acting(ctx, Kind::Block)?.user.id;
    let done = match input.user.parse() {
        Ok(bidder) => ctx.engine()?.set_blocked(seller, bidder, is_blocked).await,
        Err(_) => {
            let refusal = Refusal::new(Code::UserNotFound, "There is no such user.");
            Err(Error::from(refusal.at(&["user"])))
        }
    };
    Ok(match answer(ctx, done)? {
        Ok(user) => {
            BlockBidderPayload { user: Some(User(Arc::new(user))), user_errors: Vec::new() }
        }
        Err(user_errors) => BlockBidderPayload { user: None, user_errors },
    })
}

#[Object]
impl Blocking {
    /// Refuses all further bids of a user on the viewer's auctions. Bids that stand stay.
    async fn block_bidder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: BlockBidderInput,
    ) -> Result<BlockBidderPayload> {
        set_blocked(ctx, input, true).await
    }

    /// Lets a blocked user bid again.
    async fn unblock_bidder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: BlockBidderInput,
    ) -> Result<BlockBidderPayload> {
        set_blocked(ctx, input, false).await
    }
}
