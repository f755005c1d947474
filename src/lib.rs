//! NeighborBid: an auction house for neighbourhood marketplaces.
//!
//! The crate in reading order.

pub mod domain;
pub mod store;
