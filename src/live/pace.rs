//! Long work on an async thread, so that others have their turns.

use std::time::{Duration, Instant};

/// How long it goes on before others who wait for the thread have their turn.
const TURN: Duration = Duration::from_millis(1);

/// Since when somebody works.
#[derive(Debug)]
pub(super) struct Pace(Instant);

impl Pace {
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Lets others have the thread, if it was this one's for long.
    pub async fn rest(&mut self) {
        if self.0.elapsed() >= TURN {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}
