//! What became of a transaction whose COMMIT was not answered: found by a row that it wrote.

use entity::{
    bid,
    ids::{BidId, TransferId},
    transfer,
};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

/// A row that only the transaction in question can have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// One of its bids.
    Bid(BidId),
    /// One of its transfers.
    Transfer(TransferId),
}

/// Whether the transaction that would have written `witness` is committed.
///
/// # Errors
/// When the database refuses.
pub async fn is_committed(db: &impl ConnectionTrait, witness: Witness) -> Result<bool, DbErr> {
    Ok(match witness {
        Witness::Bid(id) => bid::Entity::find_by_id(id).one(db).await?.is_some(),
        Witness::Transfer(id) => transfer::Entity::find_by_id(id).one(db).await?.is_some(),
    })
}
