//! Categories of goods, two depths.

use sea_orm::entity::prelude::*;

use crate::ids::CategoryId;
/// A category, named in Korean and in English.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "categories")]
pub struct Model {
    /// Its slug.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CategoryId,
    /// The category around it.
    pub parent_id: Option<CategoryId>,
    /// In Korean.
    pub name_ko: String,
    /// In English.
    pub name_en: String,
    /// Its place among the others.
    pub position: i32,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
