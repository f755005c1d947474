//! Keeps the deadlines of auctions and orders: sleeps until the next one, or until one moves; it
//! never polls blindly. Any number of processes may run it.

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
                tracing::warn!(%error, "keeping deadlines");
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
    let done = engine.turn_due_auctions().await? + engine.complete_due_orders().await?;
    if done > 0 {
        return Ok(Duration::ZERO);
    }
    let (next, now) = engine.next_deadline().await?;
    let until = next.map(|at| (at - now).to_std().unwrap_or_default());
    // A deadline that is over and yet was not turned belongs to another process just now.
    let until = until.map(|until| until.max(Duration::from_millis(1)));
    Ok(until.map_or(LONGEST, |until| until.min(LONGEST)))
}
