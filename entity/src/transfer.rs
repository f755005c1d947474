//! The ledger: append-only, one row a movement.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    enums::{Account, TransferKind},
    ids::{AuctionId, BidId, TransferId, UserId},
};
/// A movement between two accounts: double entry by construction.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transfers")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TransferId,
    /// Whose wallet takes part.
    pub user_id: UserId,
    /// Where the money came from.
    pub from_account: Account,
    /// Where it went.
    pub to_account: Account,
    /// Minor units, above zero.
    pub amount: i64,
    /// Why.
    pub kind: TransferKind,
    /// For which auction.
    pub auction_id: Option<AuctionId>,
    /// By which bid: for a HOLD or RELEASE the one that took the lead.
    pub bid_id: Option<BidId>,
    /// When.
    pub at: Time,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
