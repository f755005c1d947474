//! How things are written on the terminal and in links.

use crate::domain::money::Money;

/// Won, in groups of three digits.
pub fn won(money: Money) -> String {
    let digits = money.minor().to_string();
    let mut grouped = String::from("₩");
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many columns a terminal gives it: two a Hangul syllable, one for the rest of what we print.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| if ('가'..='힣').contains(&c) { 2 } else { 1 }).sum()
}

/// With spaces after it, up to `columns`.
pub fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", gap(text, columns))
}

/// With spaces before it, up to `columns`.
pub fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", gap(text, columns))
}

fn gap(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// Percent-encoded for a URL, except for what `kept` holds.
pub fn escaped(bytes: &[u8], kept: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b) || kept.contains(b);
    bytes
        .iter()
        .map(|b| match plain(b) {
            true => char::from(*b).to_string(),
            false => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped() {
        for (minor, text) in [
            (0, "₩0"),
            (999, "₩999"),
            (1_000, "₩1,000"),
            (152_000, "₩152,000"),
            (3_000_000, "₩3,000,000"),
        ] {
            assert_eq!(won(Money::from_minor(minor).unwrap()), text);
        }
    }

    #[test]
    fn hangul_is_two_columns_wide() {
        assert_eq!(left("민수", 6), "민수  ");
        assert_eq!(right("₩1", 4), "  ₩1");
    }

    #[test]
    fn links_survive_any_text() {
        assert_eq!(escaped("a b/c".as_bytes(), b""), "a%20b%2Fc");
        assert_eq!(escaped("민/?".as_bytes(), b"/"), "%EB%AF%BC/%3F");
    }
}
