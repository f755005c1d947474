//! The pool that reads. A read on a connection that broke (the server restarted, somebody ended
//! its sessions) is asked again on another one: it changed nothing, so it may.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult,
    Statement,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{connection::PoolSettings, distrust::Distrust, fault::Fault};

/// Connections that only read.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: DatabaseConnection,
    /// What its statements are counted under.
    name: &'static str,
    /// How often a read is asked at most: once more than there may be broken connections.
    tries: u32,
    patience: Duration,
    /// Turns of reads that search or are large.
    heavy: Arc<Semaphore>,
    /// How long one waits for its turn.
    wait: Duration,
    distrust: Distrust,
}

impl Reader {
    pub(super) fn new(
        name: &'static str,
        pool: DatabaseConnection,
        settings: &PoolSettings,
        distrust: &Distrust,
    ) -> Self {
        let connections = settings.read_connections.max(settings.reserved_connections);
        // One connection at least is left to what is quick.
        let heavy = settings.heavy_reads.min(settings.read_connections.saturating_sub(1)).max(1);
        Self {
            pool,
            name,
            tries: connections.saturating_add(1),
            patience: settings.patience(),
            heavy: Arc::new(Semaphore::new(usize::try_from(heavy).unwrap_or(1))),
            wait: settings.read_wait,
            distrust: distrust.clone(),
        }
    }

    /// A turn among the heavy reads, in the order of asking.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn heavy_turn(&self) -> Result<SemaphorePermit<'_>, DbErr> {
        let turn = tokio::time::timeout(self.wait, self.heavy.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
    }
}

impl Deref for Reader {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.pool
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut DatabaseConnection {
        &mut self.pool
    }
}

/// Whether another connection may answer.
fn is_broken<T>(result: &Result<T, DbErr>) -> bool {
    matches!(result, Err(error) if Fault::of(error) == Fault::Connection)
}

/// Asks until an answer comes, or as often as it may.
macro_rules! ask_again {
    ($self:ident, $ask:expr) => {{
        metrics::counter!("neighborbid_statements_total", "pool" => $self.name).increment(1);
        let (mut tries, began) = (1, std::time::Instant::now());
        loop {
            let answer = $self.distrust.within($self.patience, $ask).await;
            // One that is silent was waited for long enough.
            let is_over = began.elapsed() >= $self.patience;
            if tries >= $self.tries || is_over || !is_broken(&answer) {
                return answer;
            }
            tries += 1;
        }
    }};
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, ask: Statement) -> Result<ExecResult, DbErr> {
        self.pool.execute_raw(ask).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, ask: Statement) -> Result<Option<QueryResult>, DbErr> {
        ask_again!(self, self.pool.query_one_raw(ask.clone()))
    }

    async fn query_all_raw(&self, ask: Statement) -> Result<Vec<QueryResult>, DbErr> {
        ask_again!(self, self.pool.query_all_raw(ask.clone()))
    }
}
