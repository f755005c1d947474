//! The index tells what the filters themselves would.

use entity::ids::AuctionId;
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

use super::*;
use crate::{domain::money::Money, live::tests as fixtures};

const STATES: [AuctionStatus; 4] =
    [AuctionStatus::Scheduled, AuctionStatus::Open, AuctionStatus::Sold, AuctionStatus::Cancelled];
const SCOPES: [AuctionScope; 2] = [AuctionScope::National, AuctionScope::Regional];

fn seller() -> impl Strategy<Value = UserId> {
    (0..2_u128).prop_map(|number| UserId(Uuid::from_u128(number)))
}

fn region() -> impl Strategy<Value = RegionId> {
    select(vec!["", "1", "11", "111", "12", "2"]).prop_map(|code| RegionId(code.to_owned()))
}

fn category() -> impl Strategy<Value = CategoryId> {
    select(vec!["a", "b", "c"]).prop_map(|id| CategoryId(id.to_owned()))
}

fn price() -> impl Strategy<Value = i64> {
    prop_oneof![0..8_i64, 60..70_i64, Just(1_000_000_000_000_000)]
}

fn filter() -> impl Strategy<Value = Filter> {
    let words = prop_oneof![2 => Just(vec![]), 3 => vec("[ab램]{0,3}", 1..3)];
    let prices = (option::weighted(0.3, price()), option::weighted(0.3, price()));
    let state = prop_oneof![Just(vec![]), vec(select(&STATES[..]), 1..3)];
    let categories = prop_oneof![3 => Just(vec![]), 1 => vec(category(), 1..3)];
    let scope = option::weighted(0.3, select(&SCOPES[..]));
    let places = (option::weighted(0.3, region()), option::weighted(0.2, seller()));
    (words, state, categories, scope, prices, places).prop_map(
        |(words, status, categories, scope, (min_price, max_price), (region, seller))| Filter {
            words,
            status,
            region,
            categories,
            scope,
            min_price,
            max_price,
            seller,
        },
    )
}

fn listing() -> impl Strategy<Value = Arc<SearchableListing>> {
    let words = ("[AB램]{0,4}", "[ab램 ]{0,8}");
    let kind = (option::of(category()), select(&SCOPES[..]), option::of(region()));
    (seller(), words, kind).prop_map(|(seller, (title, description), (category, scope, region))| {
        let id = AuctionId(Uuid::nil());
        let listing = fixtures::listing(id, seller, &title);
        let listing = Listing { description, category, scope, region, ..listing };
        Arc::new(SearchableListing::from(Arc::new(listing)))
    })
}

fn standing() -> impl Strategy<Value = Standing> {
    let money = |price| Money::from_minor(price).unwrap();
    (select(&STATES[..]), price())
        .prop_map(move |(status, price)| Standing { status, price: money(price) })
}

/// What an event changes: the words, and the state.
#[derive(Debug, Clone)]
struct Change {
    listing: Arc<SearchableListing>,
    now: Standing,
    before: Option<Standing>,
    former: Former,
}

#[derive(Debug, Clone)]
enum Former {
    Same,
    Unknown,
    Other(String, Option<CategoryId>),
}

fn change() -> impl Strategy<Value = Change> {
    let former = prop_oneof![
        3 => Just(Former::Same),
        1 => Just(Former::Unknown),
        2 => ("[ab램]{0,5}", option::of(category())).prop_map(|(w, c)| Former::Other(w, c)),
    ];
    (listing(), standing(), option::of(standing()), former)
        .prop_map(|(listing, now, before, former)| Change { listing, now, before, former })
}

