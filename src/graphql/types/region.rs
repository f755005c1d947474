//! Regions.

use async_graphql::{Context, Description, ID, Object, Result};
use entity::region::Model;

use crate::graphql::context::ContextExt;

/// An administrative division. The shipped ones are South Korea's, in three depths.
#[derive(Debug, Clone, Description)]
pub struct Region(pub Model);

#[Object(use_type_description)]
impl Region {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The official code: 2, 5 or 8 digits, beginning with the parent's.
    async fn code(&self) -> &str {
        &self.0.id.0
    }

    /// Its own name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// With the names of the regions around it, outermost first.
    async fn full_name(&self) -> &str {
        &self.0.full_name
    }

    /// 1 for a province or metropolitan city, 2 for a city, county or district, 3 for a town or
    /// neighbourhood.
    async fn depth(&self) -> i32 {
        self.0.depth
    }

    /// The region right around it; null at depth 1.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Region>> {
        let places = ctx.engine()?.places();
        let parent = self.0.parent_id.as_ref().and_then(|id| places.region(id));
        Ok(parent.cloned().map(Region))
    }
}
