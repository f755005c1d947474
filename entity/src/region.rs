//! Administrative divisions, three depths.

use sea_orm::entity::prelude::*;

use crate::ids::RegionId;
/// A division; its parent's code is a prefix of its own.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "regions")]
pub struct Model {
    /// The official code: 2, 5 or 8 digits.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RegionId,
    /// Its own name.
    pub name: String,
    /// With the names of its ancestors, outermost first.
    pub full_name: String,
    /// The division around it.
    pub parent_id: Option<RegionId>,
    /// 1 to 3.
    pub depth: i32,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
