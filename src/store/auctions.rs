//! Auctions: locked for a change, or read for the public.

use std::sync::Arc;

use chrono::TimeDelta;
use entity::{
    Time, auction,
    enums::AuctionScope,
    ids::{AuctionId, CategoryId, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, DbErr,
    EntityTrait, QueryFilter, QueryResult, Statement, sea_query::Expr,
};

use super::{
    corrupt, money,
    rowset::{Rowset, Write, one_of},
    users,
};
use crate::domain::{
    auction::{Auction, Lead, SoftClose},
    event::AuctionState,
    increments::IncrementTable,
    listing::{AuctionView, Listing},
};

/// The columns that judging needs, so that a bid never carries a description around.
pub(super) const JUDGED: &str = "id, seller_id, scope, region_id, starting_price, \
    current_price, bid_unit, reserve_price, buy_now_price, bid_count, leader_id, \
    leader_maximum, leader_bid_id, starts_at, ends_at, scheduled_ends_at, \
    soft_close_window_seconds, soft_close_extension_seconds, soft_close_cap_seconds, status, \
    sequence";

/// Locks auctions for this transaction, in ascending order of id, and reads them.
///
/// # Errors
/// When the database refuses.
pub async fn lock(db: &impl ConnectionTrait, ids: &[AuctionId]) -> Result<Vec<Auction>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let lock = if backend == DbBackend::Postgres { "FOR UPDATE" } else { "" };
    let text = format!("SELECT {JUDGED} FROM auctions WHERE {is_one} ORDER BY id {lock}");
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?;
    rows.iter().map(judged).collect()
}

/// An auction whose row cannot be read: the database was changed behind our back.
#[derive(Debug)]
pub struct Unreadable {
    /// Which.
    pub id: AuctionId,
    /// Why.
    pub error: DbErr,
}

/// Auctions that were locked without waiting for anybody.
#[derive(Debug, Default)]
pub struct Free {
    /// The locked ones, in ascending order of id.
    pub auctions: Vec<Auction>,
    /// Those that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// Locks those of these auctions that nobody else holds, and reads those that can be read.
///
/// # Errors
/// When the database refuses.
pub async fn lock_free(db: &impl ConnectionTrait, ids: &[AuctionId]) -> Result<Free, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let skip = skip_locked(backend);
    let text = format!("SELECT {JUDGED} FROM auctions WHERE {is_one} ORDER BY id {skip}");
    free(&db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?)
}

/// Those of these ids that there are.
///
/// # Errors
/// When the database refuses.
pub async fn existing(
    db: &impl ConnectionTrait,
    ids: &[AuctionId],
) -> Result<Vec<AuctionId>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let text = format!("SELECT id FROM auctions WHERE {is_one}");
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

pub(super) fn free(rows: &[QueryResult]) -> Result<Free, DbErr> {
    let mut found = Free::default();
    for row in rows {
        match judged(row) {
            Ok(auction) => found.auctions.push(auction),
            Err(error) => {
                found.unreadable.push(Unreadable { id: row.try_get("", "id")?, error });
            }
        }
    }
    found.auctions.sort_unstable_by_key(|auction| auction.id);
    Ok(found)
}

/// The end of a SELECT that locks what nobody else holds.
pub(super) fn skip_locked(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" }
}

