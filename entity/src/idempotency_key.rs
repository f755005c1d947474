//! Keys that clients give so that a repeated request acts once. They never expire.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    ids::{AuctionId, BidId, TransferId, UserId},
};
/// An accepted request under its key.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// Whose key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// What was asked, in a canonical form: another request under the key is refused.
    pub request: String,
    /// The bid's auction, when it was a bid.
    pub auction_id: Option<AuctionId>,
    /// The auction's newest event right after it.
    pub sequence: Option<i64>,
    /// The bid it recorded, or raised.
    pub bid_id: Option<BidId>,
    /// The transfer it made, when it moved money in or out.
    pub transfer_id: Option<TransferId>,
    /// When it was accepted.
    pub created_at: Time,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
