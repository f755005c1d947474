//! Pages of auctions: every filter and order of the list, by cursors that stay right while
//! auctions are added and prices move.

use chrono::Datelike;
use entity::{Time, auction, enums::AuctionScope, ids::AuctionId};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, Order, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use serde::{Deserialize, Serialize};

use super::page::Page;
use crate::domain::filter::Filter;

/// The order of a list. Ties are parted by id, so that it is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The newest first.
    Newest,
    /// The next to end first.
    EndingSoon,
    /// The cheapest first.
    PriceAsc,
    /// The dearest first.
    PriceDesc,
    /// The most bid on first.
    MostBids,
}

/// Where a row stands in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What it is sorted by.
    pub key: Key,
    /// What parts ties.
    pub id: AuctionId,
}

/// What a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    /// By id alone.
    Id,
    /// By a time.
    Time(Time),
    /// By an amount or a count.
    Number(i64),
}

impl Key {
    /// Whether a list in this order is sorted by such a key.
    #[must_use]
    pub fn fits(&self, sort: Sort) -> bool {
        match self {
            Self::Id => sort.column().is_none(),
            // A made-up year that a database cannot hold is no place.
            Self::Time(at) => sort == Sort::EndingSoon && (0..=9_999).contains(&at.year()),
            Self::Number(_) => sort.column().is_some() && sort != Sort::EndingSoon,
        }
    }
}

impl Sort {
    fn column(self) -> Option<auction::Column> {
        match self {
            Self::Newest => None,
            Self::EndingSoon => Some(auction::Column::EndsAt),
            Self::PriceAsc | Self::PriceDesc => Some(auction::Column::CurrentPrice),
            Self::MostBids => Some(auction::Column::BidCount),
        }
    }

    fn ascends(self) -> bool {
        matches!(self, Self::EndingSoon | Self::PriceAsc)
    }
}

/// The places of one page's auctions; with `page.backwards` in reverse.
///
/// # Errors
/// When the database refuses.
pub async fn places(
    db: &impl ConnectionTrait,
    filter: &Filter,
    sort: Sort,
    page: &Page<Place>,
) -> Result<Vec<Place>, DbErr> {
    let forwards = !page.backwards;
    let order = if sort.ascends() == forwards { Order::Asc } else { Order::Desc };
    let mut select = auction::Entity::find()
        .select_only()
        .column(auction::Column::Id)
        .filter(condition(db.get_database_backend(), filter))
        .apply_if(page.after.as_ref(), |q, place| q.filter(beyond(sort, place, true)))
        .apply_if(page.before.as_ref(), |q, place| q.filter(beyond(sort, place, false)))
        .limit(u64::from(page.size) + 1);
    if let Some(column) = sort.column() {
        select = select.column(column).order_by(column, order.clone());
    }
    let select = select.order_by(auction::Column::Id, order);
    Ok(match sort.column() {
        None => {
            let rows: Vec<AuctionId> = select.into_tuple().all(db).await?;
            rows.into_iter().map(|id| Place { key: Key::Id, id }).collect()
        }
        Some(auction::Column::EndsAt) => {
            let rows: Vec<(AuctionId, Time)> = select.into_tuple().all(db).await?;
            rows.into_iter().map(|(id, at)| Place { key: Key::Time(at), id }).collect()
        }
        Some(auction::Column::BidCount) => {
            let rows: Vec<(AuctionId, i32)> = select.into_tuple().all(db).await?;
            rows.into_iter().map(|(id, n)| Place { key: Key::Number(n.into()), id }).collect()
        }
        Some(_) => {
            let rows: Vec<(AuctionId, i64)> = select.into_tuple().all(db).await?;
            rows.into_iter().map(|(id, n)| Place { key: Key::Number(n), id }).collect()
        }
    })
}

/// The rows that follow `place` in the list, or those that precede it.
fn beyond(sort: Sort, place: &Place, follow: bool) -> SimpleExpr {
    let mut row = Vec::new();
    let mut bound: Vec<SimpleExpr> = Vec::new();
    if let Some(column) = sort.column() {
        row.push(Expr::col(column));
        bound.push(match place.key {
            Key::Time(at) => Expr::val(at),
            Key::Number(number) => Expr::val(number),
            Key::Id => Expr::val(0),
        });
    }
    row.push(Expr::col(auction::Column::Id));
    bound.push(Expr::val(place.id));
    let (row, bound) = (Expr::tuple(row), Expr::tuple(bound));
    if sort.ascends() == follow { row.gt(bound) } else { row.lt(bound) }
}

fn condition(backend: DbBackend, filter: &Filter) -> Condition {
    use auction::Column::{
        CategoryId as Category, CurrentPrice, RegionId as Region, Scope, SellerId, Status,
    };
    let mut all = Condition::all();
    for word in &filter.words {
        all = all.add(says(backend, word));
    }
    if !filter.status.is_empty() {
        all = all.add(Status.is_in(filter.status.iter().copied()));
    }
    if let Some(region) = &filter.region {
        all = all.add(
            Condition::any()
                .add(Scope.eq(AuctionScope::National))
                .add(Region.starts_with(&region.0)),
        );
    }
    if !filter.categories.is_empty() {
        all = all.add(Category.is_in(filter.categories.iter().cloned()));
    }
    all.add_option(filter.scope.map(|scope| Scope.eq(scope)))
        .add_option(filter.min_price.map(|minor| CurrentPrice.gte(minor)))
        .add_option(filter.max_price.map(|minor| CurrentPrice.lte(minor)))
        .add_option(filter.seller.map(|seller| SellerId.eq(seller)))
}

/// Whether an auction says a lower-case word, every character of which counts as itself.
fn says(backend: DbBackend, word: &str) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust_with_values("strpos(search_text, $1) > 0", [word]),
        _ => Expr::cust_with_values("instr(search_text, ?) > 0", [word]),
    }
}
