//! A bound in bytes that many share: each says what it holds, and who watches over it takes from
//! those that may lose something once it is too much.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes are held, of how many that may be.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    held: AtomicUsize,
}

impl Memory {
    pub fn new(most: usize) -> Self {
        Self { most, held: AtomicUsize::new(0) }
    }

    /// Somebody held `before` bytes and now holds `after`.
    pub fn changed(&self, before: usize, after: usize) {
        self.held.fetch_add(after, Ordering::Relaxed);
        self.held.fetch_sub(before, Ordering::Relaxed);
    }

    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether something must be given up.
    pub fn is_exceeded(&self) -> bool {
        self.held() > self.most
    }

    /// Whether so much was given up that it is not needed again soon: looking for what may go
    /// costs something each time.
    pub fn has_room(&self) -> bool {
        self.held() <= self.most - self.most / 4
    }
}
