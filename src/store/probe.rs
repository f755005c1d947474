//! Asking the database how it is, on a connection of its own, so that nobody waits behind it and
//! it waits behind nobody. SeaORM has no words for SQLite's PRAGMA.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sea_query::{Expr, ExprTrait, Func, Query},
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
    let mut is_read_only = Query::select();
    match db.backend() {
        DbBackend::Postgres => {
            let setting = Func::cust("current_setting").arg("transaction_read_only");
            let is_standby = Expr::from(Func::cust("pg_is_in_recovery"));
            is_read_only.expr_as(is_standby.or(Expr::from(setting).cast_as("bool")), "ro")
        }
        _ => is_read_only.expr_as(false, "ro").from("sqlite_schema").limit(1),
    };
    let row = db.monitor.query_one(&is_read_only).await?;
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
    match db.backend() {
        // A transaction with a number is written to the log when it commits.
        DbBackend::Postgres => {
            tx.query_one(Query::select().expr(Func::cust("pg_current_xact_id"))).await?;
        }
        // Nobody uses it, and it is always written.
        _ => {
            tx.execute_unprepared("PRAGMA user_version = 0").await?;
        }
    }
    tx.commit().await
}
