//! Regions.

use async_graphql::{Context, Description, ID, Object, Result};
use entity::region::Model;

use crate::graphql::context::ContextExt;

/// An administrative division, of three depths. The regions that ship are South Korea's.
#[derive(Debug, Clone, Description)]
pub struct Region(pub Model);

#[Object(use_type_description)]
impl Region {
    /// The region's global id, with the prefix `reg_`.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The official code of 2, 5 or 8 digits. It begins with the code of the parent.
    async fn code(&self) -> &str {
        &self.0.id.0
    }

    /// The region's own name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The name preceded by the names of the regions that contain it, outermost first.
    async fn full_name(&self) -> &str {
        &self.0.full_name
    }

    /// 1 for a province or metropolitan city, 2 for a city, county or district, 3 for a town or
    /// neighbourhood.
    async fn depth(&self) -> i32 {
        self.0.depth
    }

    /// The region that directly contains this one. Null at depth 1.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Region>> {
        let places = ctx.engine()?.places();
        let parent = self.0.parent_id.as_ref().and_then(|id| places.region(id));
        Ok(parent.cloned().map(Region))
    }
}
