//! Long-lived tasks: one that ends badly is counted and logged, and begun again.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{Engine, health::Health};

/// How long to wait before a task that ended badly is begun again.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a task until it ends well.
pub(super) async fn supervised<F>(
    name: &'static str,
    health: Arc<Health>,
    run: impl Fn() -> F + Send,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        health.is_alive(name);
        // Whoever ends this one ends what it runs.
        let running = AbortOnDropHandle::new(tokio::spawn(run()));
        let Err(error) = running.await else { return };
        if error.is_cancelled() {
            // The process ends.
            return;
        }
        health.is_dead(name);
        metrics::counter!("neighborbid_panics_total", "task" => name).increment(1);
        tracing::error!(task = name, %error, "a task ended badly, and is begun again");
        sleep(PAUSE).await;
    }
}

impl Engine {
    /// Runs a long-lived task until it ends well; whether it lives is part of how the engine is.
    pub async fn supervise<F>(self: Arc<Self>, name: &'static str, run: impl Fn() -> F + Send)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        supervised(name, Arc::clone(&self.core.health), run).await;
    }
}
