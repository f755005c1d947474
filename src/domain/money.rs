//! Money as whole minor units, with checked arithmetic only, and its exact decimal text.

use std::{cmp::Ordering, fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The largest amount that one request may name, in minor units.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// The largest balance that a wallet may reach by deposits, in minor units: what bids and sales
/// can add to it still fits far below `i64::MAX`.
pub const MAX_BALANCE: i64 = 1_000_000_000_000_000_000;

/// An amount or a balance in whole minor units; never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

/// Arithmetic on money left its range. It is a fault of ours, never of the caller's: amounts are
/// bounded when they are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("money left its range")
    }
}

impl std::error::Error for OutOfRange {}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From minor units, unless negative.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Option<Self> {
        if minor < 0 { None } else { Some(Self(minor)) }
    }

    /// In minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The sum.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_add(other.0).map(Self).ok_or(OutOfRange)
    }

    /// The difference.
    ///
    /// # Errors
    /// When it would be negative.
    pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_sub(other.0).and_then(Self::from_minor).ok_or(OutOfRange)
    }

    /// Its share of `basis_points` hundredths of a percent, rounded half to even; never more than
    /// the whole.
    ///
    /// # Errors
    /// When it leaves the range of money.
    pub fn share(self, basis_points: u32) -> Result<Self, OutOfRange> {
        const WHOLE: i128 = 10_000;
        let product = i128::from(self.0) * i128::from(basis_points.min(10_000));
        let (floor, rest) = (product / WHOLE, product % WHOLE);
        let up = match (2 * rest).cmp(&WHOLE) {
            Ordering::Less => 0,
            Ordering::Equal => floor % 2,
            Ordering::Greater => 1,
        };
        i64::try_from(floor + up).map(Self).map_err(|_| OutOfRange)
    }

    /// The largest whole multiple of `unit` that is no more than it.
    ///
    /// # Errors
    /// When `unit` is nothing.
    pub fn down_to_multiple_of(self, unit: Self) -> Result<Self, OutOfRange> {
        self.0.checked_rem(unit.0).map(|rest| Self(self.0 - rest)).ok_or(OutOfRange)
    }

    /// Whether it is a whole multiple of `unit`.
    #[must_use]
    pub fn is_multiple_of(self, unit: Self) -> bool {
        unit.0 != 0 && self.0 % unit.0 == 0
    }
}

/// The deployment's one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// ISO 4217 code.
    pub code: String,
    /// How many fraction digits its minor unit stands for.
    pub digits: u32,
}

/// The text is not an amount that a request may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAmount;

impl Currency {
    /// The currency of an ISO 4217 code, with the digits that the standard gives it; `None` for an
    /// unknown code, and for what has no minor unit, as gold has none.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        let known = iso_currency::Currency::from_code(code)?;
        Some(Self { code: known.code().to_owned(), digits: known.exponent()?.into() })
    }

    /// Reads an amount above zero: digits, and a fraction no longer than the currency's. No sign,
    /// no exponent, no spaces.
    ///
    /// # Errors
    /// On any other text, on zero, and above [`MAX_AMOUNT`].
    pub fn parse(&self, text: &str) -> Result<Money, InvalidAmount> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let fraction_fits =
            |f: &str| all_digits(f) && u32::try_from(f.len()).is_ok_and(|n| n <= self.digits);
        if !all_digits(whole) || !fraction.is_none_or(fraction_fits) {
            return Err(InvalidAmount);
        }
        let mut amount = Decimal::from_str(text).map_err(|_| InvalidAmount)?;
        amount.rescale(self.digits);
        i64::try_from(amount.mantissa())
            .ok()
            .filter(|minor| (1..=MAX_AMOUNT).contains(minor))
            .map(Money)
            .ok_or(InvalidAmount)
    }

    /// The exact decimal text, with all of the currency's fraction digits.
    #[must_use]
    pub fn format(&self, money: Money) -> String {
        Decimal::from_i128_with_scale(i128::from(money.0), self.digits).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(digits: u32) -> Currency {
        Currency { code: "XXX".to_owned(), digits }
    }

    #[test]
    fn digits_are_those_of_iso_4217() {
        for (code, digits) in [
            ("KRW", Some(0)),
            ("JPY", Some(0)),
            ("USD", Some(2)),
            ("EUR", Some(2)),
            ("KWD", Some(3)),
            ("CLF", Some(4)),
            ("XAU", None),
            ("ABC", None),
            ("krw", None),
            ("", None),
        ] {
            assert_eq!(Currency::of(code).map(|known| known.digits), digits, "{code}");
        }
    }

    #[test]
    fn amounts_are_read_exactly() {
        for (digits, text, minor) in [
            (0, "1", 1),
            (0, "10000", 10_000),
            (0, "007", 7),
            (0, "1000000000000000", MAX_AMOUNT),
            (2, "12.34", 1_234),
            (2, "12.3", 1_230),
            (2, "12", 1_200),
            (2, "10000000000000.00", MAX_AMOUNT),
            (3, "0.001", 1),
        ] {
            assert_eq!(currency(digits).parse(text), Ok(Money(minor)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_amount() {
        for (digits, text) in [
            (0, ""),
            (0, "0"),
            (0, "000"),
            (0, "-1"),
            (0, "+1"),
            (0, "1e3"),
            (0, "1E3"),
            (0, "1.0"),
            (0, "1."),
            (0, ".1"),
            (0, " 1"),
            (0, "1 "),
            (0, "1_000"),
            (0, "1,000"),
            (0, "1000000000000001"),
            (0, "99999999999999999999999999999999999999999"),
            (2, "0.00"),
            (2, "1.234"),
            (2, "1.2.3"),
            (2, "10000000000000.01"),
            (0, "１００"),
            (0, "NaN"),
            (0, "0x10"),
            (0, "만원"),
        ] {
            assert_eq!(currency(digits).parse(text), Err(InvalidAmount), "{text:?}");
        }
    }

    #[test]
    fn text_and_amount_are_inverse() {
        for (digits, minor, text) in [(0, 500, "500"), (2, 5, "0.05"), (2, 1_200, "12.00")] {
            assert_eq!(currency(digits).format(Money(minor)), text);
            assert_eq!(currency(digits).parse(text), Ok(Money(minor)));
        }
    }

    #[test]
    fn a_share_is_rounded_half_to_even() {
        for (minor, basis_points, share) in [
            (10_000, 0, 0),
            (10_000, 350, 350),
            (10_000, 10_000, 10_000),
            (1, 5_000, 0),
            (3, 5_000, 2),
            (5, 5_000, 2),
            (7, 5_000, 4),
            (99, 50, 0),
            (100, 50, 0),
            (101, 50, 1),
            (300, 50, 2),
            (MAX_AMOUNT, 9_999, 999_900_000_000_000),
        ] {
            assert_eq!(
                Money(minor).share(basis_points),
                Ok(Money(share)),
                "{minor} {basis_points}"
            );
        }
    }

    #[test]
    fn arithmetic_is_checked() {
        assert_eq!(Money(i64::MAX).plus(Money(1)), Err(OutOfRange));
        assert_eq!(Money(1).minus(Money(2)), Err(OutOfRange));
        assert_eq!(Money::from_minor(-1), None);
    }
}
