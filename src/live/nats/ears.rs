//! What is known of the way to NATS and back, and what is said about it: to those who read the
//! log instead, to the metrics, and to the operator, at a rate that nobody outside can raise.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use async_nats::{ClientError, Event, ServerError};
use tokio::sync::watch;

use crate::{live::bus::Health, telemetry::Seldom};

/// How long nothing may come back before the bus counts as down.
pub(super) const SILENCE: Duration = Duration::from_millis(1_500);

/// How long to wait before connecting is tried again; and where the sign-in was refused.
const AGAIN: Duration = Duration::from_millis(250);
const AGAIN_IF_REFUSED: Duration = Duration::from_secs(2);

/// How often at most the log is read for what may have been lost, however much is.
const LOSSES: Duration = Duration::from_secs(1);

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// No node sent it, or not on this subject.
    Forged,
    /// It was taken before, or it is older than what was.
    Replayed,
    /// It was sent long ago.
    Old,
}

const REFUSALS: [Refused; 3] = [Refused::Forged, Refused::Replayed, Refused::Old];

impl Refused {
    fn count(self, messages: u64) {
        let reason = match self {
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Old => "old",
        };
        metrics::counter!("neighborbid_bus_refused_total", "reason" => reason).increment(messages);
    }
}

/// What is known.
#[derive(Debug)]
pub(super) struct Ears {
    began: Instant,
    /// When one of our own messages last came back, in milliseconds since `began`.
    heard: AtomicU64,
    health: watch::Sender<Health>,
    /// Something may have been lost that `health` does not tell yet.
    is_lost: AtomicBool,
    /// When `health` last told of losses, in milliseconds since `began`.
    lost: AtomicU64,
    /// NATS refused the sign-in, and has not taken it since.
    is_refused: AtomicBool,
    lines: Lines,
}

/// What is written now and then only.
#[derive(Debug, Default)]
struct Lines {
    refused: Seldom,
    unreachable: Seldom,
    slow: Seldom,
    forged: Seldom,
    replayed: Seldom,
    old: Seldom,
}

impl Default for Ears {
    fn default() -> Self {
        REFUSALS.into_iter().for_each(|refused| refused.count(0));
        Self {
            began: Instant::now(),
            heard: AtomicU64::new(u64::MAX),
            health: watch::Sender::new(Health { is_up: false, losses: 0 }),
            is_lost: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            is_refused: AtomicBool::new(false),
            lines: Lines::default(),
        }
    }
}

impl Ears {
    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// One of our own messages came back.
    pub fn hear(&self) {
        self.heard.store(self.millis(), Ordering::Relaxed);
    }

    fn is_heard(&self) -> bool {
        match self.heard.load(Ordering::Relaxed) {
            u64::MAX => false,
            heard => u128::from(self.millis().saturating_sub(heard)) < SILENCE.as_millis(),
        }
    }

    /// Looks how it is, and tells what changed.
    pub fn look(&self, is_connected: bool) {
        let is_up = is_connected && self.is_heard();
        metrics::gauge!("neighborbid_bus_up").set(f64::from(u8::from(is_up)));
        let since = self.millis().saturating_sub(self.lost.load(Ordering::Relaxed));
        let is_due = u128::from(since) >= LOSSES.as_millis();
        let has_lost = is_due && self.is_lost.swap(false, Ordering::Relaxed);
        if has_lost {
            self.lost.store(self.millis(), Ordering::Relaxed);
        }
        self.health.send_if_modified(|health| {
            health.losses += u64::from(has_lost);
            let changed = std::mem::replace(&mut health.is_up, is_up) != is_up;
            match (changed, is_up) {
                (true, true) => tracing::info!("the bus is up"),
                (true, false) => tracing::warn!("the bus is down: the event log is read"),
                (false, _) => {}
            }
            changed || has_lost
        });
    }

    /// Something may have been lost.
    fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// A message is not taken.
    pub fn refuse(&self, refused: Refused) {
        refused.count(1);
        let (line, what) = match refused {
            Refused::Forged => {
                (&self.lines.forged, "a message on the bus that no node of ours sealed: dropped")
            }
            Refused::Replayed => {
                (&self.lines.replayed, "a message on the bus came again, or too late: dropped")
            }
            Refused::Old => (
                &self.lines.old,
                "a message on the bus is more than a minute old, or a node's clock is wrong: \
                 dropped",
            ),
        };
        if let Some(held_back) = line.now() {
            tracing::warn!(held_back, "{what}");
        }
    }

    /// How long to wait before connecting is tried again.
    pub fn wait(&self) -> Duration {
        if self.is_refused.load(Ordering::Relaxed) { AGAIN_IF_REFUSED } else { AGAIN }
    }

    /// Takes what the client says of the connection.
    pub fn tell(&self, event: &Event) {
        match event {
            Event::Connected => {
                tracing::info!("connected to NATS");
                self.is_refused.store(false, Ordering::Relaxed);
                self.lines.unreachable.forget();
                self.lose();
            }
            Event::Disconnected => tracing::warn!("the connection to NATS is lost"),
            Event::SlowConsumer(_) => {
                self.lose();
                if let Some(held_back) = self.lines.slow.now() {
                    let what = "messages of the bus came too fast, and were dropped";
                    tracing::warn!(held_back, "{what}");
                }
            }
            Event::Draining | Event::Closed => {}
            event if is_refusal(event) => {
                self.is_refused.store(true, Ordering::Relaxed);
                if let Some(held_back) = self.lines.refused.now() {
                    let what = "NATS refused the sign-in: the event log is read instead";
                    tracing::warn!(held_back, %event, "{what}");
                }
            }
            event => {
                if let Some(held_back) = self.lines.unreachable.now() {
                    tracing::warn!(held_back, %event, "NATS");
                }
            }
        }
    }
}

/// The client hands most of it on as text.
fn is_refusal(event: &Event) -> bool {
    let said = match event {
        Event::ServerError(ServerError::AuthorizationViolation) => return true,
        Event::ServerError(ServerError::Other(said)) => said,
        Event::ClientError(ClientError::Other(said)) => said,
        _ => return false,
    };
    let said = said.to_lowercase();
    ["authorization violation", "authentication", "signing nonce"].iter().any(|w| said.contains(w))
}
