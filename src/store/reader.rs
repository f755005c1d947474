//! The pool that reads. A read on a connection that broke (the server restarted, somebody ended
//! its sessions) is asked again on another one: it changed nothing, so it may.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::{connection::PoolSettings, distrust::Distrust, fault::Fault};

/// Connections that only read.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: DatabaseConnection,
    /// How often a read is asked at most: once more than there may be broken connections.
    tries: u32,
    patience: Duration,
    distrust: Distrust,
}

impl Reader {
    pub(super) fn new(
        pool: DatabaseConnection,
        settings: &PoolSettings,
        distrust: &Distrust,
    ) -> Self {
        let tries = settings.read_connections.saturating_add(1);
        Self { pool, tries, patience: settings.patience(), distrust: distrust.clone() }
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
