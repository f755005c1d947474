//! Growth: every query of the store, on a filled Postgres, goes by an index and reads no more rows
//! than its answer has, or a page's worth.

mod explained;
mod on_sqlite;
mod questions;

use entity::{auction, enums::AuctionStatus};
use explained::Explained;
use neighborbid::store::{
    auctions, bulk,
    connection::{Db, PoolSettings},
    transaction, wallets,
};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DbBackend, EntityTrait, QueryFilter,
    QuerySelect, Statement,
};

use crate::{
    support::{
        TestDatabase,
        database::{self, POOLS},
        house::rules,
    },
    tidy::source::{is, places, sources},
};

/// The tables that grow with the house; regions and categories do not.
const GROWING: &[&str] = &[
    "auctions",
    "auction_events",
    "auction_search",
    "bids",
    "blocked_bidders",
    "idempotency_keys",
    "notifications",
    "orders",
    "sessions",
    "transfers",
    "users",
    "wallets",
];

const USERS: i64 = 20_000;
const OPEN: i64 = 2_000;
const BIDS: i64 = 50;
const ENDED: i64 = 10_000;

/// The most rows of one table that a statement may look at here: each auction has fewer bids, and
/// each page fewer rows, but every table has many times as many.
const MOST_ROWS: f64 = 200.0;

/// Questions that may read on: what they look for has no index, so an index of the list's order is
/// walked until the page is full. None may read without an index.
const WALKS: &[&str] = &[
    // The order of the list has the index, and so have prices and categories: a plan for any value
    // trusts that the first of the order fit.
    "auction_page::places of a rare region",
    "auction_page::places of a rare category",
    "auction_page::places of a price",
    // All that say it are sorted where the first of the order, which have ended or are cheap, do
    // not: none of those that follow may be left out.
    "auction_page::places of a word of one status",
];

/// Questions that look through the first of a list for a word, and the most rows that they may look
/// at: of each status, or all.
const LOOK_THROUGH: (&[&str], f64) = (
    &[
        "auction_page::places of a word",
        "auction_page::places of a word of one status",
        "auction_page::places of a rare word",
        "auction_page::places of an unsaid word",
        "auction_page::places of a syllable",
    ],
    1_000.0,
);

/// Functions that ask nothing by themselves, or read everything on purpose.
const NOT_ASKED: &[&str] = &["audit::run"];

