//! Transactions: how one begins, and the one place that decides whether to try again.

use std::time::Duration;

use entity::Time;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, sqlx,
};

/// Begins a transaction that will write. On SQLite it takes the write lock at once: a deferred
/// one that reads first could not upgrade.
///
/// # Errors
/// When no connection is free in time or the database refuses.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    })
    .await
}

/// Now by the database's clock, where it has one of its own: nodes on Postgres share it.
///
/// # Errors
/// When the database refuses.
pub async fn now(db: &impl ConnectionTrait) -> Result<Option<Time>, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let ask = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS now");
    db.query_one_raw(ask).await?.map(|row| row.try_get("", "now")).transpose()
}

/// Decides whether a failed transaction is worth another try, and waits before it: a bounded
/// number of times, longer each time, with jitter so that rivals part.
#[derive(Debug, Default)]
pub struct Retry {
    tries: u32,
}

/// After that many failures in a row the caller hears of it.
const MAX_TRIES: u32 = 8;

impl Retry {
    /// Waits and says `true` when `error` may pass by itself and tries are left.
    pub async fn again(&mut self, error: &DbErr) -> bool {
        self.tries += 1;
        let fault = Fault::of(error);
        if self.tries >= MAX_TRIES || fault == Fault::Lasting {
            return false;
        }
        let most = 5u64 << self.tries;
        let random = getrandom::u32().unwrap_or_default();
        let wait = Duration::from_millis(most / 2 + u64::from(random) % (most / 2));
        tracing::debug!(%error, ?fault, tries = self.tries, ?wait, "transaction tried again");
        tokio::time::sleep(wait).await;
        true
    }
}

/// What a failure means for a transaction that had not been asked to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It lost against a rival: a deadlock, a serialization failure, a lock's time-out.
    Contention,
    /// The connection broke.
    Connection,
    /// It will fail again.
    Lasting,
}

impl Fault {
    /// Reads it from the driver's error.
    #[must_use]
    pub fn of(error: &DbErr) -> Self {
        let cause = match error {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause.as_ref(),
            _ => return Self::Lasting,
        };
        match cause {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                Self::Connection
            }
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("40001" | "40P01" | "55P03" | "5" | "517") => Self::Contention,
                // The server shuts down, restarts, or closed the connection.
                Some("57P01" | "57P02" | "57P03" | "08000" | "08003" | "08006") => Self::Connection,
                _ => Self::Lasting,
            },
            _ => Self::Lasting,
        }
    }
}
