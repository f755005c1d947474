//! The ledger.

use entity::{
    Time,
    enums::TransferKind,
    ids::{AuctionId, TransferId, UserId},
    transfer,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};

use super::{page::Page, rowset::one_of};
use crate::domain::ledger::{self, Movement};

/// The row of a movement of money.
#[must_use]
pub fn row(movement: &Movement, auction: Option<AuctionId>, at: Time) -> transfer::Model {
    let (from_account, to_account) = ledger::accounts(movement.kind);
    transfer::Model {
        id: TransferId::new(),
        user_id: movement.user,
        from_account,
        to_account,
        amount: movement.amount.minor(),
        kind: movement.kind,
        auction_id: auction,
        bid_id: movement.bid,
        at,
    }
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
