//! The watched lists of a node, filed by what their filters ask for, so that an event meets only
//! those that it may concern. [`Filter::tells`] says which these are; here they are found without
//! asking every filter.
//!
//! A filter is filed once: under its seller, and under the narrowest of its longest word, its
//! region, its categories and its prices. What else it asks for is compared when it is met, at
//! the cost of a few numbers: the words of all filters are looked for in a text together.

mod needles;
mod scans;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use entity::{
    enums::{AuctionScope, AuctionStatus},
    ids::{CategoryId, RegionId, UserId},
};

use self::{
    needles::{Found, NeedleId, Needles},
    scans::Scans,
};
use super::{list::List, memory::Memory};
use crate::domain::{
    filter::{Before, Filter, SearchableListing, Standing},
    listing::Listing,
};

/// How many times as many bytes as for readers who are behind may be taken to know what the lists
/// told last: with the defaults, 200 lists that were each told of 10,000 auctions.
const KNOWN: usize = 4;

/// Watched lists, each by its filter.
#[derive(Debug)]
pub(super) struct Index {
    /// What all lists hold for readers who are behind.
    memory: Arc<Memory>,
    /// What it takes all lists to know what they told last.
    known: Arc<Memory>,
    ids: HashMap<Arc<Filter>, SlotId>,
    slots: BTreeMap<SlotId, Slot>,
    next: SlotId,
    shelves: HashMap<Place, Shelf>,
    /// The regions that shelves are of: a national auction is in each.
    regions: BTreeSet<(Option<UserId>, RegionId)>,
    /// How many shelves there are of each size of range.
    sizes: BTreeMap<u32, usize>,
    needles: Needles,
    scans: Scans,
}

type SlotId = u64;

#[derive(Debug)]
struct Slot {
    filter: Arc<Filter>,
    list: Arc<List>,
    needles: Vec<NeedleId>,
}

/// Where a filter is filed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    seller: Option<UserId>,
    by: By,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum By {
    Word(NeedleId),
    Region(RegionId),
    Category(CategoryId),
    /// One of the ranges that a range of prices is made of: from a multiple of a power of two to
    /// the next.
    Prices(u32, u64),
    Nothing,
}

/// The filters of a place, by what is compared most quickly: a set of states, and the scope.
type Shelf = HashMap<(u8, Option<AuctionScope>), BTreeSet<SlotId>>;

/// An auction at one moment.
struct Moment<'a> {
    listing: &'a Listing,
    found: &'a Found,
    standing: Standing,
}

impl Index {
    /// No lists; they may hold so many bytes for readers who are behind, and [`KNOWN`] times as
    /// many to know what they told last.
    pub fn within(bytes: usize) -> Self {
        Self {
            memory: Arc::new(Memory::new(bytes)),
            known: Arc::new(Memory::new(bytes.saturating_mul(KNOWN))),
            ids: HashMap::new(),
            slots: BTreeMap::new(),
            next: 0,
            shelves: HashMap::new(),
            regions: BTreeSet::new(),
            sizes: BTreeMap::new(),
            needles: Needles::default(),
            scans: Scans::default(),
        }
    }

    /// The list of a filter, filed if it was not.
    pub fn list(&mut self, filter: &Arc<Filter>) -> Arc<List> {
        if let Some(slot) = self.ids.get(filter).and_then(|id| self.slots.get(id)) {
            return Arc::clone(&slot.list);
        }
        let id = self.next;
        self.next += 1;
        let words = filter.words.iter();
        let needles = words.filter_map(|word| self.needles.add(word)).collect();
        let list = Arc::new(List::within(Arc::clone(&self.memory), Arc::clone(&self.known)));
        let filter = Arc::clone(filter);
        let slot = Slot { filter: Arc::clone(&filter), list: Arc::clone(&list), needles };
        for place in places(&slot) {
            self.file(id, &slot.filter, place);
        }
        self.ids.insert(filter, id);
        self.slots.insert(id, slot);
        list
    }

