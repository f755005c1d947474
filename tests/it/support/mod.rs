//! What tests share: databases of their own, houses on them, people in them.

pub mod api;
pub mod attack;
pub mod bidder;
pub mod binary;
pub mod books;
pub mod bus_proxy;
pub mod client;
pub mod database;
pub mod dice;
pub mod events;
pub mod house;
pub mod nats;
pub mod nats_keys;
pub mod postgres;
pub mod proxy;
pub mod records;
pub mod requests;
pub mod rough;
pub mod served;
pub mod watcher;

pub use database::TestDatabase;
pub use house::TestHouse;

/// Defines each test twice, on SQLite and on Postgres, each on a database of its own; when it
/// ends, the audit must hold on that database.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: &TestDatabase) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use crate::support::database::{self, TestDatabase};

            async fn body($db: &TestDatabase) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let database = database::sqlite().await;
                body(&database).await;
                database.finish().await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let database = database::postgres().await;
                body(&database).await;
                database.finish().await;
            }
        }
    )+};
}
pub(crate) use on_both;
