//! What a good is, and that each of them is fit to be listed: a test holds that.

use entity::enums::ItemCondition;

/// Something to sell.
#[derive(Debug, Clone, Copy)]
pub struct Good {
    /// One line.
    pub title: &'static str,
    /// One to three sentences.
    pub description: &'static str,
    /// A category's slug.
    pub category: &'static str,
    /// In which state it is.
    pub condition: ItemCondition,
    /// Who sells, by name.
    pub seller: &'static str,
    /// The code of the region that it is open to; the whole country without.
    pub region: Option<&'static str>,
    /// The least first bid, in won.
    pub start: i64,
    /// About what people would pay, in won.
    pub worth: i64,
    /// The seller's own step, in won.
    pub unit: Option<i64>,
    /// Below it nothing is sold, in won.
    pub reserve: Option<i64>,
    /// Who pays it has bought, in won.
    pub buy_now: Option<i64>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::demo::{
        goods::GOODS,
        people::{CAST, Character},
    };

    fn first_columns(csv: &str) -> HashSet<&str> {
        csv.lines().skip(1).filter_map(|line| line.split(',').next()).collect()
    }

    fn named(name: &str) -> &'static Character {
        CAST.iter().find(|c| c.username == name).unwrap()
    }

    #[test]
    fn every_good_is_fit_to_be_listed() {
        let categories = first_columns(include_str!("../../data/categories.csv"));
        let regions = first_columns(include_str!("../../data/regions.csv"));
        for good in &GOODS {
            let length = good.title.chars().count();
            assert!((1..=100).contains(&length), "{}", good.title);
            assert!(!good.description.is_empty(), "{}", good.title);
            assert!(categories.contains(good.category), "{}", good.title);
            let home = named(good.seller).home;
            let fits = |region| regions.contains(region) && home.starts_with(region);
            assert!(good.region.is_none_or(fits), "{}", good.title);
        }
        let titles: HashSet<_> = GOODS.iter().map(|good| good.title).collect();
        assert_eq!(titles.len(), GOODS.len());
    }

    #[test]
    fn prices_fit_their_steps_and_leave_room_to_bid() {
        for good in &GOODS {
            let unit = good.unit.unwrap_or(500);
            assert!(good.start > 0 && good.start % unit == 0, "{}", good.title);
            assert!(good.worth >= good.start + 5 * unit, "{}", good.title);
            let fits =
                |reserve| good.start <= reserve && reserve < good.worth && reserve % unit == 0;
            assert!(good.reserve.is_none_or(fits), "{}", good.title);
            // Above what the bidders here pay: it is there for newcomers.
            let fits = |price| price > good.worth * 118 / 100 && price % unit == 0;
            assert!(good.buy_now.is_none_or(fits), "{}", good.title);
        }
    }

    #[test]
    fn two_at_least_may_bid_on_each() {
        for good in &GOODS {
            let may = |c: &&Character| {
                c.password.is_none()
                    && c.username != good.seller
                    && good.region.is_none_or(|region| c.home.starts_with(region))
            };
            assert!(CAST.iter().filter(may).count() >= 2, "{}", good.title);
        }
    }
}