    /// Takes a list out.
    pub fn remove(&mut self, filter: &Filter) {
        let Some(slot_id) = self.ids.remove(filter) else { return };
        let Some(slot) = self.slots.remove(&slot_id) else { return };
        for place in places(&slot) {
            self.unfile(slot_id, &slot.filter, place);
        }
        slot.filter.words.iter().for_each(|word| self.needles.remove(word));
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    fn file(&mut self, id: SlotId, filter: &Filter, place: Place) {
        match &place.by {
            By::Region(region) => drop(self.regions.insert((place.seller, region.clone()))),
            By::Prices(size, _) if !self.shelves.contains_key(&place) => {
                *self.sizes.entry(*size).or_default() += 1;
            }
            _ => {}
        }
        let shelf = self.shelves.entry(place).or_default();
        shelf.entry((states(filter), filter.scope)).or_default().insert(id);
    }

    fn unfile(&mut self, id: SlotId, filter: &Filter, place: Place) {
        let Some(shelf) = self.shelves.get_mut(&place) else { return };
        let part = (states(filter), filter.scope);
        if let Some(ids) = shelf.get_mut(&part) {
            ids.remove(&id);
            if ids.is_empty() {
                shelf.remove(&part);
            }
        }
        if !shelf.is_empty() {
            return;
        }
        self.shelves.remove(&place);
        match place.by {
            By::Region(region) => drop(self.regions.remove(&(place.seller, region))),
            By::Prices(size, _) => {
                if let Some(count) = self.sizes.get_mut(&size) {
                    *count -= 1;
                    if *count == 0 {
                        self.sizes.remove(&size);
                    }
                }
            }
            _ => {}
        }
    }

    /// The lists that an event is told to: see [`Filter::tells`].
    pub fn told(
        &mut self,
        before: Option<Before<'_>>,
        listing: &Arc<SearchableListing>,
        standing: Standing,
    ) -> Vec<Arc<List>> {
        let mut told = Vec::new();
        let found = self.scans.found(listing, &self.needles);
        let now = Moment { listing: listing.listing(), found: &found, standing };
        self.matching(&now, &mut told);
        // Nothing that filters ask for has changed: the lists are the same.
        let is_same = |before: &Before<'_>| {
            before.standing == standing
                && before.listing.is_some_and(|former| std::ptr::eq(former, listing.as_ref()))
        };
        let before = before.filter(|before| !is_same(before));
        match before.map(|Before { listing, standing }| (listing, standing)) {
            None => {}
            Some((Some(former), before)) if std::ptr::eq(former, listing.as_ref()) => {
                self.matching(&Moment { standing: before, ..now }, &mut told);
            }
            Some((Some(former), standing)) => {
                let found = self.needles.find(former.text());
                let listing = former.listing();
                self.matching(&Moment { listing, found: &found, standing }, &mut told);
            }
            // What was there is not known, so it may have been on any list.
            Some((None, standing)) => {
                let could = |slot: &Slot| slot.filter.could_match(listing.listing(), standing);
                let slots = self.slots.iter().filter(|(_, slot)| could(slot));
                told.extend(slots.map(|(id, _)| *id));
            }
        }
        told.sort_unstable();
        told.dedup();
        let list = |id| self.slots.get(id).map(|slot| Arc::clone(&slot.list));
        told.iter().filter_map(list).collect()
    }

    /// Once the lists hold more than they may, those that hold most keep less for readers who
    /// are behind. A list whose readers keep up holds nothing for them, and so loses nothing.
    ///
    /// What the lists told last has a bound of its own: every list needs that, and it is given up
    /// only where there are very many that are told of everything.
    pub fn make_room(&self) {
        self.give_up(&self.memory, List::bytes, List::shrink);
        self.give_up(&self.known, List::known_bytes, List::forget);
    }

    fn give_up(&self, memory: &Memory, bytes: fn(&List) -> usize, halve: fn(&List) -> bool) {
        if !memory.is_exceeded() {
            return;
        }
        let mut lists: Vec<_> = self.slots.values().map(|slot| (bytes(&slot.list), slot)).collect();
        lists.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        let mut shrunk = true;
        while std::mem::take(&mut shrunk) {
            for (_, slot) in &lists {
                if memory.has_room() {
                    return;
                }
                shrunk |= halve(&slot.list);
            }
        }
    }

