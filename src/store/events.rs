//! The event log: what live updates are read from when memory does not have them.

use std::sync::Arc;

use entity::{auction_event, ids::AuctionId};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::{corrupt, money, rowset::Rowset, users};
use crate::domain::event::{AuctionState, Bid, Event};

/// Adds events.
///
/// # Errors
/// When the database refuses: among others when a number is taken.
pub async fn insert(db: &impl ConnectionTrait, events: &[Event]) -> Result<(), DbErr> {
    let of = || events.iter();
    Rowset::new()
        .uuid("auction_id", of().map(|e| Some(e.auction.0)))
        .int64("sequence", of().map(|e| Some(e.sequence())))
        .text("kind", of().map(|e| Some(e.kind.as_str().to_owned())))
        .time("at", of().map(|e| e.at))
        .uuid("bid_id", of().map(|e| e.bid.as_ref().map(|bid| bid.id.0)))
        .text("status", of().map(|e| Some(e.state.status.as_str().to_owned())))
        .int64("current_price", of().map(|e| Some(e.state.price.minor())))
        .int64("minimum_bid", of().map(|e| Some(e.state.minimum_bid.minor())))
        .int32("bid_count", of().map(|e| e.state.bid_count))
        .uuid("leader_id", of().map(|e| e.state.leader.as_ref().map(|leader| leader.id.0)))
        .text("reserve_status", of().map(|e| Some(e.state.reserve_status.as_str().to_owned())))
        .time("ends_at", of().map(|e| e.state.ends_at))
        .insert(db, auction_event_table())
        .await
}

fn auction_event_table() -> &'static str {
    use sea_orm::EntityName;
    auction_event::Entity.table_name()
}

/// An auction's events with `after < sequence <= until`, oldest first, at most `limit`.
///
/// # Errors
/// When the database refuses.
pub async fn between(
    db: &impl ConnectionTrait,
    auction: AuctionId,
    after: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<Arc<Event>>, DbErr> {
    let backend = db.get_database_backend();
    let text = format!(
        "SELECT e.*, b.amount, b.is_automatic, b.placed_at, {}, {} FROM auction_events e \
         LEFT JOIN users l ON l.id = e.leader_id LEFT JOIN bids b ON b.id = e.bid_id \
         LEFT JOIN users u ON u.id = b.bidder_id \
         WHERE e.auction_id = $1 AND e.sequence > $2 AND e.sequence <= $3 \
         ORDER BY e.sequence LIMIT $4",
        users::columns("l", "leader"),
        users::columns("u", "bidder"),
    );
    let values = [auction.into(), after.into(), until.into(), limit.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    rows.iter().map(|row| event(row).map(Arc::new)).collect()
}

fn event(row: &QueryResult) -> Result<Event, DbErr> {
    let auction = row.try_get("", "auction_id")?;
    let sequence = row.try_get("", "sequence")?;
    let bid = match row.try_get::<Option<_>>("", "bid_id")? {
        None => None,
        Some(id) => Some(Arc::new(Bid {
            id,
            auction,
            bidder: users::joined(row, "bidder")?.ok_or_else(|| corrupt("no bidder"))?,
            amount: money(row.try_get("", "amount")?)?,
            sequence,
            is_automatic: row.try_get("", "is_automatic")?,
            placed_at: row.try_get("", "placed_at")?,
        })),
    };
    Ok(Event {
        auction,
        kind: row.try_get("", "kind")?,
        at: row.try_get("", "at")?,
        bid,
        state: AuctionState {
            sequence,
            status: row.try_get("", "status")?,
            price: money(row.try_get("", "current_price")?)?,
            minimum_bid: money(row.try_get("", "minimum_bid")?)?,
            bid_count: row.try_get("", "bid_count")?,
            leader: users::joined(row, "leader")?,
            reserve_status: row.try_get("", "reserve_status")?,
            ends_at: row.try_get("", "ends_at")?,
        },
    })
}
