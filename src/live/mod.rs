//! Live updates: who watches what on this node, and the stream that each watcher gets.

pub mod bus;
pub mod feed;
pub mod hub;
mod index;
mod known;
mod list;
pub mod lists;
mod matcher;
mod memory;
pub mod nats;
mod pace;
pub mod people;
pub mod presence;
mod replays;
pub mod rooms;
pub mod settings;
pub mod sweep;
#[cfg(test)]
mod tests;
mod topic;
mod turns;
pub mod update;
pub mod watcher;
