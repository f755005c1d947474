//! Recorded bids, append-only.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    ids::{AuctionId, BidId, UserId},
};
/// A recorded bid; each is one event.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bids")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BidId,
    /// On which auction.
    pub auction_id: AuctionId,
    /// Whose.
    pub bidder_id: UserId,
    /// The price it set, in minor units.
    pub amount: i64,
    /// The most its bidder would pay. Secret.
    pub maximum: i64,
    /// Its event's number in its auction.
    pub sequence: i64,
    /// Made by the engine in the bidder's name, from a maximum.
    pub is_automatic: bool,
    /// When.
    pub placed_at: Time,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
