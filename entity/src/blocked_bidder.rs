//! Whom a seller does not want as a bidder.

use sea_orm::entity::prelude::*;

use crate::{Time, ids::UserId};
/// A seller's block of a bidder: it counts for every auction of the seller.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blocked_bidders")]
pub struct Model {
    /// The seller.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seller_id: UserId,
    /// The bidder.
    #[sea_orm(primary_key, auto_increment = false)]
    pub bidder_id: UserId,
    /// Since when.
    pub created_at: Time,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
