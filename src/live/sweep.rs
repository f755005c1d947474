//! The log read without being asked: now and then while the bus is well, for what it may have
//! lost in silence; often while it is not; and at once when it comes back.

use std::time::Duration;

use chrono::Utc;
use entity::Time;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{bus::Health, rooms::Rooms};
use crate::store::{DbErr, connection::Db};

/// How often, while the bus is well.
const WELL: Duration = Duration::from_secs(2);

/// How often, while it is not.
const UNWELL: Duration = Duration::from_millis(500);

/// Sweeps until the house closes. A bus that cannot lose anything needs no sweeping.
pub async fn run(rooms: Rooms, db: Db, stop: CancellationToken) {
    let Some(mut health) = rooms.bus.health() else { return };
    let mut swept = Utc::now();
    loop {
        let before = *health.borrow_and_update();
        let wait = if before.is_up { WELL } else { UNWELL };
        tokio::select! {
            () = sleep(wait) => {}
            _ = health.changed() => {}
            () = stop.cancelled() => return,
        }
        let began = Utc::now();
        match sweep(&rooms, &db, swept).await {
            Ok(()) => swept = began,
            Err(error) => tracing::warn!(%error, "reading the event log"),
        }
    }
}

async fn sweep(rooms: &Rooms, db: &Db, since: Time) -> Result<(), DbErr> {
    metrics::counter!("neighborbid_sweeps_total").increment(1);
    rooms.hub.sweep().await?;
    rooms.people.sweep(db).await?;
    rooms.lists.sweep(db, since).await
}

/// Whether a bus is up; one that cannot lose anything always is.
#[must_use]
pub fn is_up(health: Option<&watch::Receiver<Health>>) -> bool {
    health.is_none_or(|health| health.borrow().is_up)
}
