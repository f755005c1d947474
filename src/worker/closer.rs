//! Keeps auctions' deadlines: sleeps until the next one, or until one moves; it never polls
//! blindly. Any number of processes may run it.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Error};

/// The longest sleep. Whoever lists an auction keeps its deadline; the others look this often, in
/// case that it died meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs until `stop`.
pub async fn run(engine: Arc<Engine>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let wait = match turn(&engine).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "opening auctions");
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = engine.deadline_moved() => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Does what is due, and says how long to sleep.
async fn turn(engine: &Engine) -> Result<Duration, Error> {
    if engine.open_due_auctions().await? > 0 {
        return Ok(Duration::ZERO);
    }
    let until = engine.next_opening().await?.map(|at| at - engine.time());
    Ok(until.map_or(LONGEST, |until| {
        until.to_std().unwrap_or_default().min(LONGEST)
    }))
}
