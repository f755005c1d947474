//! Settings of how often clients may ask.

use std::{num::NonZeroU32, time::Duration};

use clap::Args;

use crate::graphql::RateSettings;

/// How often is too often. A network is an IPv4 address or a /64 of IPv6; each node counts for
/// itself; each limit may be spent at once, and comes back evenly.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rate limits")]
pub struct RateConfig {
    /// Sign-ins and sign-ups a network may try a minute
    #[arg(long, env = "NEIGHBORBID_SIGN_INS_PER_MINUTE", default_value = "20")]
    pub sign_ins_per_minute: NonZeroU32,

    /// Wrong passwords a network may try on an account; then it waits a second before the next
    /// try, and twice as long each time. Twice as many from where the account was signed in to
    #[arg(long, env = "NEIGHBORBID_SIGN_IN_TRIES", default_value = "5")]
    pub sign_in_tries: NonZeroU32,

    /// The longest wait before the next try; from where the account was signed in to, half a
    /// minute at most
    #[arg(long, env = "NEIGHBORBID_SIGN_IN_DELAY_SECONDS", default_value_t = 900)]
    pub sign_in_delay_seconds: u64,

    /// Bids a bidder may place a second
    #[arg(long, env = "NEIGHBORBID_BIDS_PER_SECOND", default_value = "10")]
    pub bids_per_second: NonZeroU32,

    /// Auctions a seller may list a minute
    #[arg(long, env = "NEIGHBORBID_LISTINGS_PER_MINUTE", default_value = "60")]
    pub listings_per_minute: NonZeroU32,

    /// How many of the other mutations an account may ask for a minute, of each kind: changes of
    /// auctions, movements of money, acts on orders, blocks, notifications read
    #[arg(long, env = "NEIGHBORBID_MUTATIONS_PER_MINUTE", default_value = "120")]
    pub mutations_per_minute: NonZeroU32,

    /// Subscriptions an account may begin a minute, and a network ten times as many
    #[arg(long, env = "NEIGHBORBID_SUBSCRIBES_PER_MINUTE", default_value = "1200")]
    pub subscribes_per_minute: NonZeroU32,

    /// What an account's operations may cost a minute, in the units of what a document may cost
    #[arg(long, env = "NEIGHBORBID_POINTS_PER_MINUTE", default_value = "200000")]
    pub points_per_minute: NonZeroU32,

    /// What the operations of a network may cost a minute: many people may share one
    #[arg(long, env = "NEIGHBORBID_NETWORK_POINTS_PER_MINUTE", default_value = "4000000")]
    pub network_points_per_minute: NonZeroU32,

    /// How many counters each limit keeps at most; accounts and networks share them by chance
    #[arg(long, env = "NEIGHBORBID_RATE_COUNTERS", default_value = "262144")]
    pub rate_counters: NonZeroU32,
}

impl RateConfig {
    /// As the rate limits want it.
    #[must_use]
    pub fn settings(&self) -> RateSettings {
        RateSettings {
            sign_ins_per_minute: self.sign_ins_per_minute,
            sign_in_tries: self.sign_in_tries,
            sign_in_delay: Duration::from_secs(self.sign_in_delay_seconds),
            bids_per_second: self.bids_per_second,
            listings_per_minute: self.listings_per_minute,
            mutations_per_minute: self.mutations_per_minute,
            subscribes_per_minute: self.subscribes_per_minute,
            points_per_minute: self.points_per_minute,
            network_points_per_minute: self.network_points_per_minute,
            counters: self.rate_counters,
        }
    }
}
