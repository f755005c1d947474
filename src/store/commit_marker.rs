//! What became of a transaction whose COMMIT was not answered: found by a row that only it can
//! have written.

use entity::{
    Time, auction, auction_event, bid,
    ids::{AuctionId, BidId, NotificationId, SessionId, TransferId},
    notification, session, transfer,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter};

/// A row that only the transaction in question can have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitMarker {
    /// One of its bids.
    Bid(BidId),
    /// One of its transfers.
    Transfer(TransferId),
    /// One of its notifications.
    Notification(NotificationId),
    /// One of its events: who else gave an auction's event that number did so at another time.
    Event(AuctionId, i64, Time),
    /// The auction that it listed.
    Auction(AuctionId),
    /// The session that it opened.
    Session(SessionId),
}

/// Whether the transaction that would have written `marker` is committed.
///
/// # Errors
/// When the database refuses.
pub async fn is_committed(db: &impl ConnectionTrait, marker: CommitMarker) -> Result<bool, DbErr> {
    let count = match marker {
        CommitMarker::Bid(id) => bid::Entity::find_by_id(id).count(db).await?,
        CommitMarker::Transfer(id) => transfer::Entity::find_by_id(id).count(db).await?,
        CommitMarker::Notification(id) => notification::Entity::find_by_id(id).count(db).await?,
        CommitMarker::Event(auction, sequence, at) => {
            let events = auction_event::Entity::find_by_id((auction, sequence));
            events.filter(auction_event::Column::At.eq(at)).count(db).await?
        }
        CommitMarker::Auction(id) => auction::Entity::find_by_id(id).count(db).await?,
        CommitMarker::Session(id) => session::Entity::find_by_id(id).count(db).await?,
    };
    Ok(count > 0)
}
