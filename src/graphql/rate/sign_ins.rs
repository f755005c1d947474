//! The sign-ins of an account. Whoever tries wrong passwords on an account from one network waits
//! before each further try, twice as long each time; others do not wait for them.
//!
//! A try is counted as wrong when it begins, so that many at once are no way round. A network from
//! which nobody has tried yet is always heard at once, so no number of strangers keeps an account's
//! owner out; while an account is attacked from many networks, each has a single try before it
//! waits. A network that has signed in has more tries, and waits a short time at most.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{domain::name, graphql::context::Network, telemetry::Seldom};

/// After so long without a try, what was tried is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// So many wrong tries from networks that never signed in are an attack.
const ATTACK: u32 = 20;

/// How long a network waits at most that has signed in.
const SHORT: Duration = Duration::from_secs(30);

/// Wrong tries, by account and network.
#[derive(Debug)]
pub struct SignIns {
    tries: u32,
    longest: Duration,
    most: usize,
    seed: RandomState,
    known: Mutex<HashMap<Key, Tries>>,
}

/// The hash of an account's name, and that of the network; None for all networks that never
/// signed in.
type Key = (u64, Option<u64>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    wrong: u32,
    last: Instant,
    /// Until then nothing is judged.
    until: Instant,
    /// The account was signed in to from this network.
    is_trusted: bool,
}

/// A try that counts as wrong.
#[derive(Debug)]
pub struct Attempt<'a> {
    of: &'a SignIns,
    pair: Key,
}

impl SignIns {
    pub fn new(tries: u32, longest: Duration, most: u32) -> Self {
        Self {
            tries,
            longest,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            seed: RandomState::new(),
            known: Mutex::default(),
        }
    }

    /// Begins a try now.
    ///
    /// # Errors
    /// With how long to wait: nothing is judged before.
    pub fn begin(&self, username: &str, from: Network) -> Result<Attempt<'_>, Duration> {
        self.begin_at(username, from, Instant::now())
    }

    fn begin_at(
        &self,
        username: &str,
        from: Network,
        now: Instant,
    ) -> Result<Attempt<'_>, Duration> {
        // No account has a name that is too long to be one: they count as one.
        let name = name::typed(username).map(|name| name::key(&name)).unwrap_or_default();
        let account = self.seed.hash_one(&name);
        let pair = (account, Some(self.seed.hash_one(from)));
        let mut known = self.known();
        if known.len() >= self.most {
            make_room(&mut known, now);
        }
        let strangers = known.get(&(account, None)).filter(|tries| tries.counts(now));
        let is_attacked = strangers.is_some_and(|tries| tries.wrong >= ATTACK);
        let tries = known.entry(pair).or_insert_with(|| Tries::none(now));
        if tries.until > now {
            return Err(tries.until - now);
        }
        let free = match (tries.is_trusted, is_attacked) {
            (true, _) => self.tries.saturating_mul(2),
            (false, true) => 1,
            (false, false) => self.tries,
        };
        let longest = if tries.is_trusted { SHORT.min(self.longest) } else { self.longest };
        tries.count(now);
        if tries.wrong >= free {
            let doubled = 1_u64.checked_shl(tries.wrong - free).unwrap_or(u64::MAX);
            tries.until = now + Duration::from_secs(doubled).min(longest);
        }
        if !tries.is_trusted {
            known.entry((account, None)).or_insert_with(|| Tries::none(now)).count(now);
        }
        Ok(Attempt { of: self, pair })
    }

    /// Forgets what was tried long ago.
    pub fn forget_idle(&self) {
        let now = Instant::now();
        self.known().retain(|_, tries| tries.counts(now) || tries.is_trusted);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Tries>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is forgotten soonest: those who may try again already; then whoever is left.
fn make_room(known: &mut HashMap<Key, Tries>, now: Instant) {
    let (before, half) = (known.len(), known.len() / 2);
    known.retain(|_, tries| tries.until > now || (tries.counts(now) && tries.wrong >= ATTACK));
    if known.len() > half {
        let mut left = half;
        known.retain(|_, _| {
            left = left.saturating_sub(1);
            left > 0
        });
    }
    static SAID: Seldom = Seldom::new();
    if let Some(unsaid) = SAID.now() {
        let after = known.len();
        tracing::warn!(before, after, unsaid, "sign-ins are tried on too many accounts");
    }
}

impl Attempt<'_> {
    /// The password was right: the network is one of the account's from now on.
    pub fn succeeded(self) {
        let mut known = self.of.known();
        if let Some(tries) = known.get_mut(&self.pair) {
            let was_trusted = std::mem::replace(&mut tries.is_trusted, true);
            (tries.wrong, tries.until) = (0, tries.last);
            if !was_trusted {
                take_back(&mut known, self.pair.0);
            }
        }
    }

    /// Nothing was judged.
    pub fn withdraw(self) {
        let mut known = self.of.known();
        if let Some(tries) = known.get_mut(&self.pair) {
            tries.wrong = tries.wrong.saturating_sub(1);
            tries.until = tries.last;
            if !tries.is_trusted {
                take_back(&mut known, self.pair.0);
            }
        }
    }
}

