//! Whose watching is counted, and the bound on what each may watch at once.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::ids::UserId;

use crate::store::DbErr;

/// Who watches: a client at a network, signed in or not. What is not known is not counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watcher {
    network: Option<IpAddr>,
    account: Option<UserId>,
}

/// What watching is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    Network(IpAddr),
    Account(UserId),
}

impl Watcher {
    /// A client at an address, and the account that is signed in.
    #[must_use]
    pub fn new(address: Option<IpAddr>, account: Option<UserId>) -> Self {
        Self { network: address.map(network), account }
    }

    /// What is counted for it: the account before the network.
    pub(super) fn payers(&self) -> impl Iterator<Item = Payer> + use<> {
        let account = self.account.map(Payer::Account);
        account.into_iter().chain(self.network.map(Payer::Network))
    }
}

/// The network that an address stands for: of IPv6 the first 64 bits, which one subscriber is
/// given at least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let bits = u128::from(six) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        four => four,
    }
}

/// Why something is not watched.
#[derive(Debug)]
pub enum Unwatched {
    /// The watcher watches as many as it may; in words for a client.
    TooMany(&'static str),
    /// The database refused.
    Failed(DbErr),
}

impl From<DbErr> for Unwatched {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

/// How many each watches of one kind.
#[derive(Debug)]
pub(super) struct Shares {
    per_address: usize,
    per_account: usize,
    held: Mutex<HashMap<Payer, usize>>,
}

/// One that is held; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    payers: Vec<Payer>,
}

impl Shares {
    pub fn new(per_address: usize, per_account: usize) -> Arc<Self> {
        Arc::new(Self { per_address, per_account, held: Mutex::default() })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Payer, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more of a watcher's.
    ///
    /// # Errors
    /// With why not, when it has as many as it may.
    pub fn take(self: &Arc<Self>, watcher: &Watcher) -> Result<Share, Unwatched> {
        let mut held = self.held();
        let count = |payer: &Payer| held.get(payer).copied().unwrap_or_default();
        for payer in watcher.payers() {
            let (most, why) = match payer {
                Payer::Account(_) => {
                    (self.per_account, "This account watches as many of these as it may: end one.")
                }
                Payer::Network(_) => (
                    self.per_address,
                    "As many of these as may be are watched from this address: end one.",
                ),
            };
            if count(&payer) >= most {
                return Err(Unwatched::TooMany(why));
            }
        }
        let payers: Vec<_> = watcher.payers().collect();
        for payer in &payers {
            *held.entry(*payer).or_default() += 1;
        }
        Ok(Share { shares: Arc::clone(self), payers })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        for payer in &self.payers {
            if let Entry::Occupied(mut count) = held.entry(*payer) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watcher(address: &str, account: Option<UserId>) -> Watcher {
        Watcher::new(Some(address.parse().unwrap()), account)
    }

    #[test]
    fn an_address_and_an_account_each_hold_as_many_as_they_may() {
        let shares = Shares::new(3, 2);
        let (ann, ben) = (Some(UserId::new()), Some(UserId::new()));
        let first = shares.take(&watcher("2001:db8::1", ann)).unwrap();
        let _second = shares.take(&watcher("2001:db8:0:0:ffff::2", ann)).unwrap();
        shares.take(&watcher("192.0.2.1", ann)).unwrap_err();
        let _third = shares.take(&watcher("2001:db8::3", ben)).unwrap();
        shares.take(&watcher("2001:db8::4", None)).unwrap_err();
        let _elsewhere = shares.take(&watcher("2001:db8:0:1::4", None)).unwrap();
        drop(first);
        let _again = shares.take(&watcher("2001:db8::4", ann)).unwrap();
        // Nobody is counted whom nobody knows.
        let unknown: Vec<_> = (0..9).map(|_| shares.take(&Watcher::default()).unwrap()).collect();
        assert_eq!((unknown.len(), shares.held().len()), (9, 4));
    }

    #[test]
    fn an_address_of_ipv4_is_the_same_within_ipv6() {
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network([192, 0, 2, 1].into()));
        assert_ne!(network([192, 0, 2, 1].into()), network([192, 0, 2, 2].into()));
    }
}
