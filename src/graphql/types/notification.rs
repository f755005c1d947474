//! Notifications.

use async_graphql::{Context, Description, ID, Object, Result};
use chrono::{DateTime, Utc};
use entity::notification::Model;

use super::{auction::Auction, enums::NotificationKind};
use crate::graphql::context::ContextExt;

/// A notification to one user. Only that user can see it.
#[derive(Debug, Clone, Description)]
pub struct Notification(pub Model);

#[Object(use_type_description)]
impl Notification {
    /// The notification's global id, with the prefix `ntf_`.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What the notification is about.
    async fn kind(&self) -> NotificationKind {
        self.0.kind.into()
    }

    /// The auction that it is about.
    async fn auction(&self, ctx: &Context<'_>) -> Result<Option<Auction>> {
        let view = ctx.load(self.0.auction_id).await?;
        Ok(view.map(Auction::from))
    }

    /// The time of the event that it is about.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// Whether the user has marked it as read.
    async fn is_read(&self) -> bool {
        self.0.is_read
    }
}
