//! The tables of NeighborBid as SeaORM entities: one file a table, plus the typed ids and enums
//! that the whole workspace shares. It owns names and shapes, never rules or queries.
//!
//! Money columns are whole minor units of the deployment's currency; times are UTC, cut to µs.

pub mod enums;
pub mod ids;

pub mod auction;
pub mod auction_event;
pub mod bid;
pub mod blocked_bidder;
pub mod bus_secret;
pub mod category;
pub mod idempotency_key;
pub mod marketplace;
pub mod notification;
pub mod order;
pub mod region;
pub mod session;
pub mod transfer;
pub mod user;
pub mod wallet;

/// An instant in UTC; every stored one is cut to whole microseconds.
pub type Time = chrono::DateTime<chrono::Utc>;
