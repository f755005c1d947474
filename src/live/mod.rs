//! Live updates: who watches what on this node, and the stream that each watcher gets.

pub mod bus;
pub mod feed;
pub mod hub;
mod known;
mod list;
pub mod lists;
mod matcher;
pub mod nats;
pub mod people;
pub mod presence;
pub mod rooms;
pub mod sweep;
mod topic;
mod turns;
pub mod update;
