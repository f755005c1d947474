//! The log read without being asked, always: other processes may share the database without a
//! bus, and a bus may lose something in silence. What is committed anywhere is told within two
//! seconds; a bus only makes it quick.
//!
//! Auctions, lists and people are read beside each other: one that fails or hangs stops no other.

use std::time::Duration;

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{bus::Health, rooms::Rooms};
use crate::store::DbErr;

/// How often; what is found must be on its way within two seconds.
const WELL: Duration = Duration::from_secs(1);

/// How often, while there is a bus and it is down.
const UNWELL: Duration = Duration::from_millis(500);

/// Sweeps until the server shuts down, bus or not. Where nobody watches, it asks the database
/// nothing.
pub async fn run(rooms: Rooms, stop: CancellationToken) {
    let health = || rooms.bus.health();
    let auctions = every_while(health(), "auctions", || rooms.hub.sweep());
    let lists = every_while(health(), "lists", || rooms.lists.sweep());
    let people = every_while(health(), "people", || rooms.people.sweep());
    let tidies = async {
        loop {
            metrics::gauge!("neighborbid_ring_bytes").set(rooms.hub.ring_bytes() as f64);
            metrics::gauge!("neighborbid_lists").set(rooms.lists.len() as f64);
            sleep(WELL).await;
            rooms.hub.tidy();
        }
    };
    tokio::select! {
        _ = async { tokio::join!(auctions, lists, people) } => {}
        () = tidies => {}
        () = stop.cancelled() => {}
    }
}

/// Sweeps for ever, and at once when the bus goes or comes back.
async fn every_while<F>(
    mut health: Option<watch::Receiver<Health>>,
    what: &'static str,
    sweep: impl Fn() -> F,
) where
    F: Future<Output = Result<(), DbErr>>,
{
    let mut is_failing = false;
    loop {
        let is_well = health.as_mut().is_none_or(|health| health.borrow_and_update().is_up);
        tokio::select! {
            () = sleep(if is_well { WELL } else { UNWELL }) => {}
            () = changed(&mut health) => {}
        }
        metrics::counter!("neighborbid_sweeps_total").increment(1);
        match sweep().await {
            Ok(()) => is_failing = false,
            Err(error) if is_failing => tracing::debug!(%error, what, "reading the event log"),
            Err(error) => {
                is_failing = true;
                tracing::warn!(%error, what, "reading the event log");
            }
        }
    }
}

/// Returns when the bus has changed; never, where there is none.
async fn changed(health: &mut Option<watch::Receiver<Health>>) {
    if let Some(changes) = health {
        if changes.changed().await.is_ok() {
            return;
        }
        *health = None;
    }
    std::future::pending().await
}

/// Whether a bus is up; one that cannot lose anything always is.
#[must_use]
pub fn is_up(health: Option<&watch::Receiver<Health>>) -> bool {
    health.is_none_or(|health| health.borrow().is_up)
}
