//! Pages of auctions: every filter and order of the list, by cursors that stay right while
//! auctions are added and prices move.

use chrono::Datelike;
use entity::{
    Time, auction,
    enums::{AuctionScope, AuctionStatus},
    ids::AuctionId,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable, Order,
    QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait,
    sea_query::{Asterisk, Expr, ExprTrait, Query, SelectStatement, SimpleExpr, UnionType},
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
    let rows = db.query_all(&question(db.get_database_backend(), filter, sort, page)).await?;
    rows.iter().map(|row| place(row, sort)).collect()
}

fn place(row: &QueryResult, sort: Sort) -> Result<Place, DbErr> {
    let key = match sort {
        Sort::Newest => Key::Id,
        Sort::EndingSoon => Key::Time(row.try_get_by_index(1)?),
        Sort::PriceAsc | Sort::PriceDesc => Key::Number(row.try_get_by_index(1)?),
        Sort::MostBids => Key::Number(row.try_get_by_index::<i32>(1)?.into()),
    };
    Ok(Place { key, id: row.try_get_by_index(0)? })
}

/// What the database is asked for a page. The indexes of the orders, and that of prices, begin with
/// the status: each wanted status is read by itself, in order and no further than a page, and the
/// pages are merged. All by id are read by their key; and a seller's auctions are few and have an
/// index of their own.
fn question(
    backend: DbBackend,
    filter: &Filter,
    sort: Sort,
    page: &Page<Place>,
) -> SelectStatement {
    let order = if sort.ascends() == page.backwards { Order::Desc } else { Order::Asc };
    if filter.seller.is_some() {
        let wanted = filter.status.iter().copied();
        // An expression, so that no index of a whole status tempts.
        let some = (!filter.status.is_empty()).then(|| Expr::cust("status || ''").is_in(wanted));
        return part(condition(backend, filter).add_option(some), sort, page, order);
    }
    let by_price = filter.min_price.is_some() || filter.max_price.is_some();
    if sort == Sort::Newest && filter.status.is_empty() && !by_price {
        return part(condition(backend, filter), sort, page, order);
    }
    let is_wanted = |s: &AuctionStatus| filter.status.is_empty() || filter.status.contains(s);
    let parts: Vec<_> = AuctionStatus::iter()
        .filter(is_wanted)
        .map(|status| condition(backend, filter).add(auction::Column::Status.eq(status)))
        .map(|condition| part(condition, sort, page, order.clone()))
        .collect();
    merged(parts, sort, page, order)
}

fn merged(
    mut parts: Vec<SelectStatement>,
    sort: Sort,
    page: &Page<Place>,
    order: Order,
) -> SelectStatement {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    // SQLite takes a part with an order of its own only as a table.
    let mut tables = parts
        .into_iter()
        .map(|part| Query::select().column(Asterisk).from_subquery(part, "part").to_owned());
    let mut all = tables.next().unwrap_or_default();
    for table in tables {
        all.union(UnionType::All, table);
    }
    if let Some(column) = sort.column() {
        all.order_by(column, order.clone());
    }
    all.order_by(auction::Column::Id, order).limit(u64::from(page.size) + 1).to_owned()
}

/// The page's worth of rows of one index: ids, and what they are sorted by.
fn part(all: Condition, sort: Sort, page: &Page<Place>, order: Order) -> SelectStatement {
    let mut select = auction::Entity::find()
        .select_only()
        .column(auction::Column::Id)
        .filter(all)
        .apply_if(page.after.as_ref(), |q, place| q.filter(beyond(sort, place, true)))
        .apply_if(page.before.as_ref(), |q, place| q.filter(beyond(sort, place, false)))
        .limit(u64::from(page.size) + 1);
    if let Some(column) = sort.column() {
        select = select.column(column).order_by(column, order.clone());
    }
    select.order_by(auction::Column::Id, order).into_query()
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

/// What every auction on the list must be, its status aside.
fn condition(backend: DbBackend, filter: &Filter) -> Condition {
    use auction::Column::{
        CategoryId as Category, CurrentPrice, RegionId as Region, Scope, SellerId,
    };
    let mut all = Condition::all();
    for word in &filter.words {
        all = all.add(says(backend, word));
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