    /// Adds the lists that an auction is on.
    fn matching(&self, moment: &Moment<'_>, told: &mut Vec<SlotId>) {
        let state = bit(moment.standing.status);
        for place in self.places_of(moment) {
            let Some(shelf) = self.shelves.get(&place) else { continue };
            for ((states, scope), ids) in shelf {
                if (*states != 0 && states & state == 0)
                    || scope.is_some_and(|scope| scope != moment.listing.scope)
                {
                    continue;
                }
                told.extend(ids.iter().filter(|id| self.matches(id, moment)));
            }
        }
    }

    fn matches(&self, id: &SlotId, moment: &Moment<'_>) -> bool {
        let Some(Slot { filter, needles, .. }) = self.slots.get(id) else { return false };
        filter.matches_but_for_words(moment.listing, moment.standing)
            && needles.iter().all(|needle| moment.found.contains(needle))
    }

    /// The places of all filters that may let an auction through.
    fn places_of(&self, moment: &Moment<'_>) -> Vec<Place> {
        let Moment { listing, found, standing } = moment;
        let mut all = vec![By::Nothing];
        all.extend(found.iter().copied().map(By::Word));
        all.extend(listing.category.iter().cloned().map(By::Category));
        let price = unsigned(standing.price.minor());
        all.extend(self.sizes.keys().map(|size| By::Prices(*size, price >> size)));
        if listing.scope == AuctionScope::National {
            all.extend(self.regions.iter().map(|(_, region)| By::Region(region.clone())));
        } else if let Some(RegionId(code)) = &listing.region {
            let around = (0..=code.len()).filter_map(|length| code.get(..length));
            all.extend(around.map(|code| By::Region(RegionId(code.to_owned()))));
        }
        let of = |by: By| {
            let seller = Some(listing.seller.id);
            [Place { seller: None, by: by.clone() }, Place { seller, by }]
        };
        all.into_iter().flat_map(of).collect()
    }
}

/// Where a list is filed: in one place for each category, or each range, that it is made of.
fn places(slot: &Slot) -> Vec<Place> {
    let Slot { filter, needles, .. } = slot;
    let words = filter.words.iter().filter(|word| !word.is_empty());
    let longest = words.zip(needles).max_by_key(|(word, _)| word.len());
    let by = match (longest, &filter.region) {
        (Some((_, needle)), _) => vec![By::Word(*needle)],
        (None, Some(region)) => vec![By::Region(region.clone())],
        (None, None) if !filter.categories.is_empty() => {
            filter.categories.iter().cloned().map(By::Category).collect()
        }
        (None, None) if filter.min_price.is_some() || filter.max_price.is_some() => {
            ranges(filter.min_price.unwrap_or(0), filter.max_price.unwrap_or(i64::MAX))
        }
        (None, None) => vec![By::Nothing],
    };
    by.into_iter().map(|by| Place { seller: filter.seller, by }).collect()
}

/// A range of prices, made of ranges from a multiple of a power of two to the next: a price lies
/// in at most one of each size, and so do few others' ranges.
fn ranges(min: i64, max: i64) -> Vec<By> {
    let mut ranges = Vec::new();
    if max < 0 {
        return ranges;
    }
    let (mut first, mut last) = (unsigned(min), unsigned(max));
    let mut size = 0;
    while first <= last {
        if first % 2 == 1 {
            ranges.push(By::Prices(size, first));
            first += 1;
        }
        if last % 2 == 0 && first <= last {
            ranges.push(By::Prices(size, last));
            if last == 0 {
                break;
            }
            last -= 1;
        }
        if first > last {
            break;
        }
        (first, last, size) = (first / 2, last / 2, size + 1);
    }
    ranges
}

fn unsigned(price: i64) -> u64 {
    price.max(0).unsigned_abs()
}

/// The states that a filter lets through, a bit each; none for all of them.
fn states(filter: &Filter) -> u8 {
    filter.status.iter().fold(0, |states, status| states | bit(*status))
}

fn bit(status: AuctionStatus) -> u8 {
    1 << status as u8
}
