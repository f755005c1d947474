//! Anything with an id.

use async_graphql::{Context, ID, Interface, Result};
use entity::ids::{
    AuctionId, BidId, CategoryId, NotificationId, OrderId, RegionId, TransferId, UserId,
};

use super::{
    auction::Auction, bid::Bid, category::Category, notification::Notification, order::Order,
    region::Region, user::User, wallet::Transfer,
};
use crate::graphql::{context::ContextExt, loaders::Seen};

/// An object with a global id.
#[derive(Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id: global, opaque, typed by its prefix."))]
pub enum Node {
    /// An auction.
    Auction(Auction),
    /// A bid.
    Bid(Bid),
    /// A user.
    User(User),
    /// A transfer; only its owner finds it.
    Transfer(Transfer),
    /// An order; only its sides and admins find it.
    Order(Order),
    /// A notification; only its reader finds it.
    Notification(Notification),
    /// A region.
    Region(Region),
    /// A category.
    Category(Category),
}

impl Node {
    /// The node of an id; `None` when there is none or it is not the viewer's to see.
    pub async fn load(ctx: &Context<'_>, id: &ID) -> Result<Option<Self>> {
        let engine = ctx.engine()?;
        if let Ok(id) = id.parse::<AuctionId>() {
            let view = ctx.load(id).await?;
            return Ok(view.map(|view| Self::Auction(view.into())));
        }
        if let Ok(id) = id.parse::<BidId>() {
            let bid = ctx.load(id).await?;
            return Ok(bid.map(|bid| Self::Bid(bid.into())));
        }
        if let Ok(id) = id.parse::<UserId>() {
            let user = ctx.load(id).await?;
            return Ok(user.map(|user| Self::User(User(user))));
        }
        if let (Ok(id), Some(viewer)) = (id.parse::<TransferId>(), viewer(ctx)) {
            let found = ctx.load(Seen { viewer, id }).await?;
            return Ok(found.map(|row| Self::Transfer(Transfer(row))));
        }
        if let (Ok(id), Some(viewer)) = (id.parse::<OrderId>(), viewer(ctx)) {
            let found = ctx.load(Seen { viewer, id }).await?;
            return Ok(found.map(|row| Self::Order(Order(row))));
        }
        if let (Ok(id), Some(viewer)) = (id.parse::<NotificationId>(), viewer(ctx)) {
            let found = ctx.load(Seen { viewer, id }).await?;
            return Ok(found.map(|row| Self::Notification(Notification(row))));
        }
        if let Ok(id) = id.parse::<RegionId>() {
            let region = engine.places().region(&id).cloned();
            return Ok(region.map(|region| Self::Region(Region(region))));
        }
        if let Ok(id) = id.parse::<CategoryId>() {
            let category = engine.places().category(&id).cloned();
            return Ok(category.map(|category| Self::Category(Category(category))));
        }
        Ok(None)
    }
}

fn viewer(ctx: &Context<'_>) -> Option<UserId> {
    ctx.session().map(|session| session.user.id)
}
