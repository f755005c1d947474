//! Balances: what the transfers add up to.

use sea_orm::entity::prelude::*;

use crate::ids::UserId;
/// A user's two balances, in minor units, never negative.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wallets")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Free to spend.
    pub available: i64,
    /// Held for the open auctions that the user leads.
    pub locked: i64,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
