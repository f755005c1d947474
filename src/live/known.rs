//! What is at hand of auctions, so that telling lists of an event need not ask the database: the
//! last state and the words. Bounded in number and in bytes; what is forgotten is read again.

use std::{collections::HashMap, sync::Arc};

use entity::{enums::EventKind, ids::AuctionId};

use crate::domain::{
    event::{AuctionState, Event},
    filter::SearchableListing,
    listing::Listing,
};

/// Of how many auctions, and how many bytes of words.
const AUCTIONS: usize = 10_000;
const BYTES: usize = 64 << 20;

/// What is at hand of auctions.
#[derive(Debug, Default)]
pub(super) struct Known {
    auctions: HashMap<AuctionId, Auction>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Auction {
    state: Option<AuctionState>,
    words: Option<Words>,
}

/// A listing, and after which event it was so.
#[derive(Debug)]
struct Words {
    listing: Arc<SearchableListing>,
    as_of: i64,
}

/// The words and they once more in lower case.
fn bytes(listing: &SearchableListing) -> usize {
    2 * listing.text().len()
}

impl Known {
    /// How an auction stood right after an event.
    pub fn state(&self, auction: AuctionId, after: i64) -> Option<&AuctionState> {
        let state = self.auctions.get(&auction)?.state.as_ref()?;
        (state.sequence == after).then_some(state)
    }

    /// Remembers how an auction stood right after an event.
    pub fn set_state(&mut self, event: &Event) {
        self.make_room(0);
        self.auctions.entry(event.auction).or_default().state = Some(event.state.clone());
    }

    /// Whether the words of an auction are not known at all.
    pub fn lacks_words(&self, auction: AuctionId) -> bool {
        self.auctions.get(&auction).is_none_or(|auction| auction.words.is_none())
    }

    /// The words of an event's auction, if no edit has made them old.
    pub fn words_after(&self, event: &Event) -> Option<Arc<SearchableListing>> {
        let words = self.auctions.get(&event.auction)?.words.as_ref()?;
        let is_old = event.kind == EventKind::Edited && words.as_of < event.sequence();
        (!is_old).then(|| Arc::clone(&words.listing))
    }

    /// The words of an event's auction as they certainly were before it.
    pub fn words_before(&self, event: &Event) -> Option<Arc<SearchableListing>> {
        let words = self.auctions.get(&event.auction)?.words.as_ref()?;
        (words.as_of < event.sequence()).then(|| Arc::clone(&words.listing))
    }

    /// Remembers the words of an auction, read after the event `as_of`.
    pub fn set_words(&mut self, listing: Arc<Listing>, as_of: i64) -> Arc<SearchableListing> {
        let auction = listing.id;
        let listing = Arc::new(SearchableListing::from(listing));
        self.make_room(bytes(&listing));
        self.bytes += bytes(&listing);
        let words = Words { listing: Arc::clone(&listing), as_of };
        let former = self.auctions.entry(auction).or_default().words.replace(words);
        self.bytes -= former.map_or(0, |former| bytes(&former.listing));
        listing
    }

    fn make_room(&mut self, more: usize) {
        if self.auctions.len() >= AUCTIONS || self.bytes + more > BYTES {
            self.forget();
        }
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
