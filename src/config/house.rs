//! Settings of bids, money and times.

use std::num::NonZero;

use chrono::TimeDelta;
use clap::{Args, ValueEnum};

use crate::{
    domain::{
        auction::SoftClose, increments::IncrementTable, money::Currency, name::ReservedNames,
        order::OrderTimes,
    },
    engine::{AccountBounds, LaneSettings, PasswordSettings, Rules},
};

/// Who moves money in and out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Payments {
    /// Only an admin.
    Admin,
    /// Anybody may deposit and withdraw: for demos and tests.
    Simulated,
}

/// The marketplace's settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "House")]
pub struct HouseConfig {
    /// Who moves money in and out of wallets
    #[arg(long, env = "NEIGHBORBID_PAYMENTS", value_enum, default_value = "admin")]
    pub payments: Payments,

    /// The one currency: its ISO 4217 code. The database keeps it from its first start on, and no
    /// server with another one starts
    #[arg(long, env = "NEIGHBORBID_CURRENCY", default_value = "KRW", value_parser = currency)]
    pub currency: Currency,

    /// How many fraction digits the currency has: never needed, and refused unless it is what ISO
    /// 4217 says
    #[arg(long, env = "NEIGHBORBID_CURRENCY_DIGITS",
        value_parser = clap::value_parser!(u32).range(0..=4))]
    pub currency_digits: Option<u32>,

    /// Least steps between bids by current price, in minor units: BELOW:STEP,…,STEP. By default a
    /// table that fits the currency's digits; for won
    /// 10000:500,50000:1000,100000:2000,500000:5000,1000000:10000,50000
    #[arg(long, env = "NEIGHBORBID_INCREMENTS")]
    pub increments: Option<IncrementTable>,

    /// What the marketplace keeps of a sale, in hundredths of a percent
    #[arg(long, env = "NEIGHBORBID_FEE_BASIS_POINTS", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub fee_basis_points: u32,

    /// A bid this close to the end moves it, where the seller says nothing else
    #[arg(long, env = "NEIGHBORBID_SOFT_CLOSE_WINDOW_SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub soft_close_window_seconds: u32,

    /// To how long after a late bid the end moves, where the seller says nothing else
    #[arg(long, env = "NEIGHBORBID_SOFT_CLOSE_EXTENSION_SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub soft_close_extension_seconds: u32,

    /// By how much late bids may move the end in all
    #[arg(long, env = "NEIGHBORBID_SOFT_CLOSE_CAP_SECONDS", default_value_t = 3_600,
        value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub soft_close_cap_seconds: u32,

    /// With bids, an auction may be withdrawn until this long before its end
    #[arg(long, env = "NEIGHBORBID_CANCEL_CUTOFF_HOURS", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(0..=720))]
    pub cancel_cutoff_hours: u32,

    /// After that long without a handover, the buyer may cancel an order
    #[arg(long, env = "NEIGHBORBID_HANDOVER_HOURS", default_value_t = 72,
        value_parser = clap::value_parser!(u32).range(0..=8_760))]
    pub handover_hours: u32,

    /// That long after the handover, an order completes by itself
    #[arg(long, env = "NEIGHBORBID_RECEIPT_HOURS", default_value_t = 168,
        value_parser = clap::value_parser!(u32).range(0..=8_760))]
    pub receipt_hours: u32,

    /// Usernames that nobody may have, comma-separated, besides admin, root, support and their
    /// like: nor any that reads like one of them
    #[arg(long, env = "NEIGHBORBID_RESERVED_USERNAMES", value_delimiter = ',')]
    pub reserved_usernames: Vec<String>,

    /// How many sessions an account may have; one more ends the oldest
    #[arg(long, env = "NEIGHBORBID_SESSIONS_PER_ACCOUNT", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub sessions_per_account: u32,

    /// How many scheduled and open auctions a seller may have
    #[arg(long, env = "NEIGHBORBID_AUCTIONS_PER_SELLER", default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub auctions_per_seller: u32,

    /// How many people a seller may block
    #[arg(long, env = "NEIGHBORBID_BLOCKED_PER_SELLER", default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub blocked_per_seller: u32,

    /// A new password is refused that is guessed within so many tries, as zxcvbn estimates; ten
    /// times as many if it is a single word, date or pattern
    #[arg(long, env = "NEIGHBORBID_PASSWORD_GUESSES", default_value_t = 10_000)]
    pub password_guesses: u64,

    /// How many passwords are hashed at once, each in 19 MiB of memory; by default one for every
    /// two processors
    #[arg(long, env = "NEIGHBORBID_PASSWORD_WORKERS", value_parser = at_least_one)]
    pub password_workers: Option<usize>,

    /// How many sign-ins and sign-ups wait to be hashed; one more is answered OVERLOADED
    #[arg(long, env = "NEIGHBORBID_PASSWORD_QUEUE", default_value_t = 256)]
    pub password_queue: usize,

    /// How long a sign-in lasts
    #[arg(long, env = "NEIGHBORBID_SESSION_DAYS", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=365))]
    pub session_days: u32,

    /// Lanes that judge bids; by default as many as processors, and as connections that write at
    /// most: lanes whose bidders are the same people wait for each other
    #[arg(long, env = "NEIGHBORBID_LANES")]
    pub lanes: Option<usize>,

    /// How many bids one transaction judges at most
    #[arg(long, env = "NEIGHBORBID_BATCH", default_value_t = 256)]
    pub batch: usize,

    /// How many bids wait in a lane at most, half of them on one auction; one more is answered
    /// OVERLOADED
    #[arg(long, env = "NEIGHBORBID_LANE_QUEUE", default_value_t = 4_096)]
    pub lane_queue: usize,

    /// How many bids of one bidder wait in a lane at most, a quarter of them in line at a time; one
    /// more is answered OVERLOADED
    #[arg(long, env = "NEIGHBORBID_LANE_SHARE", default_value_t = 16)]
    pub lane_share: usize,
}

