//! Which needles stand in the words of an auction, remembered: most events change no words, and
//! most come of few auctions.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use entity::ids::AuctionId;

use super::needles::{Found, Needles};
use crate::domain::filter::SearchableListing;

/// Of how many auctions it is remembered, and how many needles in all.
const AUCTIONS: usize = 4_096;
const NEEDLES: usize = 1 << 20;

/// What was found of late.
#[derive(Debug, Default)]
pub(super) struct Scans {
    scans: HashMap<AuctionId, Scan>,
    needles: usize,
}

#[derive(Debug)]
struct Scan {
    /// Of which words: while this is held, no others are in their place in memory.
    listing: Weak<SearchableListing>,
    version: u64,
    found: Arc<Found>,
}

impl Scans {
    /// The needles that stand in an auction's words.
    pub fn found(&mut self, listing: &Arc<SearchableListing>, needles: &Needles) -> Arc<Found> {
        if needles.is_empty() {
            self.forget();
            return Arc::default();
        }
        let (auction, version) = (listing.listing().id, needles.version());
        let known = self.scans.get(&auction).filter(|scan| {
            scan.version == version && std::ptr::eq(scan.listing.as_ptr(), Arc::as_ptr(listing))
        });
        if let Some(known) = known {
            return Arc::clone(&known.found);
        }
        let found = Arc::new(needles.find(listing.text()));
        if self.scans.len() >= AUCTIONS || self.needles + found.len() > NEEDLES {
            self.forget();
        }
        self.needles += found.len();
        let scan = Scan { listing: Arc::downgrade(listing), version, found: Arc::clone(&found) };
        let former = self.scans.insert(auction, scan);
        self.needles -= former.map_or(0, |former| former.found.len());
        found
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
