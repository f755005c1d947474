//! Reading the log for many at once: whoever needs a reading that began after they came shares it
//! with all who came before it began.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::store::DbErr;

/// Readings that take turns, numbered as they begin.
#[derive(Debug, Default)]
pub(super) struct Turns {
    begun: AtomicU64,
    /// The last that ended, and whether it went well. Held by the one that runs.
    ended: Mutex<(u64, bool)>,
}

impl Turns {
    /// Returns when a reading that began after this call has ended; runs `read` unless somebody
    /// else's has been one.
    pub async fn after_now<F>(&self, read: impl FnOnce() -> F) -> Result<(), DbErr>
    where
        F: Future<Output = Result<(), DbErr>>,
    {
        let before = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.lock().await;
        match *ended {
            (number, true) if number > before => return Ok(()),
            // Nobody waits for one failure after another.
            (number, false) if number > before => {
                return Err(DbErr::Custom("the event log could not be read".to_owned()));
            }
            _ => {}
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let result = read().await;
        *ended = (number, result.is_ok());
        result
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn all_who_come_during_one_reading_share_the_next() {
        let (turns, readings) = (Turns::default(), Cell::new(0));
        let read = async || {
            readings.set(readings.get() + 1);
            sleep(Duration::from_millis(200)).await;
            Ok(())
        };
        let comes = async |after: u64| {
            sleep(Duration::from_millis(after)).await;
            let began = readings.get();
            turns.after_now(&read).await.unwrap();
            assert!(readings.get() > began, "one that had begun before is not enough");
        };
        join_all([0, 1, 2, 3, 4].map(comes)).await;
        assert_eq!(readings.get(), 2);
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_not_kept() {
        let (turns, readings) = (Turns::default(), Cell::new(0));
        let fails = async || {
            readings.set(readings.get() + 1);
            sleep(Duration::from_millis(200)).await;
            Err(DbErr::Custom("away".to_owned()))
        };
        let comes = async |after: u64| {
            sleep(Duration::from_millis(after)).await;
            turns.after_now(&fails).await.unwrap_err();
        };
        join_all([0, 1, 2, 3].map(comes)).await;
        assert_eq!(readings.get(), 2);
        turns.after_now(async || Ok(())).await.unwrap();
    }
}
