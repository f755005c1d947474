//! The only code that queries: functions over `&impl ConnectionTrait`, one file a table or a
//! use. It knows no rules. Rows are locked through SeaORM's entities; what a batch writes is
//! written set-wise by `bulk`. Each statement has one stable shape, so that it stays prepared.

mod among;
pub mod auction_page;
mod auction_search;
pub mod auctions;
pub mod audit;
pub mod bids;
pub mod bulk;
pub mod bus_secret;
pub mod categories;
pub mod commit_marker;
pub mod connection;
pub mod deadlines;
mod distrust;
pub mod events;
pub mod fault;
pub mod files;
pub mod idempotency;
pub mod marketplace;
pub mod notifications;
pub mod orders;
pub mod page;
pub mod probe;
pub mod reader;
pub mod regions;
mod rowset;
pub mod sessions;
pub mod transaction;
pub mod transfers;
pub mod users;
pub mod wallets;

/// Why the database did not answer: what every query here may fail with.
pub use sea_orm::DbErr;

/// A stored value that the domain does not accept: the database was changed behind our back.
fn corrupt(what: &str) -> DbErr {
    DbErr::Custom(format!("the database holds an impossible value: {what}"))
}

/// A stored amount as money.
fn money(minor: i64) -> Result<crate::domain::money::Money, DbErr> {
    crate::domain::money::Money::from_minor(minor).ok_or_else(|| corrupt("a negative amount"))
}

/// Now, cut to the microseconds that both databases keep.
#[must_use]
pub fn truncate(time: entity::Time) -> entity::Time {
    use chrono::SubsecRound;
    time.trunc_subsecs(6)
}
