//! The event log: the truth that live updates are read from. Append-only.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    enums::{AuctionStatus, EventKind, ReserveStatus},
    ids::{AuctionId, BidId, UserId},
};
/// An event, with the auction as it was right after it.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "auction_events")]
pub struct Model {
    /// Which auction.
    #[sea_orm(primary_key, auto_increment = false)]
    pub auction_id: AuctionId,
    /// 1, 2, 3 … without holes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Time,
    /// The bid, when it was one.
    pub bid_id: Option<BidId>,
    /// Status after it.
    pub status: AuctionStatus,
    /// Price after it, in minor units.
    pub current_price: i64,
    /// Least next bid after it, in minor units.
    pub minimum_bid: i64,
    /// Number of bids after it.
    pub bid_count: i32,
    /// Leader after it.
    pub leader_id: Option<UserId>,
    /// Reserve status after it.
    pub reserve_status: ReserveStatus,
    /// End after it.
    pub ends_at: Time,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
