//! The one who is signed in.

use std::sync::Arc;

use async_graphql::{Context, Description, Object, Result, connection::Connection};
use entity::ids::BidId;

use super::{auction::Auction, bid::Bid, user::User, wallet::Wallet};
use crate::{
    engine::Session,
    graphql::{
        context::ContextExt,
        page::{self, PageArgs},
        query::auction_connection,
    },
    store::auction_page::{Filter, Sort},
};

/// The one who is signed in, with what only they may see.
#[derive(Debug, Description)]
pub struct Viewer(pub Session);

#[Object(use_type_description)]
impl Viewer {
    /// As everybody sees them.
    async fn user(&self) -> User {
        User(Arc::new(self.0.user.clone()))
    }

    /// Their money in the house.
    async fn wallet(&self, ctx: &Context<'_>) -> Result<Wallet> {
        let owner = self.0.user.id;
        let balances = ctx
            .engine()?
            .balances(owner)
            .await
            .map_err(|e| ctx.fault(e))?;
        Ok(Wallet { owner, balances })
    }

    /// Their bids, newest first, automatic ones included.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn bids(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
    ) -> Result<Connection<String, Bid>> {
        let page = PageArgs {
            first,
            after,
            ..Default::default()
        }
        .page::<BidId>()?;
        let bids = ctx.engine()?.bids_of_user(self.0.user.id, &page).await;
        let bids = bids.map_err(|error| ctx.fault(error))?;
        Ok(page::connection(&page, bids, |bid| bid.id, Bid::from))
    }

    /// The auctions that they sell, newest first.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn selling(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
    ) -> Result<Connection<String, Auction>> {
        let filter = Filter {
            seller: Some(self.0.user.id),
            ..Default::default()
        };
        let page = PageArgs {
            first,
            after,
            ..Default::default()
        };
        auction_connection(ctx, &filter, Sort::Newest, page).await
    }
}
