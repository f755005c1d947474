//! Recorded bids.

use std::sync::Arc;

use entity::ids::{AuctionId, BidId, UserId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Values};

use super::{
    corrupt, money,
    page::Page,
    rowset::{Rowset, one_of},
    users,
};
use crate::domain::{event::Bid, money::Money};

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

/// A page of the bids of each of these auctions, newest first, each with the place of its page in
/// `pages`; the cursor is a bid's sequence. All pages have one size and one direction, and with
/// `backwards` their rows come in reverse.
///
/// # Errors
/// When the database refuses.
pub async fn of_auctions(
    db: &impl ConnectionTrait,
    pages: &[(AuctionId, Bounds)],
    size: u32,
    backwards: bool,
) -> Result<Vec<(usize, Arc<Bid>)>, DbErr> {
    let of = || pages.iter();
    let places = || (0_i64..).take(pages.len());
    let asked = Rowset::new()
        .int64("n", places())
        .uuid("auction", of().map(|(auction, _)| auction.0))
        .int64("below", of().map(|(_, bounds)| bounds.below.max(0)))
        .int64("above", of().map(|(_, bounds)| bounds.above.max(0)));
    let (columns, order) = (columns(), if backwards { "ASC" } else { "DESC" });
    let rows = "FROM bids WHERE auction_id = r.auction AND sequence < r.below \
                AND sequence > r.above ORDER BY sequence";
    let backend = db.get_database_backend();
    // Each page is the beginning of a walk along the index of its auction's bids.
    let mut ask = asked.statement(backend, |asked| match backend {
        DbBackend::Postgres => format!(
            "SELECT r.n, {columns} FROM {asked} AS r \
             CROSS JOIN LATERAL (SELECT * {rows} {order} LIMIT $5) AS b \
             JOIN users u ON u.id = b.bidder_id ORDER BY r.n, b.sequence {order}"
        ),
        _ => format!(
            "SELECT r.n, {columns} FROM {asked} AS r CROSS JOIN bids b ON b.auction_id = r.auction \
             AND b.sequence IN (SELECT sequence {rows} {order} LIMIT $2) \
             CROSS JOIN users u ON u.id = b.bidder_id ORDER BY r.n, b.sequence {order}"
        ),
    });
    let limit = i64::from(size) + 1;
    ask.values.get_or_insert_with(|| Values(Vec::new())).0.push(limit.into());
    let found = db.query_all_raw(ask).await?;
    let place = |row: &QueryResult| row.try_get::<i64>("", "n");
    let place = |row| usize::try_from(place(row)?).map_err(|_| corrupt("a page's place"));
    found.iter().map(|row| Ok((place(row)?, public(row)?))).collect()
}

/// Between which sequences a page of bids lies.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The page is older than this one.
    pub below: i64,
    /// The page is newer than this one.
    pub above: i64,
}

impl From<&Page<i64>> for Bounds {
    fn from(page: &Page<i64>) -> Self {
        Self { below: page.after.unwrap_or(i64::MAX), above: page.before.unwrap_or(0) }
    }
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
