//! Lists of auctions that say certain words, within bounded work however many auctions there are.
//!
//! A word that many auctions say is found along the list itself: the first thousand of its order
//! are looked through, and hold the page. A word that they do not say often enough is rare, or
//! absent: then the index of what auctions say (`m0015_auction_search`) finds the few that say all
//! of its letters in a row, three by three, and those are sorted. Neither way reads all that a
//! common syllable is in, and which one is taken is no planner's guess. (Only a list whose first
//! thousand say a word hardly ever, and whose others nearly always do, is sorted whole. The
//! thousand are those of the whole order and not of each status: one status's hits do not tell that
//! no other has hits before them.)

use entity::auction::{self, Column};
use sea_orm::{
    DbBackend, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, Query, SelectStatement, SimpleExpr},
};

/// How many auctions of a list are looked through.
pub(super) const NEAR: u64 = 1_000;

/// How many grams the index is asked for at most: each is a list to be read.
const MOST_GRAMS: usize = 12;

/// What a list is filtered and sorted by.
const READ: [Column; 9] = [
    Column::Id,
    Column::Status,
    Column::CategoryId,
    Column::Scope,
    Column::RegionId,
    Column::CurrentPrice,
    Column::BidCount,
    Column::EndsAt,
    Column::SearchText,
];

/// Some auctions, with what lists are filtered and sorted by, as if they were all there are.
pub(super) fn only(auctions: SelectStatement) -> SelectStatement {
    Query::select().from_subquery(auctions, "auctions").to_owned()
}

/// A SELECT of auctions with what lists are filtered and sorted by.
pub(super) fn read() -> sea_orm::Select<auction::Entity> {
    auction::Entity::find().select_only().columns(READ)
}

/// The auctions that the index finds for these words. It may find more: letters that a text has in
/// other places. It is asked before anything else is, which the OFFSET holds the planner to.
pub(super) fn found(backend: DbBackend, words: &[String]) -> SelectStatement {
    let grams = grams(words);
    let is_found = match backend {
        DbBackend::Postgres => Expr::cust_with_values(
            "id IN (SELECT auction_id FROM auction_search WHERE search_grams(text) @> $1)",
            [grams],
        ),
        _ => {
            let hex = |gram: &String| gram.bytes().map(|byte| format!("{byte:02x}")).collect();
            let all: Vec<String> = grams.iter().map(hex).collect();
            Expr::cust_with_values(
                "id IN (SELECT auction_id FROM auction_search WHERE row IN \
                 (SELECT rowid FROM auction_grams WHERE auction_grams MATCH ?))",
                [all.join(" ")],
            )
        }
    };
    let found = read().filter(is_found);
    let found = match backend {
        DbBackend::Postgres => found,
        // SQLite has no OFFSET without it.
        _ => found.limit(i64::MAX.unsigned_abs()),
    };
    found.offset(0).into_query()
}

/// Letters that stand in a row in these words, three by three, or the whole of a shorter word: each
/// once, and of very long words some from all over.
fn grams(words: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in words {
        let letters: Vec<char> = word.chars().collect();
        for gram in letters.windows(letters.len().clamp(1, 3)) {
            let gram = gram.iter().collect();
            if !all.contains(&gram) {
                all.push(gram);
            }
        }
    }
    let step = all.len().div_ceil(MOST_GRAMS).max(1);
    all.into_iter().step_by(step).collect()
}

/// Whether an auction says a lower-case word, every character of which counts as itself.
pub(super) fn says(backend: DbBackend, word: &str) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust_with_values("strpos(search_text, $1) > 0", [word]),
        _ => Expr::cust_with_values("instr(search_text, ?) > 0", [word]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Vec<String> {
        grams(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_index_is_asked_for_letters_in_a_row() {
        assert_eq!(of(&["램"]), ["램"]);
        assert_eq!(of(&["램프", "lamps"]), ["램프", "lam", "amp", "mps"]);
        assert_eq!(of(&["aaaaaa"]), ["aaa"]);
        let long: String = ('a'..='z').chain('A'..='Z').collect();
        assert!((2..=MOST_GRAMS).contains(&of(&[&long]).len()));
    }
}
