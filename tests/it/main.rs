//! The one test binary: every rule on SQLite and on Postgres, every path as clients take it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

mod bidding;
mod histories;
mod judging;
mod judging_model;
mod life;
mod own_and_lists;
mod races;
mod schema;
