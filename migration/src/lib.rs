//! The schema of NeighborBid's database: one file a change, each in both directions, the same
//! for SQLite and Postgres. [`up`] and [`down`] run inside one transaction and under one lock,
//! so several processes may start at once and a failed change leaves nothing behind.
//!
//! The statements are written out as SQL, because the CHECKs are the point; `sql` puts in the
//! few words in which the two databases differ.

// `MigrationTrait` itself leaves the lifetime of `SchemaManager` out.
#![allow(elided_lifetimes_in_paths)]

use sea_orm_migration::{
    MigrationStatus,
    prelude::*,
    sea_orm::{
        DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode,
        TransactionOptions, TransactionTrait,
    },
};

mod m0001_regions;
mod m0002_categories;
mod m0003_users;
mod m0004_auctions;
mod m0005_money;
mod m0006_idempotency_keys;
mod m0007_buy_now;
mod m0008_orders;
mod m0009_notifications;
mod m0010_search_text;
mod m0011_event_time;
mod m0012_list_orders;
mod m0013_transfers_of_bids;
mod m0014_bus_secret;
mod m0015_auction_search;
mod m0016_marketplace;
mod m0017_names_holds_decisions;
mod sql;

/// All changes, in order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_regions::Migration),
            Box::new(m0002_categories::Migration),
            Box::new(m0003_users::Migration),
            Box::new(m0004_auctions::Migration),
            Box::new(m0005_money::Migration),
            Box::new(m0006_idempotency_keys::Migration),
            Box::new(m0007_buy_now::Migration),
            Box::new(m0008_orders::Migration),
            Box::new(m0009_notifications::Migration),
            Box::new(m0010_search_text::Migration),
            Box::new(m0011_event_time::Migration),
            Box::new(m0012_list_orders::Migration),
            Box::new(m0013_transfers_of_bids::Migration),
            Box::new(m0014_bus_secret::Migration),
            Box::new(m0015_auction_search::Migration),
            Box::new(m0016_marketplace::Migration),
            Box::new(m0017_names_holds_decisions::Migration),
        ]
    }
}

/// "NBID" in ASCII: the key of the advisory lock that migrating processes take turns with.
const LOCK_KEY: i64 = 0x4e42_4944;

/// Applies what is missing.
///
/// # Errors
/// When the database refuses; nothing is changed then.
pub async fn up(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = begin_locked(db).await?;
    Migrator::up(&tx, None).await?;
    tx.commit().await
}

/// Takes back the newest `steps` changes, or all of them.
///
/// # Errors
/// When the database refuses; nothing is changed then.
pub async fn down(db: &DatabaseConnection, steps: Option<u32>) -> Result<(), DbErr> {
    let tx = begin_locked(db).await?;
    Migrator::down(&tx, steps).await?;
    tx.commit().await
}

/// Every change by name, with whether it is applied. Writes nothing.
///
/// # Errors
/// When the database cannot be read, or holds changes that this build does not know.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<(String, bool)>, DbErr> {
    let migrations = Migrator::get_migration_with_status_read_only(db).await?;
    Ok(migrations
        .iter()
        .map(|m| (m.name().to_owned(), m.status() == MigrationStatus::Applied))
        .collect())
}

async fn begin_locked(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let tx = db
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        })
        .await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK_KEY})")).await?;
    }
    Ok(tx)
}
