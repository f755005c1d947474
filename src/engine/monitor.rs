//! The monitor: asks the database every second how it is, tries to write where nobody else did
//! for a while, and so knows that it works again before anybody is turned away for nothing.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Core, Engine, supervision::supervised};
use crate::store::{DbErr, fault::Fault, probe};

/// How often it asks.
const EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// After how long without a write it tries one.
const QUIET: Duration = Duration::from_secs(10);

impl Engine {
    /// Watches over the database until `stop`.
    pub async fn monitor(self: Arc<Self>, stop: CancellationToken) {
        let core = Arc::clone(&self.core);
        let watch = move || {
            let (core, stop) = (Arc::clone(&core), stop.clone());
            async move {
                while !stop.is_cancelled() {
                    look(&core).await;
                    core.health.has_passed("monitor");
                    tokio::select! {
                        () = sleep(EVERY) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        };
        supervised("monitor", Arc::clone(&self.core.health), watch).await;
    }

    /// Why this node cannot serve, if it cannot. It asks nobody: the monitor has.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.core.health.trouble()
    }
}

async fn look(core: &Core) {
    match timeout(PATIENCE, probe::read(&core.db)).await {
        Ok(Ok(())) => core.health.can_read(Ok(())),
        Ok(Err(error)) if Fault::of(&error) == Fault::Unwritable => {
            core.health.can_read(Ok(()));
            return core.health.cannot_write(&error);
        }
        Ok(Err(error)) => {
            let why = format!("the database does not answer: {error}");
            return core.health.can_read(Err(why));
        }
        Err(_) => {
            return core.health.can_read(Err("the database does not answer".to_owned()));
        }
    }
    if core.health.quiet_for().is_some_and(|quiet| quiet < QUIET) {
        return;
    }
    let silent = || DbErr::Custom("it did not answer".to_owned());
    match timeout(PATIENCE, probe::write(&core.db)).await.unwrap_or_else(|_| Err(silent())) {
        Ok(()) => core.health.has_probed(),
        // Somebody else is writing just now.
        Err(error) if Fault::of(&error) == Fault::Contention => {}
        Err(error) => core.health.cannot_write(&error),
    }
}
