//! By how much a bid must top the price: the seller's own unit, or a table by price.

use std::{fmt, str::FromStr};

use super::money::{MAX_AMOUNT, Money};

/// A table of increments by current price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncrementTable {
    /// (price below which it counts, increment), ascending.
    tiers: Vec<(Money, Money)>,
    /// The increment from the last bound on.
    above: Money,
}

/// By default, where the currency has no fraction digits: steps for won.
const WHOLE: [(i64, i64); 5] =
    [(10_000, 500), (50_000, 1_000), (100_000, 2_000), (500_000, 5_000), (1_000_000, 10_000)];
const WHOLE_ABOVE: i64 = 50_000;

/// By default elsewhere, in hundredths: the steps that large marketplaces use for dollars.
const HUNDREDTHS: [(i64, i64); 9] = [
    (100, 5),
    (500, 25),
    (2_500, 50),
    (10_000, 100),
    (25_000, 250),
    (50_000, 500),
    (100_000, 1_000),
    (250_000, 2_500),
    (500_000, 5_000),
];
const HUNDREDTHS_ABOVE: i64 = 10_000;

impl IncrementTable {
    /// The table that a currency of so many fraction digits has by default.
    #[must_use]
    pub fn for_digits(digits: u32) -> Self {
        let (tiers, above, unit) = match digits {
            0 => (&WHOLE[..], WHOLE_ABOVE, 1),
            // No currency has a single one; were there one, its steps would be ten times these.
            more => (&HUNDREDTHS[..], HUNDREDTHS_ABOVE, 10_i64.pow(more.clamp(2, 4) - 2)),
        };
        let minor = |amount: i64| Money::from_minor(amount * unit).unwrap_or_default();
        let tiers = tiers.iter().map(|(below, step)| (minor(*below), minor(*step))).collect();
        Self { tiers, above: minor(above) }
    }

    /// The increment at `price`.
    #[must_use]
    pub fn at(&self, price: Money) -> Money {
        let found = self.tiers.iter().find(|(below, _)| price < *below);
        found.map_or(self.above, |(_, increment)| *increment)
    }

    /// Each (price below which it counts, increment); the last counts without bound.
    pub fn tiers(&self) -> impl Iterator<Item = (Option<Money>, Money)> {
        let bounded = self.tiers.iter().map(|(below, increment)| (Some(*below), *increment));
        bounded.chain([(None, self.above)])
    }
}

/// The text is not a table of increments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTable;

impl fmt::Display for InvalidTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "wanted BELOW:INCREMENT pairs of minor units in ascending order and a last increment, \
             like 10000:500,50000:1000,2000",
        )
    }
}

impl std::error::Error for InvalidTable {}

impl FromStr for IncrementTable {
    type Err = InvalidTable;

    fn from_str(text: &str) -> Result<Self, InvalidTable> {
        let minor = |t: &str| {
            let minor = t.trim().parse::<i64>().ok()?;
            Money::from_minor(minor).filter(|_| (1..=MAX_AMOUNT).contains(&minor))
        };
        let (pairs, above) = text.rsplit_once(',').unwrap_or(("", text));
        let tiers = pairs
            .split(',')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (below, increment) = pair.split_once(':')?;
                Some((minor(below)?, minor(increment)?))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or(InvalidTable)?;
        if !tiers.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(InvalidTable);
        }
        Ok(Self { tiers, above: minor(above).ok_or(InvalidTable)? })
    }
}

impl fmt::Display for IncrementTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (below, increment) in &self.tiers {
            write!(f, "{}:{},", below.minor(), increment.minor())?;
        }
        write!(f, "{}", self.above.minor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KRW: &str = "10000:500,50000:1000,100000:2000,500000:5000,1000000:10000,50000";

    #[test]
    fn the_tier_is_chosen_by_the_price_below_a_bound() {
        let table: IncrementTable = KRW.parse().unwrap();
        for (price, increment) in [
            (1, 500),
            (9_999, 500),
            (10_000, 1_000),
            (49_999, 1_000),
            (50_000, 2_000),
            (99_999, 2_000),
            (100_000, 5_000),
            (499_999, 5_000),
            (500_000, 10_000),
            (999_999, 10_000),
            (1_000_000, 50_000),
            (MAX_AMOUNT, 50_000),
        ] {
            assert_eq!(table.at(Money::from_minor(price).unwrap()).minor(), increment, "{price}");
        }
        assert_eq!(table.to_string(), KRW);
    }

    #[test]
    fn a_currencys_own_table_fits_its_digits() {
        assert_eq!(IncrementTable::for_digits(0), KRW.parse().unwrap());
        // At 30.00 the step is 1.00, whatever a minor unit is.
        for (digits, unit) in [(2, 1), (3, 10), (4, 100)] {
            let table = IncrementTable::for_digits(digits);
            assert_eq!(table.at(Money::from_minor(3_000 * unit).unwrap()).minor(), 100 * unit);
            assert_eq!(table.to_string().parse(), Ok(table));
        }
    }

    #[test]
    fn a_wrong_table_is_refused() {
        for text in ["", "x", "100:0,5", "100:1,50:2,3", "100:1", "-5", "1:2:3,4"] {
            assert!(text.parse::<IncrementTable>().is_err(), "{text:?}");
        }
        assert!("500".parse::<IncrementTable>().is_ok());
    }
}
