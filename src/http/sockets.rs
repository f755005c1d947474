//! How many sockets, event streams or requests each address holds.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::graphql::{ClientAddress, Network};

/// Counts by address, up to a bound each.
#[derive(Debug)]
pub struct Places {
    most: usize,
    gauge: Option<&'static str>,
    open: Mutex<HashMap<Network, usize>>,
}

/// A place in the count, given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    network: Network,
}

impl Places {
    /// At most `most` an address; `gauge` is the metric of how many there are.
    pub fn new(most: usize, gauge: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self { most, gauge, open: Mutex::new(HashMap::new()) })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more of `address`, if there is one.
    pub fn enter(self: &Arc<Self>, address: ClientAddress) -> Option<Place> {
        let network = address.network();
        let mut open = self.open();
        let count = open.entry(network).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        if let Some(gauge) = self.gauge {
            metrics::gauge!(gauge).increment(1);
        }
        Some(Place { places: Arc::clone(self), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gauge) = self.places.gauge {
            metrics::gauge!(gauge).decrement(1);
        }
        if let Entry::Occupied(mut count) = self.places.open().entry(self.network) {
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
        let all = Places::new(2, None);
        let [here, there] = [1, 2].map(|n| ClientAddress([127, 0, 0, n].into()));
        let places = [all.enter(here), all.enter(here)];
        assert!(places.iter().all(Option::is_some));
        assert!(all.enter(here).is_none());
        assert!(all.enter(there).is_some());
        drop(places);
        assert!(all.enter(here).is_some());
    }
}
