//! A user's own orders and notifications.

use entity::{
    ids::{NotificationId, OrderId, UserId},
    notification, order,
};

use super::{
    Engine, Error,
    command::{self, Attempt, Command, Decision, Effects},
};
use crate::store::{notifications, orders, page::Page, users};

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

    /// Those of these orders that a user may see: as one of its sides, or as an admin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orders_for(
        &self,
        viewer: UserId,
        ids: &[OrderId],
    ) -> Result<Vec<order::Model>, Error> {
        let mut orders = orders::by_ids(&self.core.db.read, ids).await?;
        let is_side = |order: &order::Model| [order.buyer_id, order.seller_id].contains(&viewer);
        if !orders.iter().all(is_side) && !users::is_admin(&self.core.db.read, viewer).await? {
            orders.retain(is_side);
        }
        Ok(orders)
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

    /// A user's own notifications among those of these ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_notifications(
        &self,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<Vec<notification::Model>, Error> {
        let mut found = notifications::by_ids(&self.core.db.read, ids).await?;
        found.retain(|notification| notification.user_id == user);
        Ok(found)
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
