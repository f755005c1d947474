//! Orders: what a sale owes its two sides.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    enums::OrderStatus,
    ids::{AuctionId, OrderId, UserId},
};

/// The order that a sold auction opens; its price lies in escrow until it is settled.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrderId,
    /// What was sold; an auction has one order.
    #[sea_orm(unique)]
    pub auction_id: AuctionId,
    /// Who pays.
    pub buyer_id: UserId,
    /// Who is paid.
    pub seller_id: UserId,
    /// In minor units.
    pub price: i64,
    /// The marketplace's share of it, in minor units.
    pub fee: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// When the auction was sold.
    pub created_at: Time,
    /// When it last moved.
    pub updated_at: Time,
    /// When the marketplace completes it by itself; set while handed over.
    pub completes_at: Option<Time>,
    /// Why a side disagreed.
    pub dispute_reason: Option<String>,
    /// What the admin said to it.
    pub resolution_note: Option<String>,
    /// The admin who decided the dispute.
    pub decided_by: Option<UserId>,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
