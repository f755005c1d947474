//! Rate limits: sign-ins and sign-ups by address, bids by bidder.

use std::{fmt, net::IpAddr, num::NonZeroU32};

use async_graphql::Error;
use entity::ids::UserId;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::error::{Code, coded};

/// How often is too often.
#[derive(Debug, Clone, Copy)]
pub struct RateSettings {
    /// Sign-ins and sign-ups an address may try a minute.
    pub sign_ins_per_minute: NonZeroU32,
    /// Bids a bidder may place a second, with as many again at once.
    pub bids_per_second: NonZeroU32,
}

/// The limits; `None` inside when they are off.
pub struct RateLimits(Option<Limiters>);

struct Limiters {
    sign_ins: DefaultKeyedRateLimiter<IpAddr>,
    bids: DefaultKeyedRateLimiter<UserId>,
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateLimits").field(&self.0.is_some()).finish()
    }
}

impl RateLimits {
    /// Limits, or none.
    #[must_use]
    pub fn new(settings: Option<RateSettings>) -> Self {
        Self(settings.map(|settings| Limiters {
            sign_ins: RateLimiter::keyed(Quota::per_minute(settings.sign_ins_per_minute)),
            bids: RateLimiter::keyed(Quota::per_second(settings.bids_per_second)),
        }))
    }

    /// Counts a sign-in or a sign-up.
    pub(super) fn sign_in(&self, address: Option<IpAddr>) -> Result<(), Error> {
        let (Some(limits), Some(address)) = (&self.0, address) else {
            return Ok(());
        };
        limits
            .sign_ins
            .check_key(&address)
            .map_err(|_| coded(Code::RateLimited, "Too many sign-ins from here: wait a minute."))
    }

    /// Counts a bid.
    pub(super) fn bid(&self, bidder: UserId) -> Result<(), Error> {
        let Some(limits) = &self.0 else {
            return Ok(());
        };
        limits
            .bids
            .check_key(&bidder)
            .map_err(|_| coded(Code::RateLimited, "Too many bids: slow down."))
    }

    /// Forgets whom no limit holds back any more, so that memory stays flat.
    pub fn forget_idle(&self) {
        if let Some(limits) = &self.0 {
            limits.sign_ins.retain_recent();
            limits.bids.retain_recent();
        }
    }
}