async fn filled() -> TestDatabase {
    let database = database::postgres().await;
    let mut options = ConnectOptions::new(&database.url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let counts = [(":users", USERS), (":auctions", OPEN), (":bids", BIDS), (":ended", ENDED)];
    let open = include_str!("../../benches/sql/fill.sql").replace("VACUUM ANALYZE;", "");
    for sql in [&open, include_str!("plans/past.sql"), "VACUUM ANALYZE"] {
        let sql = counts
            .iter()
            .fold(sql.to_owned(), |sql, (name, count)| sql.replace(name, &count.to_string()));
        db.execute_unprepared(&sql).await.unwrap();
    }
    db.close().await.unwrap();
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_store_goes_by_an_index() {
    let database = filled().await;
    let mut explained = Explained::open(&database).await;
    questions::ask_all(&mut explained).await;

    // Seen with `--nocapture`.
    explained.plans.iter().for_each(|plan| println!("{plan}"));
    let mut wrong = Vec::new();
    let mut walked = Vec::new();
    for plan in &explained.plans {
        let scans = plan.scans();
        let of_growing = || scans.iter().filter(|scan| GROWING.contains(&scan.table.as_str()));
        let looks_through = LOOK_THROUGH.0.contains(&plan.of.as_str());
        let most = if looks_through { LOOK_THROUGH.1 } else { MOST_ROWS };
        let reads_on = of_growing().any(|scan| scan.rows > most);
        if reads_on {
            walked.push(plan.of.as_str());
        }
        let without_index = of_growing().any(|scan| scan.kind.starts_with("Seq Scan"));
        if without_index || reads_on && !WALKS.contains(&plan.of.as_str()) {
            wrong.push(plan.to_string());
        }
    }
    assert!(wrong.is_empty(), "these plans grow with the house:\n{}", wrong.join("\n"));
    let idle: Vec<_> = WALKS.iter().filter(|walk| !walked.contains(walk)).collect();
    assert!(idle.is_empty(), "these exceptions are needed no more: {idle:?}");
    every_function_was_asked(&explained.asked);
    explained.close().await;
    what_is_asked_again_keeps_its_plan(&database).await;
    database.finish().await;
}

/// In a large house, planning for each request's values costs a bid more than its rows do.
async fn what_is_asked_again_keeps_its_plan(database: &TestDatabase) {
    let pools = PoolSettings { write_connections: 1, read_connections: 1, ..POOLS };
    let db = Db::open(&database.url, &pools).await.unwrap();
    let open = auction::Entity::find().filter(auction::Column::Status.eq(AuctionStatus::Open));
    let open = open.limit(20).all(&db.read).await.unwrap();
    let ids: Vec<_> = open.iter().map(|auction| auction.id).collect();
    for batch in 1..=20 {
        let tx = transaction::begin(&db).await.unwrap();
        let locked = auctions::lock(&tx, &ids[..batch]).await.unwrap();
        bulk::write(&tx, [auctions::save(&locked)]).await.unwrap();
        let people = open.iter().filter_map(|auction| auction.leader_id).take(batch);
        wallets::lock(&tx, people, open.iter().map(|auction| auction.seller_id)).await.unwrap();
        tx.commit().await.unwrap();
        auctions::views(&db.read, &ids[..1], &rules().increments).await.unwrap();
    }
    // Of a statement for any number of rows, every plan is kept; of one for a row, once Postgres
    // has seen that it may be: after five.
    for (pool, planned_anew) in [(&db.write, 0), (&*db.read, 5)] {
        let ask = "SELECT statement, custom_plans FROM pg_prepared_statements
                   WHERE generic_plans + custom_plans >= 19";
        let ask = Statement::from_string(DbBackend::Postgres, ask);
        let rows = pool.query_all_raw(ask).await.unwrap();
        assert!(!rows.is_empty(), "nothing was prepared");
        for row in rows {
            let text: String = row.try_get("", "statement").unwrap();
            let custom: i64 = row.try_get("", "custom_plans").unwrap();
            assert!(custom <= planned_anew, "planned anew {custom} times: {text}");
        }
    }
    db.close().await;
}

/// The store's public functions that take a connection, or make a change for one to write.
fn functions() -> Vec<String> {
    let mut found = Vec::new();
    for file in &sources(&["src/store"]) {
        let module = *file.module().last().unwrap();
        let code = &file.shipped;
        for at in places(code, &["fn"]) {
            let head: Vec<_> = code[at..]
                .iter()
                .map(|token| token.text.as_str())
                .take_while(|text| *text != "{")
                .collect();
            let says = |words: &[&str]| head.windows(words.len()).any(|there| there == words);
            let is_public = is(code, at - 1, &["pub"]) || is(code, at - 2, &["pub", "async"]);
            if is_public && (says(&["impl", "ConnectionTrait"]) || says(&["-", ">", "Write"])) {
                found.push(format!("{module}::{}", head[1]));
            }
        }
    }
    found
}

fn every_function_was_asked(asked: &[String]) {
    let functions = functions();
    assert!(functions.len() > 50, "the sources were not understood: {functions:?}");
    let names = |asked: &String, function: &str| {
        asked == function || asked.starts_with(&format!("{function} of "))
    };
    let missing: Vec<_> = functions
        .iter()
        .filter(|function| !NOT_ASKED.contains(&function.as_str()))
        .filter(|function| !asked.iter().any(|asked| names(asked, function)))
        .collect();
    assert!(missing.is_empty(), "nobody has looked at the plans of {missing:?}");
}
