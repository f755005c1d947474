//! NeighborBid: an auction house for neighbourhood marketplaces.
//!
//! The crate in reading order.

pub mod domain;
pub mod engine;
pub mod live;
pub mod store;
pub mod worker;
