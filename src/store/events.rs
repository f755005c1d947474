//! The event log: what live updates are read from when memory does not have them.

use std::sync::Arc;

use chrono::TimeDelta;
use entity::{Time, auction_event, ids::AuctionId};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::{
    bulk::{self, Write},
    corrupt, money,
    rowset::Rowset,
    users,
};
use crate::{
    domain::event::{AuctionState, Bid, Event},
    telemetry::Seldom,
};

/// Adds events; the database refuses a number that is taken.
pub fn insert(events: &[Event]) -> Write {
    let row = |event: &Event| auction_event::Model {
        auction_id: event.auction,
        sequence: event.sequence(),
        kind: event.kind,
        at: event.at,
        bid_id: event.bid.as_ref().map(|bid| bid.id),
        status: event.state.status,
        current_price: event.state.price.minor(),
        minimum_bid: event.state.minimum_bid.minor(),
        bid_count: event.state.bid_count,
        leader_id: event.state.leader.as_ref().map(|leader| leader.id),
        reserve_status: event.state.reserve_status,
        ends_at: event.state.ends_at,
    };
    bulk::insert(&events.iter().map(row).collect::<Vec<_>>())
}

/// What an event is read from; `source` says which events.
fn selection(source: &str) -> String {
    format!(
        "SELECT e.*, b.amount, b.is_automatic, b.placed_at, {}, {} FROM {source} \
         LEFT JOIN users l ON l.id = e.leader_id LEFT JOIN bids b ON b.id = e.bid_id \
         LEFT JOIN users u ON u.id = b.bidder_id",
        users::columns("l", "leader"),
        users::columns("u", "bidder"),
    )
}

/// Those that can be read: one that cannot (a newer version's kind, say) keeps no other from being
/// told, and whoever watches its auction sees a hole, and then the auction as it is.
async fn all(db: &impl ConnectionTrait, ask: Statement) -> Result<Vec<Arc<Event>>, DbErr> {
    static SAID: Seldom = Seldom::new();
    let rows = db.query_all_raw(ask).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        match event(row) {
            Ok(event) => events.push(Arc::new(event)),
            Err(error) => {
                if let Some(unsaid) = SAID.now() {
                    tracing::error!(%error, unsaid, "an event cannot be read");
                }
            }
        }
    }
    Ok(events)
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
    let text = format!(
        "{} WHERE e.auction_id = $1 AND e.sequence > $2 AND e.sequence <= $3 \
         ORDER BY e.sequence LIMIT $4",
        selection("auction_events e"),
    );
    let values = [auction.into(), after.into(), until.into(), limit.into()];
    all(db, Statement::from_sql_and_values(db.get_database_backend(), text, values)).await
}

/// The events of several auctions, each after a sequence of its own: an auction's oldest first,
/// at most `limit` in all.
///
/// # Errors
/// When the database refuses.
pub async fn after_each(
    db: &impl ConnectionTrait,
    places: &[(AuctionId, i64)],
    limit: i64,
) -> Result<Vec<Arc<Event>>, DbErr> {
    let places = Rowset::new()
        .uuid("auction_id", places.iter().map(|(auction, _)| auction.0))
        .int64("after", places.iter().map(|(_, after)| *after));
    let ask = places.statement(db.get_database_backend(), |rows| {
        let newer = "e.auction_id = r.auction_id AND e.sequence > r.after";
        let source = format!("{rows} AS r JOIN auction_events e ON {newer}");
        format!("{} ORDER BY e.auction_id, e.sequence LIMIT {limit}", selection(&source))
    });
    all(db, ask).await
}

/// The auctions that had events since a moment: each with the sequence before the first of them,
/// and that of the newest.
///
/// # Errors
/// When the database refuses.
pub async fn active(
    db: &impl ConnectionTrait,
    since: Time,
) -> Result<Vec<(AuctionId, i64, i64)>, DbErr> {
    let text = "SELECT auction_id, MIN(sequence) - 1 AS before, MAX(sequence) AS newest \
                FROM auction_events WHERE at >= $1 AND at < $2 GROUP BY auction_id";
    // Without an end, a plan for any moment would have to expect a third of all events.
    let end = since + TimeDelta::days(36_500);
    let values = [since.into(), end.into()];
    let ask = Statement::from_sql_and_values(db.get_database_backend(), text, values);
    let rows = db.query_all_raw(ask).await?;
    let read = |row: &QueryResult| {
        let (before, newest) = (row.try_get("", "before")?, row.try_get("", "newest")?);
        Ok((row.try_get("", "auction_id")?, before, newest))
    };
    rows.iter().map(read).collect()
}

/// The newest event of each of these auctions before a moment; 0 where there is none.
///
/// # Errors
/// When the database refuses.
pub async fn last_before(
    db: &impl ConnectionTrait,
    auctions: &[AuctionId],
    moment: Time,
) -> Result<Vec<(AuctionId, i64)>, DbErr> {
    let asked = Rowset::new()
        .uuid("auction_id", auctions.iter().map(|auction| auction.0))
        .time("moment", auctions.iter().map(|_| moment));
    let ask = asked.statement(db.get_database_backend(), |rows| {
        format!(
            "SELECT r.auction_id, COALESCE((SELECT e.sequence FROM auction_events e \
               WHERE e.auction_id = r.auction_id AND e.at < r.moment \
               ORDER BY e.sequence DESC LIMIT 1), 0) AS newest FROM {rows} AS r"
        )
    });
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "auction_id")?, row.try_get("", "newest")?)))
        .collect()
}

/// Whether an auction was listed ahead of its start, so that it was SCHEDULED at first.
///
/// # Errors
/// When the database refuses.
pub async fn was_scheduled(db: &impl ConnectionTrait, auction: AuctionId) -> Result<bool, DbErr> {
    let text = "SELECT id FROM auctions WHERE id = $1 AND created_at < starts_at";
    let ask = Statement::from_sql_and_values(db.get_database_backend(), text, [auction.into()]);
    Ok(db.query_one_raw(ask).await?.is_some())
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
