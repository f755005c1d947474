//! Connections that did not answer for too long: the database's host is gone, say, and nothing
//! will ever come on them. A pool would ask such a one whether it lives, and wait for ever; so
//! those that come back next are closed unasked, whichever they are, for there is no telling.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sea_orm::DbErr;

use super::fault::SILENCE;

/// How many connections are closed for one that was silent.
const FOR_ONE: u32 = 2;

/// How many of the next connections that come back are closed.
#[derive(Debug, Clone, Default)]
pub(super) struct Distrust(Arc<AtomicU32>);

impl Distrust {
    /// A connection was silent; the error that says so.
    pub fn silence(&self) -> DbErr {
        self.0.fetch_add(FOR_ONE, Ordering::Relaxed);
        DbErr::Custom(SILENCE.to_owned())
    }

    /// Whether a connection that comes back is to be closed.
    pub fn takes(&self) -> bool {
        let less = |count: u32| count.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// What a connection answers, or that it was silent for `patience`.
    pub async fn within<T>(
        &self,
        patience: Duration,
        answer: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        match tokio::time::timeout(patience, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.silence()),
        }
    }
}
