//! The rules, pure and synchronous: no IO, no clock; `now` is an argument.

pub mod auction;
pub mod bidding;
pub mod closing;
pub mod event;
pub mod filter;
pub mod increments;
pub mod ledger;
pub mod listing;
pub mod money;
pub mod name;
pub mod order;
pub mod refusal;
pub mod request;
pub mod terms;
pub mod text;
pub mod user;
pub mod words;
