//! Rate limits: what an account and a network may ask of the server, and how often.
//!
//! Everything that costs is counted where it is asked for: operations by their points, mutations by
//! their kind (each aliased field is one), subscriptions as they begin, sign-ins by network and by
//! account. Each node counts for itself. `sign_ins` owns the delays of an account's sign-ins.

mod sign_ins;

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    num::NonZeroU32,
    time::Duration,
};

use async_graphql::{Context, Error};
use entity::ids::UserId;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use super::{
    context::{ClientAddress, ContextExt, Network},
    error::limited,
};
use crate::{
    engine::Session,
    telemetry::security::{self, About, Event},
};
use sign_ins::{Attempt, SignIns};

/// How often is too often.
#[derive(Debug, Clone, Copy)]
pub struct RateSettings {
    /// Sign-ins and sign-ups that a network may try a minute.
    pub sign_ins_per_minute: NonZeroU32,
    /// Wrong passwords that a network may try on an account before each next try has to wait.
    pub sign_in_tries: NonZeroU32,
    /// The longest such wait.
    pub sign_in_delay: Duration,
    /// Bids that a bidder may place a second, with as many again at once.
    pub bids_per_second: NonZeroU32,
    /// Auctions that a seller may list a minute.
    pub listings_per_minute: NonZeroU32,
    /// Other mutations of each kind that an account may ask for a minute.
    pub mutations_per_minute: NonZeroU32,
    /// Subscriptions that an account may begin a minute, and a network ten times as many.
    pub subscribes_per_minute: NonZeroU32,
    /// Points that an account's operations may cost a minute.
    pub points_per_minute: NonZeroU32,
    /// Points that the operations of a network may cost a minute.
    pub network_points_per_minute: NonZeroU32,
    /// How many counters each limit keeps.
    pub counters: NonZeroU32,
}

/// What a mutation does: each kind has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Bids on an auction, or buys it.
    Bid,
    /// Lists an auction.
    List,
    /// Edits, cancels or ends an auction.
    Change,
    /// Moves money in or out.
    Money,
    /// Acts on an order.
    Order,
    /// Blocks a bidder, or lifts a block.
    Block,
    /// Marks notifications read.
    Read,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Bid => "bids",
            Self::List => "listings",
            Self::Change => "changes of auctions",
            Self::Money => "movements of money",
            Self::Order => "acts on orders",
            Self::Block => "blocks",
            Self::Read => "notifications read",
        }
    }
}

/// The limits; `None` inside when they are off.
pub struct RateLimits(Option<Limiters>);

struct Limiters {
    network_sign_ins: Counters<Network>,
    sign_ins: SignIns,
    bids: Counters<UserId>,
    listings: Counters<UserId>,
    mutations: Counters<(UserId, Kind)>,
    subscribes: Counters<UserId>,
    network_subscribes: Counters<Network>,
    points: Counters<UserId>,
    network_points: Counters<Network>,
    /// Of those who are signed in.
    member_points: Counters<Network>,
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateLimits").field(&self.0.is_some()).finish()
    }
}

/// How many times an account's subscriptions those of a network may be: many people share one.
const ACCOUNTS_OF_A_NETWORK: u32 = 10;

impl RateLimits {
    /// Limits, or none.
    #[must_use]
    pub fn new(settings: Option<RateSettings>) -> Self {
        Self(settings.map(|settings| {
            let per_minute = Quota::per_minute;
            let subscribes = settings.subscribes_per_minute;
            let of_network = subscribes
                .saturating_mul(NonZeroU32::MIN.saturating_add(ACCOUNTS_OF_A_NETWORK - 1));
            let counters = settings.counters;
            Limiters {
                network_sign_ins: Counters::of(per_minute(settings.sign_ins_per_minute), counters),
                sign_ins: SignIns::new(
                    settings.sign_in_tries.get(),
                    settings.sign_in_delay,
                    counters.get(),
                ),
                bids: Counters::of(Quota::per_second(settings.bids_per_second), counters),
                listings: Counters::of(per_minute(settings.listings_per_minute), counters),
                mutations: Counters::of(per_minute(settings.mutations_per_minute), counters),
                subscribes: Counters::of(per_minute(subscribes), counters),
                network_subscribes: Counters::of(per_minute(of_network), counters),
                points: Counters::of(per_minute(settings.points_per_minute), counters),
                network_points: Counters::of(
                    per_minute(settings.network_points_per_minute),
                    counters,
                ),
                member_points: Counters::of(
                    per_minute(settings.network_points_per_minute),
                    counters,
                ),
            }
        }))
    }

