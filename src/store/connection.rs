//! Opening the database: a pool that writes and a pool that reads.
//!
//! SQLite has one writer connection (it allows one writer at a time, and waiting in our queue is
//! fairer than in its own) in WAL mode with `synchronous=FULL`: a commit that returned is on disk.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    sqlx::{
        self,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

/// How many connections to hold, and how long to wait for one.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections that write; SQLite always has one.
    pub write_connections: u32,
    /// Connections that only read.
    pub read_connections: u32,
    /// How long to wait for a free connection, and on SQLite for another process's lock.
    pub acquire_timeout: Duration,
    /// Postgres: how long one statement may run; zero is for ever.
    pub statement_timeout: Duration,
}

/// How Postgres plans what writes: once a statement and connection, for any values, and by the
/// keys that every such statement has. Planned anew for each batch's values, a bid in a large house
/// spent a third of its time on plans; and a plan made while a table was small must not read it
/// whole when it has grown. What reads a table whole nonetheless, as a migration may, must not be
/// compiled for it: a scan that is avoided counts as very dear.
const WRITE_PLANS: [(&str, &str); 3] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")];

/// The two pools of one database.
#[derive(Debug, Clone)]
pub struct Db {
    /// For transactions that write.
    pub write: DatabaseConnection,
    /// For everything else.
    pub read: DatabaseConnection,
}

impl Db {
    /// Opens both pools.
    ///
    /// # Errors
    /// When the URL is of no known kind or the database cannot be reached.
    pub async fn open(url: &str, settings: &PoolSettings) -> Result<Self, DbErr> {
        if url.starts_with("sqlite:") {
            if url.contains(":memory:") || url.contains("mode=memory") {
                let message = "an in-memory SQLite database cannot be shared by two pools";
                return Err(unusable(message));
            }
            let timeout = settings.acquire_timeout;
            let mut write = options(url, 1, settings);
            write.map_sqlx_sqlite_opts(move |o| durable(o, timeout));
            let write = connect(write).await?;
            let mut read = options(url, settings.read_connections, settings);
            read.map_sqlx_sqlite_opts(move |o| durable(o, timeout).pragma("query_only", "ON"));
            Ok(Self { write, read: connect(read).await? })
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let mut write = options(url, settings.write_connections, settings);
            write.map_sqlx_postgres_opts(|o| o.options(WRITE_PLANS));
            let read = options(url, settings.read_connections, settings);
            Ok(Self { write: connect(write).await?, read: connect(read).await? })
        } else {
            let message = "the database URL must begin with sqlite: or postgres:";
            Err(unusable(message))
        }
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// How many transactions may write at once.
    #[must_use]
    pub fn writers(&self, settings: &PoolSettings) -> usize {
        match self.backend() {
            DbBackend::Postgres => usize::try_from(settings.write_connections).unwrap_or(1),
            _ => 1,
        }
    }

    /// Closes both pools; what is under way ends first.
    pub async fn close(self) {
        for pool in [self.write, self.read] {
            if let Err(error) = pool.close().await {
                tracing::warn!(%error, "closing a database pool");
            }
        }
    }
}

fn unusable(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let malformed = || unusable("the database URL is malformed");
    Database::connect(options).await.map_err(|error| match &error {
        // These quote the URL, or a part of it, and a password may stand there.
        DbErr::Conn(RuntimeErr::Internal(_)) => malformed(),
        DbErr::Conn(RuntimeErr::SqlxError(cause)) => match cause.as_ref() {
            sqlx::Error::Configuration(_) => malformed(),
            sqlx::Error::PoolTimedOut => unusable("the database does not answer"),
            _ => error,
        },
        _ => error,
    })
}

fn options(url: &str, connections: u32, settings: &PoolSettings) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(settings.acquire_timeout)
        .connect_timeout(settings.acquire_timeout)
        .test_before_acquire_if_idle_for(Duration::from_secs(5))
        .statement_timeout(settings.statement_timeout)
        .set_application_name("neighborbid")
        .sqlx_logging(false);
    options
}

fn durable(options: SqliteConnectOptions, timeout: Duration) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(timeout)
        .foreign_keys(true)
}
