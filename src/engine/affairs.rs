//! A person's own affairs: orders and notifications.

use entity::{
    ids::{NotificationId, OrderId, UserId},
    notification, order,
};

use super::{
    Engine, Error, Session,
    command::{self, Attempt, Command, Decision, Effects},
};
use crate::store::{notifications, orders, page::Page};

impl Engine {
    /// A page of the orders in which a user is a side, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orders_of(
        &self,
        user: UserId,
        page: &Page<OrderId>,
    ) -> Result<Vec<order::Model>, Error> {
        Ok(orders::of_user(&self.core.db.read, user, page).await?)
    }

    /// The order of an id, for its sides and for admins.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order_for(
        &self,
        viewer: &Session,
        id: OrderId,
    ) -> Result<Option<order::Model>, Error> {
        let order = orders::by_id(&self.core.db.read, id).await?;
        match order {
            Some(order) if [order.buyer_id, order.seller_id].contains(&viewer.user.id) => {
                Ok(Some(order))
            }
            Some(order) if self.is_admin(viewer).await? => Ok(Some(order)),
            _ => Ok(None),
        }
    }

    /// The order that a purchase opened.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order_of_auction(
        &self,
        auction: entity::ids::AuctionId,
    ) -> Result<Option<order::Model>, Error> {
        Ok(orders::of_auction(&self.core.db.read, auction).await?)
    }

    /// A page of a user's notifications, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notifications_of(
        &self,
        user: UserId,
        unread_only: bool,
        page: &Page<NotificationId>,
    ) -> Result<Vec<notification::Model>, Error> {
        Ok(notifications::of_user(&self.core.db.read, user, unread_only, page).await?)
    }

    /// A user's own notification of an id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notification_of(
        &self,
        user: UserId,
        id: NotificationId,
    ) -> Result<Option<notification::Model>, Error> {
        let found = notifications::by_id(&self.core.db.read, id).await?;
        Ok(found.filter(|notification| notification.user_id == user))
    }

    /// Marks a user's own notifications read, and says how many are still unread.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_read(&self, user: UserId, ids: &[NotificationId]) -> Result<u64, Error> {
        command::run(&self.core, MarkedRead { user, ids: ids.to_vec() }).await
    }
}

/// A person's reading of their own notifications.
struct MarkedRead {
    user: UserId,
    ids: Vec<NotificationId>,
}

impl Command for MarkedRead {
    type Answer = u64;

    const NAME: &'static str = "mark notifications read";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<u64>, Error> {
        notifications::mark_read(attempt.tx, self.user, &self.ids).await?;
        let unread = notifications::unread_count(attempt.tx, self.user).await?;
        Ok(Decision::Commit(unread, Effects::default()))
    }
}
