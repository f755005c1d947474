//! Whether a command that failed is tried again: a bounded number of times, longer each time, with
//! jitter so that rivals part. One whose COMMIT was not answered is tried until it is known what
//! became of it, for as long as a database takes to start again.

use std::time::{Duration, Instant};

use super::Error;
use crate::store::fault::Fault;

/// After that many failures in a row the caller hears of it.
const MOST: u32 = 8;

/// And after that long.
const PATIENCE: Duration = Duration::from_secs(4);

/// The longest wait between two tries.
const LONGEST_WAIT_MILLIS: u64 = 500;

/// The tries of one command.
#[derive(Debug)]
pub(super) struct Tries {
    command: &'static str,
    tries: u32,
    began: Instant,
    doubtful_since: Option<Instant>,
    lookup_timeout: Duration,
}

impl Tries {
    pub fn new(command: &'static str, lookup_timeout: Duration) -> Self {
        Self { command, tries: 0, began: Instant::now(), doubtful_since: None, lookup_timeout }
    }

    /// A COMMIT was not answered.
    pub fn is_doubtful(&mut self) {
        self.doubtful_since.get_or_insert_with(Instant::now);
    }

    /// Whether it is not known what became of a COMMIT.
    pub fn are_doubtful(&self) -> bool {
        self.doubtful_since.is_some()
    }

    /// It is known that it did not happen.
    pub fn is_certain(&mut self) {
        self.doubtful_since = None;
    }

    /// Waits and says `true` when the failure may pass by itself and tries are left.
    pub async fn again(&mut self, error: &Error) -> bool {
        self.tries += 1;
        let Error::Database(cause) = error else { return false };
        let fault = Fault::of(cause);
        let may = match (self.doubtful_since, fault) {
            (_, Fault::Lasting) => false,
            (Some(since), _) => since.elapsed() < self.lookup_timeout,
            (None, Fault::Contention | Fault::Connection) => {
                self.tries < MOST && self.began.elapsed() < PATIENCE
            }
            (None, _) => false,
        };
        if !may {
            return false;
        }
        let most = (5u64 << self.tries.min(10)).min(LONGEST_WAIT_MILLIS);
        let random = getrandom::u32().unwrap_or_default();
        let wait = Duration::from_millis(most / 2 + u64::from(random) % (most / 2));
        tracing::debug!(
            command = self.command, %error, ?fault, tries = self.tries, ?wait, "tried again"
        );
        tokio::time::sleep(wait).await;
        true
    }
}
