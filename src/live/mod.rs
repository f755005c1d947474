//! Live updates: who watches what on this node, and the stream that each watcher gets.

pub mod bus;
pub mod feed;
pub mod hub;
pub mod lists;
pub mod nats;
pub mod people;
pub mod presence;
pub mod rooms;
pub mod sweep;
mod topic;
pub mod update;
