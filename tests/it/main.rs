//! The one test binary: every rule on SQLite and on Postgres, every path as clients take it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(
    clippy::float_arithmetic,
    clippy::manual_is_multiple_of,
    clippy::match_overlapping_arm,
    clippy::ptr_arg,
    clippy::type_complexity,
    clippy::unnecessary_unwrap,
    clippy::wrong_self_convention
)]

mod support;

mod accounts;
mod api;
mod batching;
mod bidding;
mod bulk;
mod commands;
mod constraints;
mod crash;
mod disk;
mod doors;
mod doubt;
mod embedding;
mod hanging_up;
mod histories;
mod hostile;
mod isolation;
mod judging;
mod judging_model;
mod life;
mod live;
mod migrations;
mod nodes;
mod outages;
mod own_and_lists;
mod plans;
mod queries;
mod races;
mod schema;
mod search;
mod storm;
mod tidy;
mod unanswered;
