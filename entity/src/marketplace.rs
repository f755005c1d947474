//! What the marketplace's money is counted in.

use sea_orm::entity::prelude::*;

/// The one row; there is none before the first start.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "marketplace")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The currency's ISO 4217 code.
    pub currency: String,
    /// How many fraction digits a minor unit stands for.
    pub currency_digits: i32,
}

/// No relations: it belongs to all of them.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
