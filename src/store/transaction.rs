//! Transactions that write: how one begins and ends, so that what was answered is kept.
//!
//! A connection on which beginning, committing or rolling back failed is never used again (see
//! [`super::connection`]); a transaction in which any statement failed never commits, whatever
//! was made of the failure; and whether a COMMIT without an answer happened is not guessed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use entity::Time;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sea_query::{Func, Query},
};

use super::{connection::Db, distrust::Distrust, fault::Fault, files::Files};

/// How long a COMMIT's answer is waited for, before it counts as lost.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A transaction that writes.
#[derive(Debug)]
pub struct Transaction {
    inner: DatabaseTransaction,
    files: Option<Arc<Files>>,
    distrust: Distrust,
    /// A statement failed: a COMMIT would keep half of it (SQLite rolls back by itself on some
    /// failures), or nothing while saying that it went well (Postgres).
    has_failed: AtomicBool,
}

/// Why a COMMIT did not go well.
#[derive(Debug)]
pub enum CommitError {
    /// Nothing is committed, or nothing that will be found again.
    Failed(DbErr),
    /// Nobody knows: there was no answer.
    Unanswered(DbErr),
}

impl From<CommitError> for DbErr {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Failed(error) | CommitError::Unanswered(error) => error,
        }
    }
}

/// Begins a transaction that will write. On SQLite it takes the write lock at once: a deferred
/// one that reads first could not upgrade. Only a task that nobody cancels may ask: one that went
/// away between BEGIN and its answer would leave a connection in a transaction that nobody knows
/// of.
///
/// # Errors
/// When no connection is free in time or the database refuses.
pub async fn begin(db: &Db) -> Result<Transaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let (inner, files) = (db.write.begin_with_options(options).await?, db.files.clone());
    let (distrust, has_failed) = (db.distrust.clone(), AtomicBool::new(false));
    Ok(Transaction { inner, files, distrust, has_failed })
}

impl Transaction {
    /// Commits. Returns when the database says that it is done.
    ///
    /// # Errors
    /// Says whether nothing was committed, or nobody knows.
    pub async fn commit(self) -> Result<(), CommitError> {
        let Self { inner, files, distrust, has_failed } = self;
        if has_failed.load(Ordering::Relaxed) {
            let _ = inner.rollback().await;
            let why = "a transaction with a failed statement was asked to commit";
            return Err(CommitError::Failed(DbErr::Custom(why.to_owned())));
        }
        if let Err(moved) = files.as_ref().map_or(Ok(()), |files| files.check()) {
            let _ = inner.rollback().await;
            return Err(CommitError::Failed(moved));
        }
        let backend = inner.get_database_backend();
        match tokio::time::timeout(COMMIT_TIMEOUT, inner.commit()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if is_certain(backend, &error) => {
                return Err(CommitError::Failed(error));
            }
            Ok(Err(error)) => return Err(CommitError::Unanswered(error)),
            Err(_) => return Err(CommitError::Unanswered(distrust.silence())),
        }
        // What went into a file that is nowhere any more is not kept.
        files.map_or(Ok(()), |files| files.check()).map_err(CommitError::Failed)
    }

    /// Rolls back. Returns when the database says that it is done.
    ///
    /// # Errors
    /// When the database does not say so: its connection is then closed, which does the same.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.distrust.within(COMMIT_TIMEOUT, self.inner.rollback()).await
    }

    fn note<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if result.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Whether a COMMIT that failed so is surely not committed.
fn is_certain(backend: DbBackend, error: &DbErr) -> bool {
    match (backend, Fault::of(error)) {
        (_, Fault::Connection) => false,
        // The server answered.
        (DbBackend::Postgres, _) => true,
        (_, Fault::Contention) => true,
        // A failed write or fsync: what is in the log file is known when it is read again.
        _ => false,
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, ask: Statement) -> Result<ExecResult, DbErr> {
        self.note(self.inner.execute_raw(ask).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.note(self.inner.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, ask: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.note(self.inner.query_one_raw(ask).await)
    }

    async fn query_all_raw(&self, ask: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.note(self.inner.query_all_raw(ask).await)
    }
}

/// Now by the database's clock, where it has one of its own: nodes on Postgres share it.
///
/// # Errors
/// When the database refuses.
pub async fn now(db: &impl ConnectionTrait) -> Result<Option<Time>, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let now = Query::select().expr_as(Func::cust("clock_timestamp"), "now").take();
    db.query_one(&now).await?.map(|row| row.try_get("", "now")).transpose()
}
