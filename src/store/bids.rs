//! Recorded bids.

use std::sync::Arc;

use entity::{
    bid,
    ids::{AuctionId, BidId, UserId},
};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::{
    corrupt, money,
    page::Page,
    rowset::{Rowset, Write, one_of},
    users,
};
use crate::domain::{event::Bid, money::Money};

/// Adds bids.
pub fn insert(bids: &[bid::Model]) -> Write {
    let of = || bids.iter();
    Rowset::new()
        .uuid("id", of().map(|b| Some(b.id.0)))
        .uuid("auction_id", of().map(|b| Some(b.auction_id.0)))
        .uuid("bidder_id", of().map(|b| Some(b.bidder_id.0)))
        .int64("amount", of().map(|b| Some(b.amount)))
        .int64("maximum", of().map(|b| Some(b.maximum)))
        .int64("sequence", of().map(|b| Some(b.sequence)))
        .bool("is_automatic", of().map(|b| b.is_automatic))
        .time("placed_at", of().map(|b| b.placed_at))
        .insert_into("bids")
}

fn columns() -> String {
    let bidder = users::columns("u", "bidder");
    format!("b.id, b.auction_id, b.amount, b.sequence, b.is_automatic, b.placed_at, {bidder}")
}

fn public(row: &QueryResult) -> Result<Arc<Bid>, DbErr> {
    Ok(Arc::new(Bid {
        id: row.try_get("", "id")?,
        auction: row.try_get("", "auction_id")?,
        bidder: users::joined(row, "bidder")?.ok_or_else(|| corrupt("no bidder"))?,
        amount: money(row.try_get("", "amount")?)?,
        sequence: row.try_get("", "sequence")?,
        is_automatic: row.try_get("", "is_automatic")?,
        placed_at: row.try_get("", "placed_at")?,
    }))
}

/// The bids of these ids, in no order.
///
/// # Errors
/// When the database refuses.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[BidId]) -> Result<Vec<Arc<Bid>>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "b.id", 1, ids.iter().map(|id| id.0));
    let columns = columns();
    let text =
        format!("SELECT {columns} FROM bids b JOIN users u ON u.id = b.bidder_id WHERE {is_one}");
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?;
    rows.iter().map(public).collect()
}

/// A page of an auction's bids, newest first; the cursor is a bid's sequence.
///
/// # Errors
/// When the database refuses.
pub async fn of_auction(
    db: &impl ConnectionTrait,
    auction: AuctionId,
    page: &Page<i64>,
) -> Result<Vec<Arc<Bid>>, DbErr> {
    let backend = db.get_database_backend();
    let columns = columns();
    let order = if page.backwards { "ASC" } else { "DESC" };
    let text = format!(
        "SELECT {columns} FROM bids b JOIN users u ON u.id = b.bidder_id \
         WHERE b.auction_id = $1 AND b.sequence < $2 AND b.sequence > $3 \
         ORDER BY b.sequence {order} LIMIT $4"
    );
    let values = [
        auction.into(),
        page.after.unwrap_or(i64::MAX).into(),
        page.before.unwrap_or(0).into(),
        page.fetch().into(),
    ];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    rows.iter().map(public).collect()
}

/// A page of a user's bids, automatic ones included, newest first; the cursor is a bid's id.
///
/// # Errors
/// When the database refuses.
pub async fn of_bidder(
    db: &impl ConnectionTrait,
    bidder: UserId,
    page: &Page<BidId>,
) -> Result<Vec<Arc<Bid>>, DbErr> {
    let backend = db.get_database_backend();
    let columns = columns();
    let mut values = vec![bidder.into(), page.fetch().into()];
    let after = page.after.map_or(String::new(), |id| {
        values.push(id.into());
        "AND b.id < $3".to_owned()
    });
    let text = format!(
        "SELECT {columns} FROM bids b JOIN users u ON u.id = b.bidder_id \
         WHERE b.bidder_id = $1 {after} ORDER BY b.id DESC LIMIT $2"
    );
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    rows.iter().map(public).collect()
}

/// A user's highest bid on each of these auctions; auctions without one are left out.
///
/// # Errors
/// When the database refuses.
pub async fn highest_of(
    db: &impl ConnectionTrait,
    bidder: UserId,
    auctions: &[AuctionId],
) -> Result<Vec<(AuctionId, Money)>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "auction_id", 2, auctions.iter().map(|id| id.0));
    let text = format!(
        "SELECT auction_id, MAX(amount) AS amount FROM bids \
         WHERE bidder_id = $1 AND {is_one} GROUP BY auction_id"
    );
    let values = [bidder.into(), ids];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "auction_id")?, money(row.try_get("", "amount")?)?)))
        .collect()
}

/// The secret maxima that a user holds as the leader of these auctions.
///
/// # Errors
/// When the database refuses.
pub async fn maxima_of(
    db: &impl ConnectionTrait,
    leader: UserId,
    auctions: &[AuctionId],
) -> Result<Vec<(AuctionId, Money)>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 2, auctions.iter().map(|id| id.0));
    let text = format!("SELECT id, leader_maximum FROM auctions WHERE leader_id = $1 AND {is_one}");
    let values = [leader.into(), ids];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "id")?, money(row.try_get("", "leader_maximum")?)?)))
        .collect()
}

/// Everybody who bid on an auction.
///
/// # Errors
/// When the database refuses.
pub async fn bidders_of(
    db: &impl ConnectionTrait,
    auction: AuctionId,
) -> Result<Vec<UserId>, DbErr> {
    let text = "SELECT DISTINCT bidder_id FROM bids WHERE auction_id = $1";
    let statement =
        Statement::from_sql_and_values(db.get_database_backend(), text, [auction.into()]);
    db.query_all_raw(statement).await?.iter().map(|row| row.try_get("", "bidder_id")).collect()
}
