//! Auctions: locked for a change, or read for the public.

use std::sync::Arc;

use chrono::TimeDelta;
use entity::{
    Time, auction,
    enums::{AuctionScope, AuctionStatus},
    ids::{AuctionId, BidId, RegionId, UserId},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, DerivePartialModel, EntityTrait,
    FromQueryResult, PartialModelTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    QueryTrait, Select, Statement,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, SimpleExpr},
};

use super::{
    among::is_among,
    bulk::{self, Write},
    corrupt, money,
    rowset::one_of,
    users,
};
use crate::domain::{
    auction::{Auction, Lead, SoftClose},
    event::AuctionState,
    increments::IncrementTable,
    listing::{AuctionView, Listing},
};

/// The columns that judging needs, so that a bid never carries a description around.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "auction::Entity")]
pub(super) struct Judged {
    id: AuctionId,
    seller_id: UserId,
    scope: AuctionScope,
    region_id: Option<RegionId>,
    starting_price: i64,
    current_price: i64,
    bid_unit: Option<i64>,
    reserve_price: Option<i64>,
    buy_now_price: Option<i64>,
    bid_count: i32,
    leader_id: Option<UserId>,
    leader_maximum: Option<i64>,
    leader_bid_id: Option<BidId>,
    starts_at: Time,
    ends_at: Time,
    scheduled_ends_at: Time,
    soft_close_window_seconds: i32,
    soft_close_extension_seconds: i32,
    soft_close_cap_seconds: i32,
    status: AuctionStatus,
    sequence: i64,
}

impl TryFrom<Judged> for Auction {
    type Error = DbErr;

    fn try_from(row: Judged) -> Result<Self, DbErr> {
        let seconds = |n: i32| TimeDelta::seconds(n.into());
        let optional = |minor: Option<i64>| minor.map(money).transpose();
        let lead = match (row.leader_id, optional(row.leader_maximum)?, row.leader_bid_id) {
            (Some(bidder), Some(maximum), Some(bid)) => Some(Lead { bidder, maximum, bid }),
            (None, None, None) => None,
            _ => return Err(corrupt("half a lead")),
        };
        Ok(Self {
            id: row.id,
            seller: row.seller_id,
            bidders_region: row.region_id.filter(|_| row.scope == AuctionScope::Regional),
            starting_price: money(row.starting_price)?,
            price: money(row.current_price)?,
            bid_unit: optional(row.bid_unit)?,
            reserve: optional(row.reserve_price)?,
            buy_now: optional(row.buy_now_price)?,
            lead,
            bid_count: row.bid_count,
            status: row.status,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            scheduled_ends_at: row.scheduled_ends_at,
            soft_close: SoftClose {
                window: seconds(row.soft_close_window_seconds),
                extension: seconds(row.soft_close_extension_seconds),
                cap: seconds(row.soft_close_cap_seconds),
            },
            sequence: row.sequence,
        })
    }
}

/// These auctions in the one order of locking, ascending by id.
fn in_order(backend: DbBackend, ids: &[AuctionId]) -> Select<auction::Entity> {
    auction::Entity::find()
        .filter(is_among(backend, auction::Column::Id, ids.iter().map(|id| id.0)))
        .order_by_asc(auction::Column::Id)
}

/// Locks auctions for this transaction, in ascending order of id, and reads them.
///
/// # Errors
/// When the database refuses.
pub async fn lock(db: &impl ConnectionTrait, ids: &[AuctionId]) -> Result<Vec<Auction>, DbErr> {
    let auctions = in_order(db.get_database_backend(), ids).lock_exclusive();
    let rows = auctions.into_partial_model::<Judged>().all(db).await?;
    rows.into_iter().map(Auction::try_from).collect()
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
    skip_locked(db, in_order(db.get_database_backend(), ids)).await
}

/// Locks those of the selected auctions that nobody else holds.
pub(super) async fn skip_locked(
    db: &impl ConnectionTrait,
    auctions: Select<auction::Entity>,
) -> Result<Free, DbErr> {
    let auctions = auctions.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let judged = Judged::select_cols(auctions.select_only());
    let mut found = Free::default();
    for row in db.query_all(&judged.into_query()).await? {
        match Judged::from_query_result(&row, "").and_then(Auction::try_from) {
            Ok(auction) => found.auctions.push(auction),
            Err(error) => {
                found.unreadable.push(Unreadable { id: row.try_get("", "id")?, error });
            }
        }
    }
    found.auctions.sort_unstable_by_key(|auction| auction.id);
    Ok(found)
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
    auction::Entity::find()
        .filter(is_among(db.get_database_backend(), auction::Column::Id, ids.iter().map(|id| id.0)))
        .select_only()
        .column(auction::Column::Id)
        .into_tuple()
        .all(db)
        .await
}

/// Writes back what events change of these locked auctions.
pub fn save<'a>(auctions: impl IntoIterator<Item = &'a Auction>) -> Write {
    let row = |auction: &Auction| auction::ActiveModel {
        id: Unchanged(auction.id),
        current_price: Set(auction.price.minor()),
        bid_count: Set(auction.bid_count),
        leader_id: Set(auction.lead.map(|lead| lead.bidder)),
        leader_maximum: Set(auction.lead.map(|lead| lead.maximum.minor())),
        leader_bid_id: Set(auction.lead.map(|lead| lead.bid)),
        ends_at: Set(auction.ends_at),
        status: Set(auction.status),
        sequence: Set(auction.sequence),
        ..Default::default()
    };
    bulk::update(&auctions.into_iter().map(row).collect::<Vec<_>>())
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

/// How many auctions of a seller have not ended, counted to `most`.
///
/// # Errors
/// When the database refuses.
pub async fn unended_of(
    db: &impl ConnectionTrait,
    seller: UserId,
    most: u32,
) -> Result<u64, DbErr> {
    let ids = auction::Entity::find()
        .filter(auction::Column::SellerId.eq(seller))
        .filter(is_unended())
        .select_only()
        .column(auction::Column::Id)
        .limit(u64::from(most));
    let ids = db.query_all(&ids.into_query()).await?;
    Ok(u64::try_from(ids.len()).unwrap_or(u64::MAX))
}

/// Written out, not as parameters: so that it is seen to be what the index of these auctions says.
fn is_unended() -> SimpleExpr {
    let written_out = |status: AuctionStatus| Expr::Constant(status.as_str().into());
    let unended = [AuctionStatus::Open, AuctionStatus::Scheduled];
    Expr::col((auction::Entity, auction::Column::Status)).is_in(unended.map(written_out))
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
    let auction = Auction::try_from(Judged::from_query_result(row, "")?)?;
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
