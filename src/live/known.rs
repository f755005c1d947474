//! What is at hand of auctions, so that telling lists of an event need not ask the database: the
//! last state and the words. Bounded in number and in bytes; what is forgotten, that which was not
//! needed for longest first, is read again.

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

/// What is at hand of auctions. Those that were asked for of late are young; once there is no room
/// for more of them, they are the old ones, and what was old before is forgotten.
#[derive(Debug, Default)]
pub(super) struct Known {
    young: HashMap<AuctionId, Auction>,
    old: HashMap<AuctionId, Auction>,
    /// How many bytes of words are young.
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

impl Words {
    /// The words and they once more in lower case.
    fn bytes(&self) -> usize {
        2 * self.listing.text().len()
    }
}

impl Auction {
    fn bytes(&self) -> usize {
        self.words.as_ref().map_or(0, Words::bytes)
    }
}

impl Known {
    /// What is known of an auction, young from now on.
    fn auction(&mut self, id: AuctionId) -> Option<&mut Auction> {
        if let Some(auction) = self.old.remove(&id) {
            self.make_room(auction.bytes());
            self.bytes += auction.bytes();
            self.young.insert(id, auction);
        }
        self.young.get_mut(&id)
    }

    /// How an auction stood right after an event.
    pub fn state(&mut self, auction: AuctionId, after: i64) -> Option<&AuctionState> {
        let state = self.auction(auction)?.state.as_ref()?;
        (state.sequence == after).then_some(state)
    }

    /// Remembers how an auction stood right after an event.
    pub fn set_state(&mut self, event: &Event) {
        if self.auction(event.auction).is_none() {
            self.make_room(0);
        }
        self.young.entry(event.auction).or_default().state = Some(event.state.clone());
    }

    /// Whether the words of an auction are not known at all.
    pub fn lacks_words(&self, auction: AuctionId) -> bool {
        let known = self.young.get(&auction).or_else(|| self.old.get(&auction));
        known.is_none_or(|auction| auction.words.is_none())
    }

    /// The words of an event's auction, if no edit has made them old.
    pub fn words_after(&mut self, event: &Event) -> Option<Arc<SearchableListing>> {
        let words = self.auction(event.auction)?.words.as_ref()?;
        let is_old = event.kind == EventKind::Edited && words.as_of < event.sequence();
        (!is_old).then(|| Arc::clone(&words.listing))
    }

    /// The words of an event's auction as they certainly were before it.
    pub fn words_before(&mut self, event: &Event) -> Option<Arc<SearchableListing>> {
        let words = self.auction(event.auction)?.words.as_ref()?;
        (words.as_of < event.sequence()).then(|| Arc::clone(&words.listing))
    }

    /// Remembers the words of an auction, read after the event `as_of`.
    pub fn set_words(&mut self, listing: Arc<Listing>, as_of: i64) -> Arc<SearchableListing> {
        let auction = listing.id;
        let listing = Arc::new(SearchableListing::from(listing));
        let words = Words { listing: Arc::clone(&listing), as_of };
        let state = self.auction(auction).and_then(|auction| auction.state.take());
        let former = self.young.remove(&auction);
        self.bytes -= former.map_or(0, |former| former.bytes());
        self.make_room(words.bytes());
        self.bytes += words.bytes();
        self.young.insert(auction, Auction { state, words: Some(words) });
        listing
    }

    fn make_room(&mut self, more: usize) {
        if self.young.len() >= AUCTIONS / 2 || self.bytes + more > BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use entity::ids::UserId;

    use super::*;
    use crate::live::tests as fixtures;

    #[test]
    fn what_is_asked_for_all_the_while_is_not_forgotten_for_what_comes_once() {
        let mut known = Known::default();
        let hot = AuctionId::new();
        let words = |id, text: &str| Arc::new(fixtures::listing(id, UserId::new(), text));
        known.set_words(words(hot, "Lamp"), 1);
        let long = "a".repeat(1 << 16);
        let others: Vec<_> = (0..2_000).map(|_| AuctionId::new()).collect();
        let mut most = 0;
        for other in &others {
            known.set_words(words(*other, &long), 1);
            assert!(known.auction(hot).unwrap().words.is_some());
            let all = known.young.values().chain(known.old.values());
            most = most.max(all.map(Auction::bytes).sum());
        }
        assert!(known.lacks_words(others[0]) && !known.lacks_words(others[1_999]));
        assert!((BYTES / 2..=BYTES).contains(&most), "{most} bytes");
    }
}