fn judged(row: &QueryResult) -> Result<Auction, DbErr> {
    let seconds = |column| row.try_get("", column).map(|n: i32| TimeDelta::seconds(n.into()));
    let optional = |column| row.try_get::<Option<i64>>("", column)?.map(money).transpose();
    let scope: AuctionScope = row.try_get("", "scope")?;
    let lead = match (
        row.try_get("", "leader_id")?,
        optional("leader_maximum")?,
        row.try_get("", "leader_bid_id")?,
    ) {
        (Some(bidder), Some(maximum), Some(bid)) => Some(Lead { bidder, maximum, bid }),
        (None, None, None) => None,
        _ => return Err(corrupt("half a lead")),
    };
    Ok(Auction {
        id: row.try_get("", "id")?,
        seller: row.try_get("", "seller_id")?,
        bidders_region: match scope {
            AuctionScope::National => None,
            AuctionScope::Regional => row.try_get("", "region_id")?,
        },
        starting_price: money(row.try_get("", "starting_price")?)?,
        price: money(row.try_get("", "current_price")?)?,
        bid_unit: optional("bid_unit")?,
        reserve: optional("reserve_price")?,
        buy_now: optional("buy_now_price")?,
        lead,
        bid_count: row.try_get("", "bid_count")?,
        status: row.try_get("", "status")?,
        starts_at: row.try_get("", "starts_at")?,
        ends_at: row.try_get("", "ends_at")?,
        scheduled_ends_at: row.try_get("", "scheduled_ends_at")?,
        soft_close: SoftClose {
            window: seconds("soft_close_window_seconds")?,
            extension: seconds("soft_close_extension_seconds")?,
            cap: seconds("soft_close_cap_seconds")?,
        },
        sequence: row.try_get("", "sequence")?,
    })
}

/// Writes back what events change of these locked auctions.
pub fn save(auctions: &[Auction]) -> Write {
    rows(auctions).write(update_from)
}

/// The set of rows that [`update_from`] takes.
fn rows(auctions: &[Auction]) -> Rowset {
    let of = || auctions.iter();
    Rowset::new()
        .uuid("id", of().map(|a| Some(a.id.0)))
        .int64("current_price", of().map(|a| Some(a.price.minor())))
        .int32("bid_count", of().map(|a| a.bid_count))
        .uuid("leader_id", of().map(|a| a.lead.map(|lead| lead.bidder.0)))
        .int64("leader_maximum", of().map(|a| a.lead.map(|lead| lead.maximum.minor())))
        .uuid("leader_bid_id", of().map(|a| a.lead.map(|lead| lead.bid.0)))
        .time("ends_at", of().map(|a| a.ends_at))
        .text("status", of().map(|a| Some(a.status.as_str().to_owned())))
        .int64("sequence", of().map(|a| Some(a.sequence)))
}

/// The UPDATE that writes [`rows`] back.
fn update_from(rows: &str) -> String {
    format!(
        "UPDATE auctions SET current_price = r.current_price, bid_count = r.bid_count, \
         leader_id = r.leader_id, leader_maximum = r.leader_maximum, \
         leader_bid_id = r.leader_bid_id, ends_at = r.ends_at, status = r.status, \
         sequence = r.sequence FROM {rows} AS r WHERE auctions.id = r.id"
    )
}

/// A new auction, whole, before its first event.
#[derive(Debug, Clone)]
pub struct NewAuction {
    /// What its seller wrote.
    pub listing: Listing,
    /// Its first state.
    pub auction: Auction,
    /// When it was made.
    pub created_at: Time,
}

/// Adds an auction.
///
/// # Errors
/// When the database refuses, its CHECKs included.
pub async fn insert(db: &impl ConnectionTrait, new: &NewAuction) -> Result<(), DbErr> {
    let NewAuction { listing, auction, created_at } = new;
    let seconds = |delta: TimeDelta| {
        i32::try_from(delta.num_seconds()).map_err(|_| corrupt("a soft close of years"))
    };
    auction::ActiveModel {
        id: Set(auction.id),
        seller_id: Set(auction.seller),
        title: Set(listing.title.clone()),
        description: Set(listing.description.clone()),
        search_text: Set(listing.search_text()),
        category_id: Set(listing.category.clone()),
        condition: Set(listing.condition),
        shipping_payer: Set(listing.shipping_payer),
        scope: Set(listing.scope),
        region_id: Set(listing.region.clone()),
        starting_price: Set(auction.starting_price.minor()),
        current_price: Set(auction.price.minor()),
        bid_unit: Set(auction.bid_unit.map(|unit| unit.minor())),
        reserve_price: Set(auction.reserve.map(|reserve| reserve.minor())),
        buy_now_price: Set(auction.buy_now.map(|price| price.minor())),
        bid_count: Set(0),
        leader_id: Set(None),
        leader_maximum: Set(None),
        leader_bid_id: Set(None),
        starts_at: Set(auction.starts_at),
        ends_at: Set(auction.ends_at),
        scheduled_ends_at: Set(auction.scheduled_ends_at),
        soft_close_window_seconds: Set(seconds(auction.soft_close.window)?),
        soft_close_extension_seconds: Set(seconds(auction.soft_close.extension)?),
        soft_close_cap_seconds: Set(seconds(auction.soft_close.cap)?),
        status: Set(auction.status),
        sequence: Set(auction.sequence),
        created_at: Set(*created_at),
        cancel_reason: Set(None),
    }
    .insert(db)
    .await?;
    Ok(())
}