    /// Counts an operation of this many points: of its account and of those who are signed in from
    /// its network, or, where nobody is signed in, of its network.
    ///
    /// # Errors
    /// When either has spent what a minute has: how long to wait.
    pub fn operation(
        &self,
        account: Option<UserId>,
        address: ClientAddress,
        points: u32,
    ) -> Result<(), Limited> {
        let (Some(limits), Some(points)) = (&self.0, NonZeroU32::new(points)) else {
            return Ok(());
        };
        let limited = Limited::of("operations", account, Some(address));
        let network = address.network();
        // Strangers of the same network, of which a mobile one is thousands, keep nobody who is
        // signed in from bidding.
        let counted = match account {
            None => limits.network_points.count(&network, points),
            Some(account) => limits
                .points
                .count(&account, points)
                .and_then(|()| limits.member_points.count(&network, points)),
        };
        counted.map_err(limited)
    }

    /// Counts a subscription that begins.
    ///
    /// # Errors
    /// When the account or the network begins too many: how long to wait.
    pub fn subscribe(
        &self,
        account: Option<UserId>,
        address: ClientAddress,
    ) -> Result<(), Limited> {
        let Some(limits) = &self.0 else {
            return Ok(());
        };
        let limited = Limited::of("subscriptions", account, Some(address));
        let one = NonZeroU32::MIN;
        let by_account = account.map(|account| limits.subscribes.count(&account, one));
        by_account.transpose().map_err(limited)?;
        limits.network_subscribes.count(&address.network(), one).map_err(limited)
    }

    /// Counts a sign-up.
    pub(super) fn sign_up(&self, address: Option<ClientAddress>) -> Result<(), Error> {
        let (Some(limits), Some(address)) = (&self.0, address) else {
            return Ok(());
        };
        limits.network_sign_in(address)
    }

    /// Counts a sign-in as one that fails, until it is said that it did not.
    pub(super) fn sign_in(
        &self,
        username: &str,
        address: Option<ClientAddress>,
    ) -> Result<Option<Attempt<'_>>, Error> {
        let (Some(limits), Some(address)) = (&self.0, address) else {
            return Ok(None);
        };
        limits.network_sign_in(address)?;
        let attempt = limits.sign_ins.begin(username, address.network());
        let limited = Limited::of("sign-ins of an account", None, Some(address));
        attempt.map(Some).map_err(|wait| limited(wait).into())
    }

    /// Counts a mutation of an account.
    fn mutation(&self, account: UserId, kind: Kind) -> Result<(), Error> {
        let Some(limits) = &self.0 else {
            return Ok(());
        };
        let one = NonZeroU32::MIN;
        let counted = match kind {
            Kind::Bid => limits.bids.count(&account, one),
            Kind::List => limits.listings.count(&account, one),
            other => limits.mutations.count(&(account, other), one),
        };
        counted.map_err(|wait| Limited::of(kind.name(), Some(account), None)(wait).into())
    }

    /// Forgets whom no limit holds back any more, so that memory stays flat.
    pub fn forget_idle(&self) {
        if let Some(limits) = &self.0 {
            limits.network_sign_ins.forget_idle();
            limits.sign_ins.forget_idle();
            limits.bids.forget_idle();
            limits.listings.forget_idle();
            limits.mutations.forget_idle();
            limits.subscribes.forget_idle();
            limits.network_subscribes.forget_idle();
            limits.points.forget_idle();
            limits.network_points.forget_idle();
        }
    }
}

