//! What could not be done at its deadline: put aside for a while, longer each time, and come back
//! to.

use std::{
    collections::HashMap,
    fmt::Display,
    hash::Hash,
    time::{Duration, Instant},
};

use crate::engine::Error;

/// The first wait, and the longest: of what others hold, and of what is broken.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST_HELD: Duration = Duration::from_secs(1);
const LONGEST_BROKEN: Duration = Duration::from_secs(300);

/// How much is known to be aside; beyond it the oldest come back earlier.
const MOST: usize = 1_000;

/// What is aside.
#[derive(Debug)]
pub(super) struct Aside<K> {
    kind: &'static str,
    known: HashMap<K, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    wait: Duration,
    until: Instant,
}

impl<K: Copy + Eq + Hash + Display> Aside<K> {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, known: HashMap::new() }
    }

    /// What is not to be looked at now.
    pub fn now(&self) -> Vec<K> {
        let now = Instant::now();
        let waits = self.known.iter().filter(|(_, waiting)| waiting.until > now);
        waits.map(|(key, _)| *key).collect()
    }

    /// Puts something aside that failed.
    pub fn put(&mut self, key: K, error: &Error) {
        let is_held = matches!(error, Error::Overloaded | Error::Held);
        let longest = if is_held { LONGEST_HELD } else { LONGEST_BROKEN };
        let wait = self.known.get(&key).map_or(FIRST, |w| (w.wait * 2).min(longest));
        metrics::counter!("neighborbid_set_aside_total", "kind" => self.kind).increment(1);
        let (kind, id) = (self.kind, key.to_string());
        match (is_held, self.known.contains_key(&key)) {
            (true, false) => tracing::warn!(kind, id, "due, but held by somebody else: put aside"),
            (true, true) => tracing::debug!(kind, id, ?wait, "still held by somebody else"),
            (false, _) => tracing::error!(kind, id, %error, ?wait, "due, but failed: put aside"),
        }
        if self.known.len() >= MOST {
            self.known.retain(|_, waiting| waiting.until > Instant::now());
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(key, Waiting { wait, until: Instant::now() + wait });
        self.count();
    }

    /// Forgets what is due no more: another process has done it.
    pub fn keep(&mut self, due: &[K]) {
        let now = Instant::now();
        let before = self.known.len();
        self.known.retain(|key, waiting| waiting.until > now || due.contains(key));
        if self.known.len() != before {
            self.count();
        }
    }

    /// Something is done that may have been aside.
    pub fn done(&mut self, key: &K) {
        if self.known.remove(key).is_some() {
            tracing::info!(kind = self.kind, id = %key, "done, after it was put aside");
            self.count();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn count(&self) {
        metrics::gauge!("neighborbid_set_aside", "kind" => self.kind).set(self.known.len() as f64);
    }
}