/// New words for an auction; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// One line.
    pub title: Option<String>,
    /// Plain text.
    pub description: Option<String>,
    /// What kind of goods.
    pub category: Option<CategoryId>,
}

/// How many auctions of a seller have not ended, counted to `most`.
///
/// # Errors
/// When the database refuses.
pub async fn unended_of(
    db: &impl ConnectionTrait,
    seller: UserId,
    most: u32,
) -> Result<u64, DbErr> {
    // Written as the index of these auctions says it.
    let text = "SELECT id FROM auctions WHERE seller_id = $1 \
                AND status IN ('OPEN', 'SCHEDULED') LIMIT $2";
    let values = [seller.0.into(), i64::from(most).into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, values);
    Ok(u64::try_from(db.query_all_raw(statement).await?.len()).unwrap_or(u64::MAX))
}

/// Writes an auction's new words. Its row is locked already.
///
/// # Errors
/// When the database refuses.
pub async fn save_words(db: &impl ConnectionTrait, listing: &Listing) -> Result<(), DbErr> {
    auction::Entity::update_many()
        .set(auction::ActiveModel {
            title: Set(listing.title.clone()),
            description: Set(listing.description.clone()),
            search_text: Set(listing.search_text()),
            category_id: Set(listing.category.clone()),
            ..Default::default()
        })
        .filter(auction::Column::Id.eq(listing.id))
        .exec(db)
        .await?;
    Ok(())
}

/// Auctions as the public sees them, in no order; unknown ids are left out.
///
/// # Errors
/// When the database refuses.
pub async fn views(
    db: &impl ConnectionTrait,
    ids: &[AuctionId],
    table: &IncrementTable,
) -> Result<Vec<AuctionView>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "a.id", 1, ids.iter().map(|id| id.0));
    let text = format!(
        "SELECT a.*, {}, {} FROM auctions a JOIN users s ON s.id = a.seller_id \
         LEFT JOIN users l ON l.id = a.leader_id WHERE {is_one}",
        users::columns("s", "seller"),
        users::columns("l", "leader"),
    );
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?;
    rows.iter().map(|row| view(row, table)).collect()
}

fn view(row: &QueryResult, table: &IncrementTable) -> Result<AuctionView, DbErr> {
    let auction = judged(row)?;
    let leader = users::joined(row, "leader")?;
    let state = AuctionState::of(&auction, table, |_| leader)
        .map_err(|_| corrupt("a price out of range"))?;
    let listing = Listing {
        id: auction.id,
        seller: users::joined(row, "seller")?.ok_or_else(|| corrupt("no seller"))?,
        title: row.try_get("", "title")?,
        description: row.try_get("", "description")?,
        category: row.try_get("", "category_id")?,
        condition: row.try_get("", "condition")?,
        shipping_payer: row.try_get("", "shipping_payer")?,
        scope: row.try_get("", "scope")?,
        region: row.try_get("", "region_id")?,
        starting_price: auction.starting_price,
        bid_unit: auction.bid_unit,
        buy_now_price: auction.buy_now,
        starts_at: auction.starts_at,
    };
    Ok(AuctionView { listing: Arc::new(listing), state })
}

/// Says why a cancelled auction was withdrawn.
///
/// # Errors
/// When the database refuses.
pub async fn set_cancel_reason(
    db: &impl ConnectionTrait,
    id: AuctionId,
    reason: &str,
) -> Result<(), DbErr> {
    auction::Entity::update_many()
        .col_expr(auction::Column::CancelReason, Expr::value(reason))
        .filter(auction::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(())
}
