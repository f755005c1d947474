//! Users.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, Object, Result};
use chrono::{DateTime, Utc};

use super::region::Region;
use crate::{domain::user::User as Public, graphql::context::ContextExt};

/// A user of the marketplace, as everyone can see them.
#[derive(Debug, Clone, Description)]
pub struct User(pub Arc<Public>);

#[Object(use_type_description)]
impl User {
    /// The user's global id, with the prefix `usr_`.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The username as its owner wrote it. Unique, without regard to case.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// The region where the user lives, of any depth. Null if they stated none.
    async fn home_region(&self, ctx: &Context<'_>) -> Result<Option<Region>> {
        let places = ctx.engine()?.places();
        let home = self.0.home_region.as_ref().and_then(|id| places.region(id));
        Ok(home.cloned().map(Region))
    }

    /// The time at which the account was created.
    async fn joined_at(&self) -> DateTime<Utc> {
        self.0.joined_at
    }
}
