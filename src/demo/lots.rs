//! A lot: an auction in the eyes of those who bid on it by themselves.

use chrono::TimeDelta;
use entity::{
    Time,
    enums::{AuctionScope, AuctionStatus},
    ids::{AuctionId, RegionId},
};
use fastrand::Rng;

use super::{
    bidders::{self, Asked, Offer},
    people::Person,
    stalls::Heat,
};
use crate::domain::{
    event::{AuctionState, is_final},
    increments::IncrementTable,
    listing::{AuctionView, Listing},
};

/// How many people want a lot, at least and at most.
const WANTED_BY: (usize, usize) = (3, 7);

/// Where a lot comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From our catalogue: in which stall, and the good's place.
    Ours {
        /// The stall's place.
        stall: usize,
        /// The good's place.
        good: usize,
    },
    /// A newcomer listed it.
    Theirs,
}

/// Somebody who wants a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Their place among the people.
    pub person: usize,
    /// What it is worth to them, in won: known to nobody else.
    valuation: i64,
}

/// An auction and those who want it.
#[derive(Debug)]
pub struct Lot {
    /// Where it comes from.
    pub source: Source,
    /// As it was seen last.
    pub view: AuctionView,
    /// How eagerly people bid.
    pub heat: Heat,
    interests: Vec<Interest>,
    /// Until then nobody bids.
    rest_until: Time,
}

impl Lot {
    /// A lot about worth `worth`, and some of the people who may bid on it.
    pub fn new(
        (source, heat): (Source, Heat),
        view: AuctionView,
        worth: i64,
        people: &[Person],
        rng: &mut Rng,
    ) -> Self {
        let listing = &view.listing;
        let unit = listing.bid_unit.map(|unit| unit.minor());
        let mut may: Vec<usize> = (0..)
            .zip(people)
            .filter(|(_, person)| may_want(person, listing))
            .map(|(place, _)| place)
            .collect();
        rng.shuffle(&mut may);
        may.truncate(rng.usize(WANTED_BY.0..=WANTED_BY.1));
        let interests = may
            .into_iter()
            .map(|person| Interest { person, valuation: bidders::valuation(rng, worth, unit) })
            .collect();
        Self { rest_until: listing.starts_at, source, heat, interests, view }
    }

    /// Which auction.
    pub fn id(&self) -> AuctionId {
        self.view.listing.id
    }

    /// Whether it was sold, or came to another end.
    pub fn has_ended(&self) -> bool {
        is_final(self.view.state.status)
    }

    /// How long it still runs.
    pub fn left(&self, now: Time) -> TimeDelta {
        self.view.state.ends_at - now
    }

    /// Leaves it alone for a while.
    pub fn rest(&mut self, rng: &mut Rng, now: Time) {
        self.rest_until = now + bidders::rest(rng, self.heat, self.left(now));
    }

    /// Somebody is not let in: they do not try again.
    pub fn forget(&mut self, person: usize) {
        self.interests.retain(|interest| interest.person != person);
    }

    /// The next bid, and whose; `None` while it rests or everybody has enough. `is_led_by_guest`:
    /// whether somebody leads who does not bid by themselves.
    pub fn next_bid(
        &self,
        now: Time,
        people: &[Person],
        table: &IncrementTable,
        is_led_by_guest: bool,
        rng: &mut Rng,
    ) -> Option<(usize, Offer)> {
        let AuctionView { listing, state } = &self.view;
        let is_open = state.status == AuctionStatus::Open && now < state.ends_at;
        if !is_open || now < self.rest_until {
            return None;
        }
        let guests_only = self.heat == Heat::Guests;
        if guests_only && state.leader.is_some() && !is_led_by_guest {
            return None;
        }
        let asked = asked(listing, state, table);
        let progress = match guests_only {
            true => 1_000,
            false => bidders::progress(listing.starts_at, state.ends_at, now),
        };
        let willing = |interest: &Interest| bidders::willing(interest.valuation, progress);
        let leader = state.leader.as_ref().map(|user| user.id);
        let would = |interest: &&Interest| {
            let is_leader = people.get(interest.person).map(Person::id) == leader;
            !is_leader && willing(interest) >= asked.minimum
        };
        let ready: Vec<&Interest> = self.interests.iter().filter(would).collect();
        let chosen = rng.choice(ready)?;
        let offer = match guests_only {
            true => Offer { amount: asked.minimum, maximum: None },
            false => bidders::offer(rng, willing(chosen), asked)?,
        };
        Some((chosen.person, offer))
    }
}

fn asked(listing: &Listing, state: &AuctionState, table: &IncrementTable) -> Asked {
    let step = listing.bid_unit.unwrap_or_else(|| table.at(state.price));
    Asked { minimum: state.minimum_bid.minor(), step: step.minor() }
}

fn may_want(person: &Person, listing: &Listing) -> bool {
    person.is_bidder() && person.id() != listing.seller.id && person.lives_in(open_to(listing))
}

/// The region whose people alone may bid.
fn open_to(listing: &Listing) -> Option<&RegionId> {
    let is_regional = listing.scope == AuctionScope::Regional;
    listing.region.as_ref().filter(|_| is_regional)
}
