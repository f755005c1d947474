//! Which authentic messages are new: each is taken once, and none long after it was sent. Who
//! recorded them can play them again, and nothing comes of it.
//!
//! What may be lost by it is in the event log, as whatever else the bus loses.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

/// How old a message may be, and how far the clocks of two nodes may differ.
const TOLERANCE: Duration = Duration::from_secs(60);

/// How many numbers back a message may be that comes late.
const WINDOW: u64 = 65_536;

/// What comes to a node by one way comes once: an auction's events come to its own topic and to
/// the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// To the lists: all auctions.
    Lists,
    /// Reports: an older one says what is no longer so.
    Reports,
    /// Sign-outs: of any age, because a session that is dead stays dead.
    SignOuts,
    /// To everybody else.
    Others,
}

/// What is thought of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new.
    New,
    /// It came before, or too late.
    Replayed,
    /// It was sent long ago, or the clocks differ.
    Old,
}

/// What came from everybody.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    senders: Mutex<HashMap<(Uuid, Way), Seen>>,
}

impl Fresh {
    /// Judges a message, which counts as seen from then on. `now` is in milliseconds since 1970.
    pub fn judge(&self, way: Way, sender: Uuid, number: u64, sent: i64, now: i64) -> Verdict {
        let age = u128::from(now.abs_diff(sent));
        if way != Way::SignOuts && age > TOLERANCE.as_millis() {
            return Verdict::Old;
        }
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if !senders.contains_key(&(sender, way)) {
            // By now everything that they said is too old.
            senders.retain(|_, seen| seen.at.elapsed() < TOLERANCE * 3);
        }
        let seen = senders.entry((sender, way)).or_insert_with(Seen::nothing);
        match seen.take(number, way != Way::Reports) {
            true => Verdict::New,
            false => Verdict::Replayed,
        }
    }
}

/// Which numbers came from one sender.
#[derive(Debug)]
struct Seen {
    highest: Option<u64>,
    /// One bit a number, for the last [`WINDOW`] of them.
    bits: Box<[u64]>,
    at: Instant,
}

impl Seen {
    fn nothing() -> Self {
        let bits = vec![0; (WINDOW / 64) as usize].into_boxed_slice();
        Self { highest: None, bits, at: Instant::now() }
    }

    /// Says whether a number is new; one that is lower than the highest may be if `late`.
    fn take(&mut self, number: u64, late: bool) -> bool {
        self.at = Instant::now();
        match self.highest {
            None => self.highest = Some(number),
            Some(highest) if number > highest => {
                if number - highest >= WINDOW {
                    self.bits.fill(0);
                } else {
                    (highest + 1..number).for_each(|skipped| self.mark(skipped, false));
                }
                self.highest = Some(number);
            }
            Some(highest) => {
                let is_known = highest - number >= WINDOW || self.is_marked(number);
                if !late || is_known {
                    return false;
                }
            }
        }
        self.mark(number, true);
        true
    }

    fn place(number: u64) -> (usize, u64) {
        let place = number % WINDOW;
        ((place / 64) as usize, 1 << (place % 64))
    }

    fn is_marked(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        self.bits[word] & bit != 0
    }

    fn mark(&mut self, number: u64, is_seen: bool) {
        let (word, bit) = Self::place(number);
        match is_seen {
            true => self.bits[word] |= bit,
            false => self.bits[word] &= !bit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Uuid = Uuid::from_u128(1);
    const BEN: Uuid = Uuid::from_u128(2);
    const NOW: i64 = 1_000_000_000;
    use Verdict::{New, Old, Replayed};

    #[test]
    fn each_message_is_taken_once_in_whatever_order_it_comes() {
        let fresh = Fresh::default();
        let judge = |number| fresh.judge(Way::Others, ANN, number, NOW, NOW);
        for number in [5, 3, 4, 9, 100_000, 99_999, 100_001] {
            assert_eq!((judge(number), judge(number)), (New, Replayed), "{number}");
        }
        // Too far back to be known.
        assert_eq!(judge(100_001 - WINDOW), Replayed);
        assert_eq!(judge(100_002 - WINDOW), New);
        // The same place in the window, not the same number.
        assert_eq!(judge(100_001 + WINDOW - 1), New);
        assert_eq!(judge(100_002), New);
        assert_eq!(judge(u64::MAX), New);
        assert_eq!(judge(0), Replayed);
    }

    #[test]
    fn every_sender_and_every_way_counts_by_itself() {
        let fresh = Fresh::default();
        for (sender, way) in [(ANN, Way::Others), (ANN, Way::Lists), (BEN, Way::Others)] {
            assert_eq!(fresh.judge(way, sender, 7, NOW, NOW), New);
            assert_eq!(fresh.judge(way, sender, 7, NOW, NOW), Replayed);
        }
    }

    #[test]
    fn a_report_is_taken_only_when_it_is_newer() {
        let fresh = Fresh::default();
        let judge = |number| fresh.judge(Way::Reports, ANN, number, NOW, NOW);
        assert_eq!([5, 4, 6, 5].map(judge), [New, Replayed, New, Replayed]);
    }

    #[test]
    fn what_is_a_minute_old_is_not_taken_unless_it_stays_true() {
        let fresh = Fresh::default();
        let judge = |way, number, sent| fresh.judge(way, ANN, number, sent, NOW);
        assert_eq!(judge(Way::Others, 1, NOW - 59_000), New);
        assert_eq!(judge(Way::Others, 2, NOW + 59_000), New);
        assert_eq!(judge(Way::Others, 3, NOW - 61_000), Old);
        assert_eq!(judge(Way::Others, 4, NOW + 61_000), Old);
        assert_eq!(judge(Way::Others, 5, i64::MIN), Old);
        assert_eq!(judge(Way::SignOuts, 6, NOW - 3_600_000), New);
        assert_eq!(judge(Way::SignOuts, 6, NOW - 3_600_000), Replayed);
    }
}
