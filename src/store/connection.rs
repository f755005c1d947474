//! Opening the database: a pool that writes, one that reads, and a connection that watches.
//!
//! SQLite has one writer connection (it allows one writer at a time, and waiting in our queue is
//! fairer than in its own) in WAL mode with `synchronous=FULL`: a commit that returned is on disk.

use std::{str::FromStr, sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    sea_query::{Expr, Query},
    sqlx::{
        self, Connection,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::{
    distrust::Distrust,
    files::{self, Files},
    reader::Reader,
};

/// How many connections to hold, and how long to wait for one, and for what it asks.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections that write; SQLite always has one.
    pub write_connections: u32,
    /// Connections that only read, for clients.
    pub read_connections: u32,
    /// Connections that only read, for what others wait for: tokens, bids, deadlines and
    /// what watchers are told.
    pub reserved_connections: u32,
    /// Reads at once that search or are large: less than the connections that read.
    pub heavy_reads: u32,
    /// How long to wait for a free connection.
    pub acquire_timeout: Duration,
    /// How long a client's read waits for a connection, a new one too, or for its turn among the
    /// heavy ones.
    pub read_wait: Duration,
    /// Postgres: how long one statement may run; zero is for ever.
    pub statement_timeout: Duration,
    /// How long a transaction waits for a row that another one holds; on SQLite, for the write
    /// lock of another process. Zero is for ever, and on SQLite not at all.
    pub lock_timeout: Duration,
    /// Postgres: how long a transaction that writes may be silent before the server ends it, and
    /// gives its rows back: a node may be stopped in the middle of one. Zero is for ever.
    pub idle_in_transaction_timeout: Duration,
    /// How long a COMMIT that was not answered is looked up: longer than the database takes to
    /// start again.
    pub lookup_timeout: Duration,
}

/// How much longer than a statement may run a connection may be silent.
const MARGIN: Duration = Duration::from_secs(5);

impl PoolSettings {
    /// How long a connection may be silent.
    pub(super) fn patience(&self) -> Duration {
        match self.statement_timeout {
            Duration::ZERO => Duration::MAX,
            timeout => timeout + MARGIN,
        }
    }

    /// For what takes as long as it takes: migrations, which wait for each other, and audits.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self {
            statement_timeout: Duration::ZERO,
            lock_timeout: Duration::from_secs(600),
            read_wait: self.acquire_timeout,
            idle_in_transaction_timeout: Duration::ZERO,
            ..self.clone()
        }
    }
}

/// How Postgres plans what writes: once a statement and connection, for any values, and by the keys
/// that every such statement has. Planned anew for each batch's values, a bid in a large
/// marketplace spent a third of its time on plans; and a plan made while a table was small must not
/// read it whole when it has grown. What reads a table whole nonetheless, as a migration may, must
/// not be compiled for it: a scan that is avoided counts as very dear.
const WRITE_PLANS: [(&str, &str); 3] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")];

/// Hands out only connections that are in no transaction: one on which beginning, committing or
/// rolling back failed is closed instead. (SQLite rolls back by itself on some failures; the driver
/// does not see it, and would open savepoints instead of transactions from then on.)
macro_rules! clean {
    ($pool:expr, $distrust:expr) => {{
        let distrust = $distrust.clone();
        $pool.after_release(move |connection, _| {
            let is_distrusted = distrust.takes();
            Box::pin(async move {
                if is_distrusted {
                    return Err(sqlx::Error::PoolClosed);
                }
                if connection.is_in_transaction() {
                    // A rollback that was only begun is over after this.
                    connection.ping().await?;
                }
                Ok(!connection.is_in_transaction())
            })
        })
    }};
}

/// The pools of one database.
#[derive(Debug, Clone)]
pub struct Db {
    /// For transactions that write.
    pub write: DatabaseConnection,
    /// For what clients read.
    pub read: Reader,
    /// For what others wait for, and no client's list may hold up: whose token it is, what becomes
    /// of a bid, which deadline is due, what watchers are told.
    pub reserved: Reader,
    /// One connection, to ask how the database is without waiting behind anybody.
    pub monitor: DatabaseConnection,
    /// SQLite's files.
    pub(super) files: Option<Arc<Files>>,
    /// How long a COMMIT that was not answered is looked up.
    pub lookup_timeout: Duration,
    /// How long a transaction may take: longer than the database itself lets a statement run.
    pub patience: Duration,
    writers: u32,
    pub(super) distrust: Distrust,
}