impl Limiters {
    fn network_sign_in(&self, address: ClientAddress) -> Result<(), Error> {
        let counted = self.network_sign_ins.count(&address.network(), NonZeroU32::MIN);
        counted.map_err(|wait| Limited::of("sign-ins", None, Some(address))(wait).into())
    }
}

/// Who is signed in, and may ask for a mutation of this kind now.
pub(super) fn acting<'a>(ctx: &'a Context<'_>, kind: Kind) -> Result<&'a Session, Error> {
    let session = ctx.signed_in()?;
    ctx.rates()?.mutation(session.user.id, kind)?;
    Ok(session)
}

/// Too often: what, and how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// What there was too much of.
    pub what: &'static str,
    /// How long to wait, in whole seconds and at least one.
    pub retry_after_seconds: u64,
}

impl Limited {
    /// Tells it to the log, and to the client once it is known how long to wait.
    fn of(
        what: &'static str,
        account: Option<UserId>,
        address: Option<ClientAddress>,
    ) -> impl Fn(Duration) -> Self + Copy {
        move |wait| {
            let account = account.as_ref().map(|account| account as &dyn fmt::Display);
            let address = address.map(|address| address.network().address());
            security::record(Event::RateLimited, &About { account, address, subject: Some(&what) });
            let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Self { what, retry_after_seconds: whole.max(1) }
        }
    }

    /// A sentence for the client.
    #[must_use]
    pub fn message(&self) -> String {
        format!("Too many {}: wait {} s.", self.what, self.retry_after_seconds)
    }
}

impl From<Limited> for Error {
    fn from(limit: Limited) -> Self {
        limited(&limit.message(), limit.retry_after_seconds)
    }
}

/// Counters of one limit, each shared by the keys that hash to it: there are so many that two who
/// are busy hardly ever meet, and no number of strangers makes them more. The seed is the process's
/// own, so nobody can choose whom to meet.
struct Counters<K> {
    limiter: DefaultKeyedRateLimiter<u64>,
    burst: NonZeroU32,
    seed: RandomState,
    number: u64,
    keys: std::marker::PhantomData<fn(&K)>,
}

impl<K: Hash> Counters<K> {
    fn of(quota: Quota, number: NonZeroU32) -> Self {
        Self {
            limiter: RateLimiter::keyed(quota),
            burst: quota.burst_size(),
            seed: RandomState::new(),
            number: number.get().into(),
            keys: std::marker::PhantomData,
        }
    }

    /// Takes `n` from what the key has left. More than it ever has counts as all of it.
    fn count(&self, key: &K, n: NonZeroU32) -> Result<(), Duration> {
        let counter = self.seed.hash_one(key) % self.number;
        match self.limiter.check_key_n(&counter, n.min(self.burst)) {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.limiter.clock().now())),
        }
    }

    fn forget_idle(&self) {
        self.limiter.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: NonZeroU32 = NonZeroU32::new(4).unwrap();

    #[test]
    fn each_key_has_its_own_and_a_wait_is_told() {
        let counters = Counters::of(Quota::per_minute(FEW), NonZeroU32::MAX);
        for _ in 0..4 {
            assert_eq!(counters.count(&"one", NonZeroU32::MIN), Ok(()));
        }
        let wait = counters.count(&"one", NonZeroU32::MIN).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(15), "{wait:?}");
        assert_eq!(counters.count(&"other", FEW), Ok(()));
    }

    #[test]
    fn what_costs_more_than_there_ever_is_costs_all_of_it() {
        let counters = Counters::of(Quota::per_minute(FEW), NonZeroU32::MAX);
        assert_eq!(counters.count(&"one", NonZeroU32::MAX), Ok(()));
        assert!(counters.count(&"one", NonZeroU32::MIN).is_err());
    }

    #[test]
    fn no_number_of_strangers_makes_the_counters_more() {
        let counters = Counters::of(Quota::per_minute(FEW), FEW);
        for stranger in 0..10_000 {
            let _ = counters.count(&stranger, NonZeroU32::MIN);
        }
        assert!(counters.limiter.len() <= 4);
    }
}
