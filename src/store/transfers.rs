//! The ledger.

use entity::{
    Time,
    enums::TransferKind,
    ids::{AuctionId, BidId, TransferId, UserId},
    transfer,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};

use super::{
    page::Page,
    rowset::{Rowset, Write, one_of},
};
use crate::domain::{ledger, money::Money};

/// A transfer to record.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// Its id.
    pub id: TransferId,
    /// Whose money.
    pub user: UserId,
    /// Why.
    pub kind: TransferKind,
    /// How much.
    pub amount: Money,
    /// For which auction.
    pub auction: Option<AuctionId>,
    /// By which bid.
    pub bid: Option<BidId>,
    /// When.
    pub at: Time,
}

/// Adds transfers.
pub fn insert(new: &[NewTransfer]) -> Write {
    let of = || new.iter();
    let accounts = |t: &NewTransfer| ledger::accounts(t.kind);
    Rowset::new()
        .uuid("id", of().map(|t| Some(t.id.0)))
        .uuid("user_id", of().map(|t| Some(t.user.0)))
        .text("from_account", of().map(|t| Some(accounts(t).0.as_str().to_owned())))
        .text("to_account", of().map(|t| Some(accounts(t).1.as_str().to_owned())))
        .int64("amount", of().map(|t| Some(t.amount.minor())))
        .text("kind", of().map(|t| Some(t.kind.as_str().to_owned())))
        .uuid("auction_id", of().map(|t| t.auction.map(|auction| auction.0)))
        .uuid("bid_id", of().map(|t| t.bid.map(|bid| bid.0)))
        .time("at", of().map(|t| t.at))
        .insert_into("transfers")
}

/// The transfers of these ids, in no order.
///
/// # Errors
/// When the database refuses.
pub async fn by_ids(
    db: &impl ConnectionTrait,
    ids: &[TransferId],
) -> Result<Vec<transfer::Model>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let text = format!("SELECT * FROM transfers WHERE {is_one}");
    let ask = Statement::from_sql_and_values(backend, text, [ids]);
    transfer::Entity::find().from_raw_sql(ask).all(db).await
}

/// A page of a wallet's transfers, newest first; the cursor is a transfer's id.
///
/// # Errors
/// When the database refuses.
pub async fn of_user(
    db: &impl ConnectionTrait,
    user: UserId,
    page: &Page<TransferId>,
) -> Result<Vec<transfer::Model>, DbErr> {
    let mut select = transfer::Entity::find()
        .filter(transfer::Column::UserId.eq(user))
        // A fee is taken from escrow: no wallet moves.
        .filter(transfer::Column::Kind.ne(TransferKind::Fee))
        .order_by_desc(transfer::Column::Id)
        .limit(u64::from(page.size) + 1);
    if let Some(after) = page.after {
        select = select.filter(transfer::Column::Id.lt(after));
    }
    select.all(db).await
}
