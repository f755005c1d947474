//! Users.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, Object, Result};
use chrono::{DateTime, Utc};

use super::region::Region;
use crate::{domain::user::User as Public, graphql::context::ContextExt};

/// A person who may sell and bid, as everybody may see one.
#[derive(Debug, Clone, Description)]
pub struct User(pub Arc<Public>);

#[Object(use_type_description)]
impl User {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// As the user wrote it. Unique, whatever its case.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// Where the user lives, of any depth; null when it was not told.
    async fn home_region(&self, ctx: &Context<'_>) -> Result<Option<Region>> {
        let places = ctx.engine()?.places();
        let home = self.0.home_region.as_ref().and_then(|id| places.region(id));
        Ok(home.cloned().map(Region))
    }

    /// When the account was made.
    async fn joined_at(&self) -> DateTime<Utc> {
        self.0.joined_at
    }
}