fn take_back(known: &mut HashMap<Key, Tries>, account: u64) {
    if let Some(strangers) = known.get_mut(&(account, None)) {
        strangers.wrong = strangers.wrong.saturating_sub(1);
    }
}

impl Tries {
    const fn none(now: Instant) -> Self {
        Self { wrong: 0, last: now, until: now, is_trusted: false }
    }

    fn counts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < FORGOTTEN
    }

    fn count(&mut self, now: Instant) {
        if !self.counts(now) {
            self.wrong = 0;
        }
        self.wrong = self.wrong.saturating_add(1);
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::ClientAddress;

    fn network(n: u32) -> Network {
        ClientAddress(std::net::Ipv4Addr::from_bits(n).into()).network()
    }

    fn sign_ins() -> SignIns {
        SignIns::new(5, Duration::from_secs(900), 1_000)
    }

    /// How long each of so many wrong tries waits that are made as early as they may be.
    fn waits(sign_ins: &SignIns, from: Network, number: usize, now: &mut Instant) -> Vec<u64> {
        let mut waits = Vec::new();
        for _ in 0..number {
            let wait = sign_ins.begin_at("emma", from, *now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            *now += wait;
            if wait > Duration::ZERO {
                assert!(sign_ins.begin_at("emma", from, *now).is_ok(), "as early as was said");
            }
        }
        waits
    }

    #[test]
    fn each_further_wrong_password_waits_twice_as_long() {
        let (sign_ins, mut now) = (sign_ins(), Instant::now());
        let waited = waits(&sign_ins, network(1), 18, &mut now);
        let expected =
            [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900].to_vec();
        assert_eq!(waited, expected);
        // The same name, however it is typed.
        assert!(sign_ins.begin_at("ＥＭＭＡ", network(1), now).is_err());
        // Neither for another account nor from another network.
        assert!(sign_ins.begin_at("anna", network(1), now).is_ok());
        assert!(sign_ins.begin_at("emma", network(2), now).is_ok());
        // A night later it is forgotten.
        now += Duration::from_secs(8 * 3_600);
        assert_eq!(waits(&sign_ins, network(1), 6, &mut now), [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn many_at_once_are_no_way_round() {
        let (sign_ins, now) = (sign_ins(), Instant::now());
        let judged = (0..500).filter(|_| sign_ins.begin_at("emma", network(1), now).is_ok());
        assert_eq!(judged.count(), 5);
    }

    #[test]
    fn no_number_of_strangers_keeps_the_owner_out() {
        let (sign_ins, mut now) = (sign_ins(), Instant::now());
        sign_ins.begin_at("emma", network(0), now).unwrap().succeeded();
        let mut judged = 0;
        for stranger in 1..=200 {
            let from = network(stranger);
            judged += (0..10).filter(|_| sign_ins.begin_at("emma", from, now).is_ok()).count();
        }
        assert!(judged < 220, "{judged}: a single try each, once it is an attack");
        // From home, also after some slips; and from wherever nobody has tried.
        assert_eq!(waits(&sign_ins, network(0), 10, &mut now), [0; 10]);
        assert!(sign_ins.begin_at("emma", network(9_999), now).is_ok());
        // Those at home who are not the owner make the owner wait, but not for long.
        let waited = waits(&sign_ins, network(0), 12, &mut now);
        assert!(waited.iter().all(|wait| *wait <= 30), "{waited:?}");
    }

    #[test]
    fn a_right_password_begins_anew_and_what_was_not_judged_does_not_count() {
        let (sign_ins, now) = (sign_ins(), Instant::now());
        for _ in 0..50 {
            sign_ins.begin_at("emma", network(1), now).unwrap().withdraw();
        }
        for _ in 0..4 {
            assert!(sign_ins.begin_at("emma", network(1), now).is_ok());
        }
        sign_ins.begin_at("emma", network(1), now).unwrap().succeeded();
        let judged = (0..50).filter(|_| sign_ins.begin_at("emma", network(1), now).is_ok());
        assert_eq!(judged.count(), 10);
    }

    #[test]
    fn memory_is_bounded() {
        let (sign_ins, now) = (sign_ins(), Instant::now());
        for n in 0..20_000 {
            let _ = sign_ins.begin_at(&format!("name{n}"), network(n), now);
            assert!(sign_ins.known().len() <= 1_001);
        }
        sign_ins.begin_at(&"x".repeat(100_000), network(1), now).unwrap();
    }
}