/// `--currency-digits` contradicts ISO 4217.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} has {} fraction digits by ISO 4217, not {said}: leave out --currency-digits",
    currency.code, currency.digits
)]
pub struct WrongDigits {
    /// The currency.
    currency: Currency,
    /// The digits that were given.
    said: u32,
}

impl HouseConfig {
    /// As the engine wants it.
    ///
    /// # Errors
    /// When the currency has other digits than was said.
    pub fn rules(&self) -> Result<Rules, WrongDigits> {
        let seconds = |seconds: u32| TimeDelta::seconds(seconds.into());
        let (currency, said) = (self.currency.clone(), self.currency_digits);
        if let Some(said) = said.filter(|said| *said != currency.digits) {
            return Err(WrongDigits { currency, said });
        }
        let by_default = || IncrementTable::for_digits(currency.digits);
        Ok(Rules {
            increments: self.increments.clone().unwrap_or_else(by_default),
            currency,
            fee_basis_points: self.fee_basis_points,
            soft_close: SoftClose {
                window: seconds(self.soft_close_window_seconds),
                extension: seconds(self.soft_close_extension_seconds),
                cap: seconds(self.soft_close_cap_seconds),
            },
            orders: OrderTimes {
                handover: TimeDelta::hours(self.handover_hours.into()),
                receipt: TimeDelta::hours(self.receipt_hours.into()),
            },
            cancel_cutoff: TimeDelta::hours(self.cancel_cutoff_hours.into()),
            session_lifetime: TimeDelta::days(self.session_days.into()),
            bounds: AccountBounds {
                sessions: self.sessions_per_account,
                auctions: self.auctions_per_seller,
                blocked: self.blocked_per_seller,
            },
            passwords: PasswordSettings {
                workers: self.password_workers.unwrap_or_else(|| cores().div_ceil(2)),
                queue: self.password_queue,
                guesses: self.password_guesses,
            },
            reserved_names: ReservedNames::with(&self.reserved_usernames),
            payments_are_simulated: self.payments == Payments::Simulated,
        })
    }

    /// As the lanes want it, where `writers` transactions may write at once.
    #[must_use]
    pub fn lanes(&self, writers: usize) -> LaneSettings {
        LaneSettings {
            lanes: self.lanes.unwrap_or_else(|| writers.min(cores())),
            batch: self.batch,
            queue: self.lane_queue,
            share: self.lane_share,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn currency(text: &str) -> Result<Currency, String> {
    Currency::of(text).ok_or_else(|| "no currency of ISO 4217: three capitals, like KRW".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a number above 0".to_owned())
}
