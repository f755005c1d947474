//! Which auctions a list shows: the same question, asked of the database by `store` and of an
//! event by [`Filter::tells`].

use std::sync::Arc;

use entity::{
    enums::{AuctionScope, AuctionStatus},
    ids::{CategoryId, RegionId, UserId},
};

use super::{event::AuctionState, listing::Listing, money::Money};

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

/// A listing whose text was put in lower case once, however many filters look for words in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchableListing {
    listing: Arc<Listing>,
    text: String,
}

impl From<Arc<Listing>> for SearchableListing {
    fn from(listing: Arc<Listing>) -> Self {
        Self { text: listing.search_text(), listing }
    }
}

impl SearchableListing {
    /// The listing itself.
    #[must_use]
    pub fn listing(&self) -> &Arc<Listing> {
        &self.listing
    }

    /// Its title and description in lower case.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What bids and deadlines change of an auction, as far as filters ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Where the auction stands in its life.
    pub status: AuctionStatus,
    /// What the leader would pay.
    pub price: Money,
}

impl Standing {
    /// That of a state.
    #[must_use]
    pub fn of(state: &AuctionState) -> Self {
        Self { status: state.status, price: state.price }
    }

    /// That of an auction which waits for its start: before its first event.
    #[must_use]
    pub fn scheduled(listing: &Listing) -> Self {
        Self { status: AuctionStatus::Scheduled, price: listing.starting_price }
    }
}

/// An auction as it was right before an event.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// Its status and price.
    pub standing: Standing,
    /// Its words and its category; `None` when an edit replaced them and they are not known.
    pub listing: Option<&'a SearchableListing>,
}

