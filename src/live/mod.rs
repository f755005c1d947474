//! Live updates: who watches what on this node, and the stream that each watcher gets.

pub mod bus;
pub mod feed;
pub mod hub;
pub mod lists;
pub mod people;
mod topic;
pub mod update;
