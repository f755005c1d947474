//! How many sockets an address holds.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts sockets by address, up to a bound each.
#[derive(Debug)]
pub struct Sockets {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A socket's place in the count, given back when dropped.
#[derive(Debug)]
pub struct Place {
    sockets: Arc<Sockets>,
    address: IpAddr,
}

impl Sockets {
    /// At most `most` an address.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::new(HashMap::new()) })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more socket of `address`, if there is one.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut open = self.open();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        metrics::gauge!("neighborbid_sockets").increment(1);
        Some(Place { sockets: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("neighborbid_sockets").decrement(1);
        if let Entry::Occupied(mut count) = self.sockets.open().entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_more_than_its_share() {
        let sockets = Sockets::new(2);
        let [here, there] = [1, 2].map(|n| IpAddr::from([127, 0, 0, n]));
        let places = [sockets.enter(here), sockets.enter(here)];
        assert!(places.iter().all(Option::is_some));
        assert!(sockets.enter(here).is_none());
        assert!(sockets.enter(there).is_some());
        drop(places);
        assert!(sockets.enter(here).is_some());
    }
}
