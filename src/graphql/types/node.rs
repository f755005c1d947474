//! Anything with an id.

use async_graphql::{Context, ID, Interface, Result};
use entity::ids::{
    AuctionId, BidId, CategoryId, NotificationId, OrderId, RegionId, TransferId, UserId,
};

use super::{
    auction::Auction, bid::Bid, category::Category, notification::Notification, order::Order,
    region::Region, user::User, wallet::Transfer,
};
use crate::graphql::context::ContextExt;

/// Anything with a global id.
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
        let (engine, loader) = (ctx.engine()?, ctx.loader()?);
        if let Ok(id) = id.parse::<AuctionId>() {
            let view = ctx.loaded(loader.load_one(id).await)?;
            return Ok(view.map(|view| Self::Auction(view.into())));
        }
        if let Ok(id) = id.parse::<BidId>() {
            let bid = ctx.loaded(loader.load_one(id).await)?;
            return Ok(bid.map(|bid| Self::Bid(bid.into())));
        }
        if let Ok(id) = id.parse::<UserId>() {
            let user = ctx.loaded(loader.load_one(id).await)?;
            return Ok(user.map(|user| Self::User(User(user))));
        }
        if let Ok(id) = id.parse::<TransferId>() {
            let transfer = engine.transfer(id).await.map_err(|error| ctx.fault(error))?;
            let viewer = ctx.session().map(|session| session.user.id);
            let own = transfer.filter(|transfer| Some(transfer.user_id) == viewer);
            return Ok(own.map(|transfer| Self::Transfer(Transfer(transfer))));
        }
        if let (Ok(id), Some(viewer)) = (id.parse::<OrderId>(), ctx.session()) {
            let order = engine.order_for(viewer, id).await.map_err(|error| ctx.fault(error))?;
            return Ok(order.map(|order| Self::Order(Order(order))));
        }
        if let (Ok(id), Some(viewer)) = (id.parse::<NotificationId>(), ctx.session()) {
            let found = engine.notification_of(viewer.user.id, id).await;
            let found = found.map_err(|error| ctx.fault(error))?;
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
