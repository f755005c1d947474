//! Asking the database how it is, on a connection of its own, so that nobody waits behind it and
//! it waits behind nobody.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};

use super::connection::Db;

/// Whether the database answers, and would take a write as far as it can be seen without one.
///
/// # Errors
/// When it does not answer, is a standby or read-only, or its file is not where it was.
pub async fn read(db: &Db) -> Result<(), DbErr> {
    if let Some(files) = &db.files {
        files.check()?;
    }
    let text = match db.backend() {
        DbBackend::Postgres => {
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS ro"
        }
        _ => "SELECT FALSE AS ro FROM sqlite_schema LIMIT 1",
    };
    let row = db.monitor.query_one_raw(Statement::from_string(db.backend(), text)).await?;
    match row.map(|row| row.try_get("", "ro")).transpose()? {
        Some(true) => Err(DbErr::Custom(READ_ONLY.to_owned())),
        _ => Ok(()),
    }
}

/// The error of a database that only reads.
pub(super) const READ_ONLY: &str = "it is read-only, or a standby";

/// Writes something that changes nothing, and commits it.
///
/// # Errors
/// When the database takes no write.
pub async fn write(db: &Db) -> Result<(), DbErr> {
    let tx = db
        .monitor
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        })
        .await?;
    let text = match db.backend() {
        // A transaction with a number is written to the log when it commits.
        DbBackend::Postgres => "SELECT pg_current_xact_id()",
        // Nobody uses it, and it is always written.
        _ => "PRAGMA user_version = 0",
    };
    tx.execute_unprepared(text).await?;
    tx.commit().await
}
