//! Categories.

use async_graphql::{Context, Description, ID, Object, Result};
use entity::category::Model;

use super::enums::Language;
use crate::graphql::context::ContextExt;

/// A category of goods.
#[derive(Debug, Clone, Description)]
pub struct Category(pub Model);

#[Object(use_type_description)]
impl Category {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its name in addresses.
    async fn slug(&self) -> &str {
        &self.0.id.0
    }

    /// Its name for people.
    async fn name(
        &self,
        #[graphql(desc = "In which language.", default_with = "Language::Ko")] language: Language,
    ) -> &str {
        match language {
            Language::Ko => &self.0.name_ko,
            Language::En => &self.0.name_en,
        }
    }

    /// The category right around it; null for an outermost one.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Category>> {
        let places = ctx.engine()?.places();
        let parent = self.0.parent_id.as_ref().and_then(|id| places.category(id));
        Ok(parent.cloned().map(Category))
    }
}
