//! How much live updates may take, of memory and of the database.

use std::num::NonZeroU32;

/// The bounds of live updates.
#[derive(Debug, Clone, Copy)]
pub struct LiveSettings {
    /// How many lists may be watched from an address, or a network of IPv6.
    pub lists_per_address: usize,
    /// How many lists an account may watch.
    pub lists_per_account: usize,
    /// How many times an account may watch its own account.
    pub own_feeds_per_account: usize,
    /// How many numbers of watchers may be watched from an address, or a network of IPv6.
    pub presences_per_address: usize,
    /// How many bytes lists keep for readers who are behind, all lists together; four times as
    /// many may be taken to know what each told last.
    pub list_bytes: usize,
    /// How many bytes of events are kept for watchers who come back or are behind, all auctions
    /// together.
    pub ring_bytes: usize,
    /// How many missed events a minute are replayed to an address, and to an account; none where
    /// rates are not limited.
    pub replayed_per_minute: Option<NonZeroU32>,
    /// How many replays read the event log at once.
    pub replay_reads: usize,
}

impl LiveSettings {
    /// No bounds but those of memory.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            lists_per_address: usize::MAX,
            lists_per_account: usize::MAX,
            own_feeds_per_account: usize::MAX,
            presences_per_address: usize::MAX,
            list_bytes: 64 << 20,
            ring_bytes: 64 << 20,
            replayed_per_minute: None,
            replay_reads: 4,
        }
    }
}
