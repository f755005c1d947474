//! Categories.

use async_graphql::{Context, Description, ID, Object, Result};
use entity::category::Model;

use super::enums::Language;
use crate::graphql::context::ContextExt;

/// A category of items.
#[derive(Debug, Clone, Description)]
pub struct Category(pub Model);

#[Object(use_type_description)]
impl Category {
    /// The category's global id, with the prefix `cat_`.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The name used in URLs.
    async fn slug(&self) -> &str {
        &self.0.id.0
    }

    /// The name of the category.
    async fn name(
        &self,
        #[graphql(desc = "The language of the name.", default_with = "Language::Ko")]
        language: Language,
    ) -> &str {
        match language {
            Language::Ko => &self.0.name_ko,
            Language::En => &self.0.name_en,
        }
    }

    /// The category that directly contains this one. Null for a top-level category.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Category>> {
        let places = ctx.engine()?.places();
        let parent = self.0.parent_id.as_ref().and_then(|id| places.category(id));
        Ok(parent.cloned().map(Category))
    }
}
