//! Notes to people about what happened to them.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Time,
    enums::NotificationKind,
    ids::{AuctionId, NotificationId, UserId},
};

/// A note to one person.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "notifications")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NotificationId,
    /// Whose.
    pub user_id: UserId,
    /// What it tells.
    pub kind: NotificationKind,
    /// About which auction.
    pub auction_id: AuctionId,
    /// When.
    pub at: Time,
    /// Whether its reader has read it.
    pub is_read: bool,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
