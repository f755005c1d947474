//! Reading notifications.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::ids::NotificationId;

use crate::graphql::{
    context::ContextExt,
    error::{Code, coded},
    rate::{Kind, acting},
    scalar,
};

#[derive(Debug, Default)]
pub struct Notifications;

/// How many notifications one request may mark.
const MOST: usize = 100;

/// The notifications to mark as read.
#[derive(Debug, InputObject)]
pub struct MarkNotificationsReadInput {
    /// The ids of at most 100 notifications. Ids of other users' notifications are ignored.
    ids: Vec<ID>,
}

/// The result of `markNotificationsRead`.
#[derive(Debug, SimpleObject)]
pub struct MarkNotificationsReadPayload {
    /// The number of the viewer's notifications that are still unread.
    unread_count: i32,
}

#[Object]
impl Notifications {
    /// Marks the viewer's notifications as read.
    async fn mark_notifications_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The notifications to mark.")] input: MarkNotificationsReadInput,
    ) -> Result<MarkNotificationsReadPayload> {
        let viewer = acting(ctx, Kind::Read)?.user.id;
        if input.ids.len() > MOST {
            return Err(coded(Code::BadUserInput, format!("ids: at most {MOST}")));
        }
        let ids = input.ids.iter().map(|id| scalar::id::<NotificationId>(id, "ids"));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let unread = ctx.engine()?.mark_read(viewer, &ids).await;
        let unread = unread.map_err(|error| ctx.fault(error))?;
        Ok(MarkNotificationsReadPayload { unread_count: i32::try_from(unread)? })
    }
}
