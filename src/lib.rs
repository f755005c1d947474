//! NeighborBid: an auction engine for neighbourhood marketplaces.
//!
//! The crate in reading order; the arrows point upwards only, and a test holds them.
//!
//! - [`domain`]: the rules, pure: judging a bid, an auction's life, money.
//! - [`store`]: the only code that queries, for SQLite and Postgres.
//! - [`live`]: who watches what, and the stream that each watcher gets.
//! - [`engine`]: the use cases: lock, load, judge, save, append events, commit, publish.
//! - [`graphql`]: the API's schema: parses, asks the engine, dresses the answer.
//! - [`http`]: GraphQL over HTTP and WebSocket, GraphiQL, health, metrics.
//! - [`config`]: every setting, with its default.
//! - [`app`]: builds the server from its settings, runs it, shuts it down in order.
//! - [`telemetry`]: logs at a bounded rate.
//! - [`audit`]: asks the database whether every invariant holds.
//! - `demo`: a server with sample data and bots, where the feature of that name is on, as it is
//!   by default.

pub mod app;
pub mod audit;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod domain;
pub mod engine;
pub mod graphql;
pub mod http;
pub mod live;
pub mod store;
pub mod telemetry;
