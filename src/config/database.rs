//! Settings of the database.

use std::time::Duration;

use clap::Args;

use crate::store::connection::PoolSettings;

/// Where the data is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// SQLite or Postgres: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://neighborbid.db?mode=rwc",
        hide_env_values = true
    )]
    pub database_url: String,

    /// Connections that write; SQLite always has one
    #[arg(long, env = "NEIGHBORBID_WRITE_CONNECTIONS", default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub write_connections: u32,

    /// Connections that only read, for what clients ask
    #[arg(long, env = "NEIGHBORBID_READ_CONNECTIONS", default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub read_connections: u32,

    /// Connections that only read and that no list or page can take: for tokens, bids, deadlines
    /// and live updates, which take up to four at once
    #[arg(long, env = "NEIGHBORBID_RESERVED_CONNECTIONS", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub reserved_connections: u32,

    /// Reads at once that search, filter or are large; at least one read connection is left to the
    /// others
    #[arg(long, env = "NEIGHBORBID_HEAVY_READS", default_value_t = 4,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub heavy_reads: u32,

    /// How long to wait for a free connection
    #[arg(long, env = "NEIGHBORBID_ACQUIRE_TIMEOUT_SECONDS", default_value_t = 10)]
    pub acquire_timeout_seconds: u64,

    /// How long a client's read waits for a free connection, or for its turn among the heavy ones,
    /// in milliseconds; then it is answered OVERLOADED. Opening a connection has the same time, at
    /// the start too, so half a second is the least
    #[arg(long, env = "NEIGHBORBID_READ_WAIT_MILLISECONDS", default_value_t = 2_000,
        value_parser = clap::value_parser!(u64).range(500..))]
    pub read_wait_milliseconds: u64,

    /// Postgres: how long one statement may run
    #[arg(long, env = "NEIGHBORBID_STATEMENT_TIMEOUT_SECONDS", default_value_t = 30)]
    pub statement_timeout_seconds: u64,

    /// How long a transaction waits for a row that another one holds, on SQLite for the write lock
    /// of another process, in milliseconds; then whoever wants it is answered OVERLOADED
    #[arg(long, env = "NEIGHBORBID_LOCK_TIMEOUT_MILLISECONDS", default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub lock_timeout_milliseconds: u64,

    /// Postgres: how long a transaction that writes may be silent, in milliseconds, before the
    /// server ends it: a process that is stopped in the middle of one must not hold its rows
    #[arg(long, env = "NEIGHBORBID_IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS",
        default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_in_transaction_timeout_milliseconds: u64,

    /// How long a COMMIT that was not answered is looked up: longer than the database takes to
    /// start again
    #[arg(long, env = "NEIGHBORBID_COMMIT_LOOKUP_SECONDS", default_value_t = 30)]
    pub commit_lookup_seconds: u64,
}

impl DatabaseConfig {
    /// As the store wants it.
    #[must_use]
    pub fn pools(&self) -> PoolSettings {
        PoolSettings {
            write_connections: self.write_connections,
            read_connections: self.read_connections,
            reserved_connections: self.reserved_connections,
            heavy_reads: self.heavy_reads,
            acquire_timeout: Duration::from_secs(self.acquire_timeout_seconds),
            read_wait: Duration::from_millis(self.read_wait_milliseconds),
            statement_timeout: Duration::from_secs(self.statement_timeout_seconds),
            lock_timeout: Duration::from_millis(self.lock_timeout_milliseconds),
            idle_in_transaction_timeout: Duration::from_millis(
                self.idle_in_transaction_timeout_milliseconds,
            ),
            lookup_timeout: Duration::from_secs(self.commit_lookup_seconds),
        }
    }
}
