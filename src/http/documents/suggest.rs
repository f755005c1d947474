//! Names that are like one that does not exist: for development, behind a switch, since they
//! tell of a schema whose introspection may be off.

/// The names that are like `wrong`, nearest first, at most three.
pub fn similar<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let most = wrong.len().div_ceil(3);
    let mut near: Vec<_> = names
        .filter(|name| name.len().abs_diff(wrong.len()) <= most)
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    near.truncate(3);
    near.into_iter().map(|(_, name)| name).collect()
}

/// How many letters must be put in, taken out or changed.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.bytes().enumerate() {
        let mut corner = line;
        let mut left = line + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(to.bytes()) {
            let change = corner + usize::from(letter != other);
            corner = *cell;
            left = change.min(corner + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_nearest_first() {
        let names = ["auction", "auctions", "user", "viewer"];
        assert_eq!(similar("auctionz", names.into_iter()), ["auction", "auctions"]);
        assert_eq!(similar("nothing", names.into_iter()), Vec::<&str>::new());
        assert_eq!((distance("", "ab"), distance("kitten", "sitting")), (2, 3));
    }
}
