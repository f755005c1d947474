//! Auctions: the row that a bid locks.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    enums::{AuctionScope, AuctionStatus, ItemCondition, ShippingPayer},
    ids::{AuctionId, BidId, CategoryId, RegionId, UserId},
};
/// An auction of one thing; money in minor units.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "auctions")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuctionId,
    /// Who sells.
    pub seller_id: UserId,
    /// One line.
    pub title: String,
    /// Plain text.
    pub description: String,
    /// Title and description in lower case: what words are looked for in.
    pub search_text: String,
    /// What kind of goods.
    pub category_id: Option<CategoryId>,
    /// In which state they are.
    pub condition: ItemCondition,
    /// Who pays for shipping.
    pub shipping_payer: ShippingPayer,
    /// Who may bid.
    pub scope: AuctionScope,
    /// Where; always set when REGIONAL.
    pub region_id: Option<RegionId>,
    /// The least first bid.
    pub starting_price: i64,
    /// What the leader would pay now; the starting price before the first bid.
    pub current_price: i64,
    /// The seller's own step, if fixed.
    pub bid_unit: Option<i64>,
    /// Below it nothing is sold. Secret.
    pub reserve_price: Option<i64>,
    /// Who pays it has bought.
    pub buy_now_price: Option<i64>,
    /// How many bids are recorded.
    pub bid_count: i32,
    /// Who leads.
    pub leader_id: Option<UserId>,
    /// What is held of the leader. Secret.
    pub leader_maximum: Option<i64>,
    /// The bid that took the lead: its holds are the auction's.
    pub leader_bid_id: Option<BidId>,
    /// From when bids count.
    pub starts_at: Time,
    /// Until when, soft close included.
    pub ends_at: Time,
    /// Until when, as it was created.
    pub scheduled_ends_at: Time,
    /// A bid this close to the end extends it.
    pub soft_close_window_seconds: i32,
    /// By how much, from the bid's time.
    pub soft_close_extension_seconds: i32,
    /// By how much in all.
    pub soft_close_cap_seconds: i32,
    /// Where it stands in its life.
    pub status: AuctionStatus,
    /// The newest event's number.
    pub sequence: i64,
    /// When it was made.
    pub created_at: Time,
    /// Why its seller withdrew it.
    pub cancel_reason: Option<String>,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
