//! Settings of live updates: what watching may cost.

use std::num::NonZeroU32;

use clap::Args;

use super::Switch;
use crate::live::settings::LiveSettings;

/// What watching may cost.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Live updates")]
pub struct LiveConfig {
    /// How many lists (auctionsUpdated) may be watched from an address; of IPv6, from a /64
    #[arg(long, env = "NEIGHBORBID_LISTS_PER_ADDRESS", default_value_t = 256)]
    pub lists_per_address: usize,

    /// How many lists (auctionsUpdated) an account may watch
    #[arg(long, env = "NEIGHBORBID_LISTS_PER_ACCOUNT", default_value_t = 64)]
    pub lists_per_account: usize,

    /// How many times an account may watch its own account (viewerUpdated)
    #[arg(long, env = "NEIGHBORBID_OWN_FEEDS_PER_ACCOUNT", default_value_t = 64)]
    pub own_feeds_per_account: usize,

    /// How many numbers of watchers (auctionPresence) may be watched from an address; of IPv6,
    /// from a /64
    #[arg(long, env = "NEIGHBORBID_PRESENCES_PER_ADDRESS", default_value_t = 512)]
    pub presences_per_address: usize,

    /// How many bytes lists keep for readers who are behind, all lists together; four times as
    /// many may be taken to know what each list told last
    #[arg(long, env = "NEIGHBORBID_LIST_BYTES", default_value_t = 67_108_864)]
    pub list_bytes: usize,

    /// How many bytes of events are kept at hand for watchers who come back or are behind, all
    /// auctions together: beyond it, those of the auctions that were quiet for longest go first
    #[arg(long, env = "NEIGHBORBID_RING_BYTES", default_value_t = 67_108_864)]
    pub ring_bytes: usize,

    /// How many missed events a minute are replayed to an address, and to an account; who missed
    /// more gets a SNAPSHOT
    #[arg(long, env = "NEIGHBORBID_REPLAYED_PER_MINUTE", default_value = "20000")]
    pub replayed_per_minute: NonZeroU32,

    /// How many replays read the event log at once
    #[arg(long, env = "NEIGHBORBID_REPLAY_READS", default_value_t = 4)]
    pub replay_reads: usize,
}

impl LiveConfig {
    /// As live updates want it.
    #[must_use]
    pub fn settings(&self, rate_limit: Switch) -> LiveSettings {
        LiveSettings {
            lists_per_address: self.lists_per_address,
            lists_per_account: self.lists_per_account,
            own_feeds_per_account: self.own_feeds_per_account,
            presences_per_address: self.presences_per_address,
            list_bytes: self.list_bytes,
            ring_bytes: self.ring_bytes,
            replayed_per_minute: (rate_limit == Switch::On).then_some(self.replayed_per_minute),
            replay_reads: self.replay_reads,
        }
    }
}
