//! Notifications.

use async_graphql::{Context, Description, ID, Object, Result};
use chrono::{DateTime, Utc};
use entity::notification::Model;

use super::{auction::Auction, enums::NotificationKind};
use crate::graphql::context::ContextExt;

/// A note to one person about what happened. Only its reader sees it.
#[derive(Debug, Clone, Description)]
pub struct Notification(pub Model);

#[Object(use_type_description)]
impl Notification {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it tells.
    async fn kind(&self) -> NotificationKind {
        self.0.kind.into()
    }

    /// About which auction.
    async fn auction(&self, ctx: &Context<'_>) -> Result<Option<Auction>> {
        let view = ctx.load(self.0.auction_id).await?;
        Ok(view.map(Auction::from))
    }

    /// When it happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// Whether its reader has read it.
    async fn is_read(&self) -> bool {
        self.0.is_read
    }
}
