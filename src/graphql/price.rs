//! What the fields of the schema cost. One unit is one value of an answer, of about a kibibyte at
//! most; what costs more says so here.

/// What a field of the root costs that reads the database, and a mutation.
const ROOT: u64 = 50;

/// What a page costs inside of another value: those of all rows are read together.
const STATEMENT: u64 = 20;

/// What a search by words costs: it looks at more than it finds.
pub const SEARCH: u64 = 500;

/// What a text of up to 40 KiB costs.
const LARGE_TEXT: u64 = 40;

/// How many rows a page has when the client does not say.
pub const PAGE: u64 = 20;

/// How many rows a page may have.
pub const LARGEST_PAGE: u64 = 100;

/// How many values a list has on average that is no page.
const LIST: u64 = 10;

/// What reading a field costs besides its values, where it is not a page.
const FIELDS: &[(&str, &str, u64)] = &[
    ("Query", "node", ROOT),
    ("Query", "auctions", ROOT),
    ("Query", "auction", ROOT),
    ("Query", "user", ROOT),
    ("Auction", "description", LARGE_TEXT),
    ("Viewer", "wallet", STATEMENT),
    ("ViewerUpdate", "wallet", STATEMENT),
];

/// How many values a list has that is no page, where it is not as long as others.
const LISTS: &[(&str, &str, u64)] = &[("Query", "regions", 16), ("Query", "categories", 64)];

fn found(table: &[(&str, &str, u64)], parent: &str, field: &str) -> Option<u64> {
    let is_it = |row: &&(&str, &str, u64)| (row.0, row.1) == (parent, field);
    table.iter().find(is_it).map(|row| row.2)
}

/// What reading a field costs besides its values.
#[must_use]
pub fn reading(parent: &str, field: &str, is_page: bool) -> u64 {
    let usual = match parent {
        "Mutation" => ROOT,
        _ if is_page => STATEMENT,
        _ => 0,
    };
    found(FIELDS, parent, field).unwrap_or(usual)
}

/// How many values a list has that is no page.
#[must_use]
pub fn length(parent: &str, field: &str) -> u64 {
    found(LISTS, parent, field).unwrap_or(LIST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_price_of_its_own_is_in_the_schema() {
        let sdl = crate::graphql::sdl();
        for (parent, field, _) in FIELDS.iter().chain(LISTS) {
            let body = sdl.split(&format!("\ntype {parent} ")).nth(1);
            let body = body.and_then(|rest| rest.split("\n}").next()).unwrap_or_default();
            let is_there = |line: &str| line.trim_start().starts_with(*field);
            assert!(body.lines().any(is_there), "{parent}.{field}");
        }
    }
}
