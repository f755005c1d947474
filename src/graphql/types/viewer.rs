//! The one who is signed in.

use std::sync::Arc;

use async_graphql::{Context, Description, Object, Result, connection::Connection};
use entity::ids::{BidId, NotificationId, OrderId};

use super::{
    auction::Auction, bid::Bid, notification::Notification, order::Order, user::User,
    wallet::Wallet,
};
use crate::{
    domain::filter::Filter,
    engine::{Session, Sort},
    graphql::{
        context::ContextExt,
        loaders::{BalancesOf, BidsOfUser, NotificationsOf, OrdersOf},
        page::{self, PageArgs},
        query::auction_connection,
    },
};

/// The signed-in user, with what only they can see.
#[derive(Debug, Description)]
pub struct Viewer(pub Session);

#[Object(use_type_description)]
impl Viewer {
    /// The user as everyone can see them.
    async fn user(&self) -> User {
        User(Arc::new(self.0.user.clone()))
    }

    /// The viewer's wallet.
    async fn wallet(&self, ctx: &Context<'_>) -> Result<Wallet> {
        let owner = self.0.user.id;
        let balances = ctx.page(BalancesOf(owner)).await?;
        Ok(Wallet { owner, balances })
    }

    /// The viewer's bids, newest first, automatic bids included.
    async fn bids(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
    ) -> Result<Connection<String, Bid>> {
        let page = PageArgs { first, after, ..Default::default() }.page::<BidId>()?;
        let bids = ctx.page(BidsOfUser(self.0.user.id, page.clone())).await?;
        Ok(page::connection(&page, bids, |bid| bid.id, Bid::from))
    }

    /// The auctions that the viewer sells, newest first.
    async fn selling(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
    ) -> Result<Connection<String, Auction>> {
        let filter = Filter { seller: Some(self.0.user.id), ..Default::default() };
        let page = PageArgs { first, after, ..Default::default() };
        auction_connection(ctx, filter, Sort::Newest, page).await
    }

    /// The orders in which the viewer is buyer or seller, newest first.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
    ) -> Result<Connection<String, Order>> {
        let page = PageArgs { first, after, ..Default::default() }.page::<OrderId>()?;
        let orders = ctx.page(OrdersOf(self.0.user.id, page.clone())).await?;
        Ok(page::connection(&page, orders, |order| order.id, Order))
    }

    /// The viewer's notifications, newest first.
    async fn notifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only unread notifications.", default)] unread_only: bool,
        #[graphql(desc = "How many, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
    ) -> Result<Connection<String, Notification>> {
        let page = PageArgs { first, after, ..Default::default() }.page::<NotificationId>()?;
        let found = ctx.page(NotificationsOf(self.0.user.id, unread_only, page.clone())).await?;
        Ok(page::connection(&page, found, |row| row.id, Notification))
    }
}
