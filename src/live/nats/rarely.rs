//! A line of the log that may be due a thousand times a second, and is written twice a minute.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_secs(30);

/// When a line was written last.
#[derive(Debug, Default)]
pub(super) struct Rarely(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    at: Option<Instant>,
    held_back: u64,
}

impl Rarely {
    /// Whether to write the line now; if so, how many were held back since the last.
    pub fn due(&self) -> Option<u64> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.at.is_some_and(|at| at.elapsed() < EVERY) {
            written.held_back += 1;
            return None;
        }
        written.at = Some(Instant::now());
        Some(std::mem::take(&mut written.held_back))
    }

    /// It is well again: the next line is news.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Written::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_written_and_the_next_ones_wait() {
        let rarely = Rarely::default();
        assert_eq!([rarely.due(), rarely.due(), rarely.due()], [Some(0), None, None]);
        rarely.forget();
        assert_eq!([rarely.due(), rarely.due()], [Some(0), None]);
    }
}