impl Filter {
    /// Whether an event is told to the list: when it shows the auction after the event, or showed
    /// it before and so loses it now. An auction that was not there before has no `before`. Where
    /// the former words are not known, the list may have shown them.
    #[must_use]
    pub fn tells(
        &self,
        before: Option<Before<'_>>,
        listing: &SearchableListing,
        standing: Standing,
    ) -> bool {
        let showed = |before: Before<'_>| match before.listing {
            Some(former) => self.matches(former, before.standing),
            None => self.could_match(&listing.listing, before.standing),
        };
        self.matches(listing, standing) || before.is_some_and(showed)
    }

    /// Whether finding a page of the list may take more than walking along it: whoever is on it is
    /// known by more than a status or a seller.
    #[must_use]
    pub fn may_read_on(&self) -> bool {
        !self.words.is_empty()
            || self.region.is_some()
            || !self.categories.is_empty()
            || self.scope.is_some()
            || self.min_price.is_some()
            || self.max_price.is_some()
    }

    /// Whether an auction is on the list.
    #[must_use]
    pub fn matches(&self, listing: &SearchableListing, standing: Standing) -> bool {
        self.matches_but_for_words(&listing.listing, standing)
            && self.words.iter().all(|word| listing.text.contains(word))
    }

    /// Whether an auction would be on the list with the right words.
    #[must_use]
    pub fn matches_but_for_words(&self, listing: &Listing, standing: Standing) -> bool {
        let category = listing.category.as_ref();
        let among = || category.is_some_and(|category| self.categories.contains(category));
        self.could_match(listing, standing) && (self.categories.is_empty() || among())
    }

    /// Whether an auction would be on the list with the right words in the right category, which
    /// its seller may change.
    #[must_use]
    pub fn could_match(&self, listing: &Listing, standing: Standing) -> bool {
        let price = standing.price.minor();
        let in_region = |around: &RegionId| {
            listing.scope == AuctionScope::National
                || listing.region.as_ref().is_some_and(|region| region.is_within(around))
        };
        (self.status.is_empty() || self.status.contains(&standing.status))
            && self.region.as_ref().is_none_or(in_region)
            && self.scope.is_none_or(|scope| scope == listing.scope)
            && self.min_price.is_none_or(|least| least <= price)
            && self.max_price.is_none_or(|most| price <= most)
            && self.seller.is_none_or(|seller| seller == listing.seller.id)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use entity::{
        enums::{ItemCondition, ShippingPayer},
        ids::AuctionId,
    };

    use super::*;
    use crate::domain::user::User;

    fn listing(title: &str, category: Option<&str>) -> SearchableListing {
        let epoch = DateTime::from_timestamp(0, 0).unwrap();
        let seller = User {
            id: UserId::new(),
            username: "seller".to_owned(),
            home_region: None,
            joined_at: epoch,
        };
        SearchableListing::from(Arc::new(Listing {
            id: AuctionId::new(),
            seller: Arc::new(seller),
            title: title.to_owned(),
            description: "Of BRASS".to_owned(),
            category: category.map(|id| CategoryId(id.to_owned())),
            condition: ItemCondition::UsedA,
            shipping_payer: ShippingPayer::Buyer,
            scope: AuctionScope::National,
            region: None,
            starting_price: money(100),
            bid_unit: None,
            buy_now_price: None,
            starts_at: epoch,
        }))
    }

    fn money(minor: i64) -> Money {
        Money::from_minor(minor).unwrap()
    }

    fn at(status: AuctionStatus, price: i64) -> Standing {
        Standing { status, price: money(price) }
    }

    use AuctionStatus::{Cancelled, Open, Scheduled, Sold};

    #[test]
    fn an_event_is_told_where_the_auction_enters_stays_or_leaves() {
        let open = Filter { status: vec![Open], ..Filter::default() };
        let scheduled = Filter { status: vec![Scheduled], ..Filter::default() };
        let cheap = Filter { max_price: Some(200), ..Filter::default() };
        let dear = Filter { min_price: Some(200), ..Filter::default() };
        let lamp = listing("Lamp", None);
        for (filter, before, after, is_told) in [
            (&open, at(Open, 100), at(Open, 150), true),
            (&open, at(Open, 100), at(Cancelled, 100), true),
            (&open, at(Open, 100), at(Sold, 100), true),
            (&open, at(Scheduled, 100), at(Open, 100), true),
            (&open, at(Scheduled, 100), at(Cancelled, 100), false),
            (&scheduled, at(Scheduled, 100), at(Open, 100), true),
            (&scheduled, at(Open, 100), at(Open, 150), false),
            (&cheap, at(Open, 200), at(Open, 201), true),
            (&cheap, at(Open, 201), at(Open, 300), false),
            (&dear, at(Open, 150), at(Open, 200), true),
            (&dear, at(Open, 100), at(Open, 199), false),
        ] {
            let former = Before { standing: before, listing: Some(&lamp) };
            let told = filter.tells(Some(former), &lamp, after);
            assert_eq!(told, is_told, "{filter:?} {before:?} {after:?}");
        }
    }

    #[test]
    fn an_auction_that_opens_as_it_is_listed_was_on_no_list() {
        let scheduled = Filter { status: vec![Scheduled], ..Filter::default() };
        assert!(!scheduled.tells(None, &listing("Lamp", None), at(Open, 100)));
        assert!(Filter::default().tells(None, &listing("Lamp", None), at(Open, 100)));
    }

    #[test]
    fn before_its_first_event_an_auction_is_scheduled_at_its_starting_price() {
        let lamp = listing("Lamp", None);
        assert_eq!(Standing::scheduled(lamp.listing()), at(Scheduled, 100));
    }

    #[test]
    fn an_edit_is_told_where_the_former_words_or_category_were_shown() {
        let lamps = Filter { words: vec!["lamp".to_owned()], ..Filter::default() };
        let brass = Filter { words: vec!["brass".to_owned()], ..Filter::default() };
        let audio = CategoryId("audio".to_owned());
        let audio = Filter { categories: vec![audio], ..Filter::default() };
        let (lamp, chair) = (listing("LAMP", Some("audio")), listing("Chair", None));
        for (filter, former, now, is_told) in [
            (&lamps, Some(&lamp), &chair, true),
            (&lamps, Some(&chair), &lamp, true),
            (&lamps, Some(&chair), &chair, false),
            (&brass, Some(&chair), &lamp, true),
            (&audio, Some(&lamp), &chair, true),
            (&audio, Some(&chair), &chair, false),
            // Nobody knows what was there: better told than silent.
            (&lamps, None, &chair, true),
            (&audio, None, &chair, true),
        ] {
            let before = Before { standing: at(Open, 100), listing: former };
            assert_eq!(filter.tells(Some(before), now, at(Open, 100)), is_told, "{filter:?}");
        }
        // What no edit changes still counts.
        let dear = Filter { min_price: Some(200), ..lamps };
        let before = Before { standing: at(Open, 100), listing: None };
        assert!(!dear.tells(Some(before), &chair, at(Open, 100)));
    }
}
