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
    QueryFilter, QueryResult, QuerySelect, QueryTrait,
    sea_query::{Asterisk, Expr, ExprTrait, Query, SelectStatement, SimpleExpr, UnionType},
};
use serde::{Deserialize, Serialize};

use super::{auction_search, page::Page};
use crate::domain::filter::Filter;

/// The order of a list. Ties are parted by id, so that it is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// What it is sorted by.
    pub key: Key,
    /// What parts ties.
    pub id: AuctionId,
}

/// What a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    let list = List { backend: db.get_database_backend(), filter, sort, page };
    // A seller's auctions are few enough to be looked through.
    if filter.words.is_empty() || filter.seller.is_some() {
        return ask(db, &list.question(), sort).await;
    }
    let near = ask(db, &list.of_near(), sort).await?;
    match u64::try_from(near.len()) {
        Ok(many) if many > u64::from(page.size) => Ok(near),
        _ => ask(db, &list.of_found(), sort).await,
    }
}

async fn ask(
    db: &impl ConnectionTrait,
    question: &SelectStatement,
    sort: Sort,
) -> Result<Vec<Place>, DbErr> {
    db.query_all(question).await?.iter().map(|row| place(row, sort)).collect()
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

/// A page of a list, as the database is asked for it.
struct List<'a> {
    backend: DbBackend,
    filter: &'a Filter,
    sort: Sort,
    page: &'a Page<Place>,
}

impl List<'_> {
    /// The indexes of the orders, and that of prices, begin with the status: each wanted status is
    /// read by itself, in order and no further than a page, and the pages are merged. All by id are
    /// read by their key; and a seller's auctions are few and have an index of their own.
    fn question(&self) -> SelectStatement {
        let filter = self.filter;
        if filter.seller.is_some() {
            let wanted = filter.status.iter().copied();
            // An expression, so that no index of a whole status tempts.
            let some =
                (!filter.status.is_empty()).then(|| Expr::cust("status || ''").is_in(wanted));
            return self.part(self.condition().add_option(some));
        }
        let by_price = filter.min_price.is_some() || filter.max_price.is_some();
        if self.sort == Sort::Newest && filter.status.is_empty() && !by_price {
            return self.part(self.condition());
        }
        let of = |status| self.part(self.condition().add(auction::Column::Status.eq(status)));
        self.merged(self.statuses().map(of).collect(), self.limit())
    }

    /// Those on the list among the first of its order. What is looked through ends at one place for
    /// every status: an auction beyond it may come before another status's, and is not left out.
    fn of_near(&self) -> SelectStatement {
        if self.sort == Sort::Newest && self.filter.status.is_empty() {
            return self.among(self.first(None));
        }
        let of = |status| self.first(Some(status));
        self.among(self.merged(self.statuses().map(of).collect(), auction_search::NEAR))
    }

    /// Those on the list that the index of words finds.
    fn of_found(&self) -> SelectStatement {
        let mut question = self.among(auction_search::found(self.backend, &self.filter.words));
        if !self.filter.status.is_empty() {
            let wanted = self.filter.status.iter().copied();
            question.and_where(auction::Column::Status.is_in(wanted));
        }
        for expression in self.bounds() {
            question.and_where(expression);
        }
        question
    }

    fn statuses(&self) -> impl Iterator<Item = AuctionStatus> {
        let wanted = &self.filter.status;
        AuctionStatus::iter().filter(|s| wanted.is_empty() || wanted.contains(s))
    }

    /// The first of the order behind the cursor, whatever else they are.
    fn first(&self, status: Option<AuctionStatus>) -> SelectStatement {
        let mut first = auction_search::read().into_query();
        let is = status.map(|status| auction::Column::Status.eq(status));
        for expression in self.bounds().into_iter().chain(is) {
            first.and_where(expression);
        }
        self.sorted(&mut first);
        first.limit(auction_search::NEAR).to_owned()
    }

    /// Those on the list among some auctions: a page of them.
    fn among(&self, auctions: SelectStatement) -> SelectStatement {
        let mut question = auction_search::only(auctions);
        self.select(&mut question);
        question.cond_where(self.condition());
        self.sorted(&mut question);
        question.limit(self.limit()).to_owned()
    }

    /// The first rows of all parts, each of which is sorted and has as many of its own.
    fn merged(&self, mut parts: Vec<SelectStatement>, limit: u64) -> SelectStatement {
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
        self.sorted(&mut all);
        all.limit(limit).to_owned()
    }

    /// The page's worth of rows of one index: ids, and what they are sorted by.
    fn part(&self, all: Condition) -> SelectStatement {
        let mut part = auction::Entity::find().select_only().filter(all).into_query();
        self.select(&mut part);
        for expression in self.bounds() {
            part.and_where(expression);
        }
        self.sorted(&mut part);
        part.limit(self.limit()).to_owned()
    }

    fn select(&self, question: &mut SelectStatement) {
        question.column(auction::Column::Id);
        if let Some(column) = self.sort.column() {
            question.column(column);
        }
    }

    fn sorted(&self, question: &mut SelectStatement) {
        let descends = self.sort.ascends() == self.page.backwards;
        let order = if descends { Order::Desc } else { Order::Asc };
        if let Some(column) = self.sort.column() {
            question.order_by(column, order.clone());
        }
        question.order_by(auction::Column::Id, order);
    }

    fn limit(&self) -> u64 {
        u64::from(self.page.size) + 1
    }

    /// Behind the one cursor, and before the other.
    fn bounds(&self) -> Vec<SimpleExpr> {
        let after = self.page.after.iter().map(|place| beyond(self.sort, place, true));
        after.chain(self.page.before.iter().map(|place| beyond(self.sort, place, false))).collect()
    }

    /// What every auction on the list must be, its status aside.
    fn condition(&self) -> Condition {
        use auction::Column::{
            CategoryId as Category, CurrentPrice, RegionId as Region, Scope, SellerId,
        };
        let filter = self.filter;
        let mut all = Condition::all();
        for word in &filter.words {
            all = all.add(auction_search::says(self.backend, word));
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