impl Db {
    /// Opens the pools.
    ///
    /// # Errors
    /// When the URL is of no known kind or the database cannot be reached.
    pub async fn open(url: &str, settings: &PoolSettings) -> Result<Self, DbErr> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url, settings).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::open_postgres(url, settings).await
        } else {
            let message = "the database URL must begin with sqlite: or postgres:";
            Err(unusable(message))
        }
    }

    async fn open_sqlite(url: &str, settings: &PoolSettings) -> Result<Self, DbErr> {
        if url.contains(":memory:") || url.contains("mode=memory") {
            let message = "an in-memory SQLite database cannot be shared by two pools";
            return Err(unusable(message));
        }
        files::make_private(url);
        let distrust = Distrust::default();
        let timeout = settings.lock_timeout;
        let mut write = options(url, 1, settings);
        write.map_sqlx_sqlite_opts(move |o| durable(o, timeout));
        let of_writer = distrust.clone();
        write.map_sqlx_sqlite_pool_opts(move |pool| clean!(pool, of_writer));
        let write = connect(write).await?;
        let timeout = settings.acquire_timeout;
        let reader = async |name, mut options: ConnectOptions| {
            options.map_sqlx_sqlite_opts(move |o| durable(o, timeout).pragma("query_only", "ON"));
            connect(options).await.map(|pool| Reader::new(name, pool, settings, &distrust))
        };
        let read = reader("read", for_clients(url, settings)).await?;
        let reserved =
            reader("reserved", options(url, settings.reserved_connections, settings)).await?;
        // It is kept open all the time: SQLite removes the -wal with the last connection.
        let mut monitor = options(url, 1, settings);
        monitor.map_sqlx_sqlite_opts(|o| durable(o, Duration::from_millis(100)));
        monitor.map_sqlx_sqlite_pool_opts(|pool| {
            clean!(pool.max_lifetime(None).idle_timeout(None), Distrust::default())
        });
        let monitor = connect(monitor).await?;
        monitor
            .query_one(Query::select().expr(Expr::val(1)).from("sqlite_schema").limit(1))
            .await?;
        let file = SqliteConnectOptions::from_str(url).map_err(|_| malformed())?;
        let files = Files::of(file.get_filename())
            .map_err(|error| unusable(&format!("the database's files: {error}")))?;
        Ok(Self::new([write, monitor], [read, reserved], Some(files), settings, distrust))
    }

    async fn open_postgres(url: &str, settings: &PoolSettings) -> Result<Self, DbErr> {
        let distrust = Distrust::default();
        let millis = |time: Duration| time.as_millis().to_string();
        let (lock, idle) = (settings.lock_timeout, settings.idle_in_transaction_timeout);
        let timeouts =
            [("lock_timeout", millis(lock)), ("idle_in_transaction_session_timeout", millis(idle))];
        let mut write = options(url, settings.write_connections, settings);
        let of_writes = timeouts.clone();
        write.map_sqlx_postgres_opts(move |o| o.options(WRITE_PLANS).options(of_writes.clone()));
        let of_writers = distrust.clone();
        write.map_sqlx_postgres_pool_opts(move |pool| clean!(pool, of_writers));
        let reader = async |name, mut options: ConnectOptions| {
            let of_readers = distrust.clone();
            options.map_sqlx_postgres_pool_opts(move |pool| clean!(pool, of_readers));
            connect(options).await.map(|pool| Reader::new(name, pool, settings, &distrust))
        };
        let mut monitor = options(url, 1, settings);
        monitor.map_sqlx_postgres_opts(move |o| o.options(timeouts.clone()));
        monitor.map_sqlx_postgres_pool_opts(|pool| clean!(pool, Distrust::default()));
        let (write, monitor) = (connect(write).await?, connect(monitor).await?);
        let reserved =
            reader("reserved", options(url, settings.reserved_connections, settings)).await?;
        let read = reader("read", for_clients(url, settings)).await?;
        Ok(Self::new([write, monitor], [read, reserved], None, settings, distrust))
    }

    fn new(
        [write, monitor]: [DatabaseConnection; 2],
        [read, reserved]: [Reader; 2],
        files: Option<Files>,
        settings: &PoolSettings,
        distrust: Distrust,
    ) -> Self {
        Self {
            writers: files.as_ref().map_or(settings.write_connections, |_| 1),
            write,
            read,
            reserved,
            monitor,
            files: files.map(Arc::new),
            lookup_timeout: settings.lookup_timeout,
            patience: settings.patience(),
            distrust,
        }
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Whether it is SQLite, which has one lock for all that write.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.files.is_some()
    }

    /// How many transactions may write at once.
    #[must_use]
    pub fn writers(&self) -> usize {
        usize::try_from(self.writers).unwrap_or(1)
    }

    /// The error of a connection that was silent for too long.
    #[must_use]
    pub fn silence(&self) -> DbErr {
        self.distrust.silence()
    }

    /// Closes the pools; what is under way ends first.
    pub async fn close(self) {
        let Self { write, read, reserved, monitor, .. } = self;
        for pool in [&write, &*read, &*reserved, &monitor] {
            if let Err(error) = pool.close_by_ref().await {
                tracing::warn!(%error, "closing a database pool");
            }
        }
    }
}

fn unusable(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}

fn malformed() -> DbErr {
    unusable("the database URL is malformed")
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
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

/// Those of the connections that clients read by: when all are busy, nobody waits for long.
fn for_clients(url: &str, settings: &PoolSettings) -> ConnectOptions {
    let mut options = options(url, settings.read_connections, settings);
    options.acquire_timeout(settings.read_wait);
    options
}

fn durable(options: SqliteConnectOptions, timeout: Duration) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(timeout)
        .foreign_keys(true)
}