/// The numbers of the filters that an event is told to, by the index and one by one.
fn both(
    index: &mut Index,
    watched: &[(Arc<Filter>, Arc<List>)],
    change: &Change,
) -> [Vec<usize>; 2] {
    let former = match &change.former {
        Former::Same => Some(Arc::clone(&change.listing)),
        Former::Unknown => None,
        Former::Other(title, category) => {
            let (title, category) = (title.clone(), category.clone());
            let listing = change.listing.listing().as_ref().clone();
            Some(Arc::new(Arc::new(Listing { title, category, ..listing }).into()))
        }
    };
    let before = change.before.map(|standing| Before { standing, listing: former.as_deref() });
    let told = index.told(before, &change.listing, change.now);
    let place = |list: &Arc<List>| {
        watched.iter().position(|(_, watched)| Arc::ptr_eq(list, watched)).unwrap()
    };
    let mut told: Vec<_> = told.iter().map(place).collect();
    told.sort_unstable();
    let asked = watched
        .iter()
        .enumerate()
        .filter(|(_, (filter, _))| filter.tells(before, &change.listing, change.now));
    [told, asked.map(|(place, _)| place).collect()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_event_is_told_to_the_lists_whose_filters_say_so(
        filters in vec(filter(), 1..40),
        gone in 0..40_usize,
        changes in vec(change(), 1..12),
    ) {
        let mut index = Index::within(1 << 20);
        let mut watched = Vec::new();
        for filter in filters.into_iter().map(Arc::new) {
            let list = index.list(&filter);
            if !watched.iter().any(|(_, known)| Arc::ptr_eq(known, &list)) {
                watched.push((filter, list));
            }
        }
        for change in &changes {
            let [told, asked] = both(&mut index, &watched, change);
            prop_assert_eq!(told, asked, "{:?}", change);
        }
        for (filter, _) in watched.drain(..gone.min(watched.len())) {
            index.remove(&filter);
        }
        for change in &changes {
            let [told, asked] = both(&mut index, &watched, change);
            prop_assert_eq!(told, asked, "with some gone: {:?}", change);
        }
        for (filter, _) in watched.drain(..) {
            index.remove(&filter);
        }
        prop_assert!(index.shelves.is_empty() && index.slots.is_empty());
        prop_assert!(index.needles.is_empty());
        prop_assert!(index.regions.is_empty() && index.sizes.is_empty());
    }

    #[test]
    fn a_price_lies_in_one_range_of_a_filter_or_in_none(
        min in price(), max in price(), price in price(),
    ) {
        let ranges = ranges(min, max);
        let holds = |range: &&By| matches!(
            range, By::Prices(size, place) if unsigned(price) >> size == *place
        );
        let expected = usize::from((min..=max).contains(&price));
        prop_assert_eq!(ranges.iter().filter(holds).count(), expected);
        prop_assert!(ranges.len() <= 2 * 64);
    }
}

#[test]
fn an_event_meets_none_of_many_filters_that_it_does_not_concern() {
    let mut index = Index::within(1 << 20);
    for n in 0..1_000 {
        let prices = Filter { min_price: Some(1_000 + n), ..Filter::default() };
        let words = Filter { words: vec![format!("lamp{n}")], ..Filter::default() };
        let region = Filter { region: Some(RegionId(n.to_string())), ..Filter::default() };
        for filter in [prices, words, region] {
            index.list(&Arc::new(filter));
        }
    }
    let (auction, seller) = (AuctionId(Uuid::nil()), UserId(Uuid::nil()));
    let listing = Listing {
        description: "lamp 2".to_owned(),
        scope: AuctionScope::Regional,
        region: Some(RegionId("11110".to_owned())),
        ..fixtures::listing(auction, seller, "lamp1 of brass")
    };
    let standing = Standing { status: AuctionStatus::Open, price: Money::from_minor(500).unwrap() };
    let found = index.needles.find(&listing.search_text());
    let moment = Moment { listing: &listing, found: &found, standing };
    let places = index.places_of(&moment);
    let met: usize = places
        .iter()
        .filter_map(|place| index.shelves.get(place))
        .flat_map(|shelf| shelf.values().map(BTreeSet::len))
        .sum();
    // "lamp1", and the regions 1, 11 and 111.
    assert_eq!(met, 4);
}
