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

/// The user to block or unblock.
#[derive(Debug, InputObject)]
pub struct BlockBidderInput {
    /// The id of the user.
    user: ID,
}

/// The result of blocking or unblocking a bidder.
#[derive(Debug, SimpleObject)]
pub struct BlockBidderPayload {
    /// The user who was blocked or unblocked. Null if it was refused.
    user: Option<User>,
    /// The reasons for a refusal; empty on success.
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
    /// Refuses all further bids by a user on the viewer's auctions. Bids already placed stand.
    async fn block_bidder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to block.")] input: BlockBidderInput,
    ) -> Result<BlockBidderPayload> {
        set_blocked(ctx, input, true).await
    }

    /// Allows a blocked user to bid on the viewer's auctions again.
    async fn unblock_bidder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to unblock.")] input: BlockBidderInput,
    ) -> Result<BlockBidderPayload> {
        set_blocked(ctx, input, false).await
    }
}
