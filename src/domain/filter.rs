//! Which auctions a list shows: the same question, asked of the database by `store` and of an
//! event by [`Filter::matches`].

use entity::{
    enums::{AuctionScope, AuctionStatus},
    ids::{CategoryId, RegionId, UserId},
};

use super::{event::AuctionState, listing::Listing};

/// Which auctions a list shows; what is `None` or empty does not narrow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Lower-case words that all stand in the title or the description, whatever their case.
    pub words: Vec<String>,
    /// In one of these states.
    pub status: Vec<AuctionStatus>,
    /// Here, in the regions inside it, or national.
    pub region: Option<RegionId>,
    /// Of one of these categories.
    pub categories: Vec<CategoryId>,
    /// Of this scope.
    pub scope: Option<AuctionScope>,
    /// With at least this price, in minor units.
    pub min_price: Option<i64>,
    /// With at most this price, in minor units.
    pub max_price: Option<i64>,
    /// Of this seller.
    pub seller: Option<UserId>,
}

impl Filter {
    /// Whether an auction, as it is now, is on the list.
    #[must_use]
    pub fn matches(&self, listing: &Listing, state: &AuctionState) -> bool {
        let price = state.price.minor();
        let among = |categories: &[CategoryId]| {
            listing.category.as_ref().is_some_and(|category| categories.contains(category))
        };
        let in_region = |around: &RegionId| {
            listing.scope == AuctionScope::National
                || listing.region.as_ref().is_some_and(|region| region.is_within(around))
        };
        (self.status.is_empty() || self.status.contains(&state.status))
            && self.region.as_ref().is_none_or(in_region)
            && (self.categories.is_empty() || among(&self.categories))
            && self.scope.is_none_or(|scope| scope == listing.scope)
            && self.min_price.is_none_or(|least| least <= price)
            && self.max_price.is_none_or(|most| price <= most)
            && self.seller.is_none_or(|seller| seller == listing.seller.id)
            && self.says_all_words(listing)
    }

    fn says_all_words(&self, listing: &Listing) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let text = listing.search_text();
        self.words.iter().all(|word| text.contains(word))
    }
}
