//! NeighborBid: an auction house for neighbourhood marketplaces.
//!
//! The crate in reading order.

pub mod app;
pub mod audit;
pub mod config;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod graphql;
pub mod http;
pub mod live;
pub mod store;
pub mod worker;
