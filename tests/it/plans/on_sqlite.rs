//! On SQLite too, what a page asks of tables that grow goes by an index: searches, and the bids of
//! many auctions.

use std::sync::Mutex;

use async_trait::async_trait;
use entity::{auction, enums::AuctionStatus};
use neighborbid::{
    domain::filter::Filter,
    store::{
        auction_page::{self, Sort},
        bids::{self, Bounds},
        page::Page,
    },
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, ExecResult, QueryResult,
    Statement,
};

use crate::support::{TestHouse, database};

/// Asks a database, and keeps what was asked.
struct Recorder<'a> {
    db: &'a DatabaseConnection,
    asked: Mutex<Vec<Statement>>,
}

#[async_trait]
impl ConnectionTrait for Recorder<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, ask: Statement) -> Result<ExecResult, DbErr> {
        self.db.execute_raw(ask).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.db.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, ask: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.asked.lock().unwrap().push(ask.clone());
        self.db.query_one_raw(ask).await
    }

    async fn query_all_raw(&self, ask: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.asked.lock().unwrap().push(ask.clone());
        self.db.query_all_raw(ask).await
    }
}

impl Recorder<'_> {
    /// How SQLite answers what was asked since: a line for each table that it reads.
    async fn plans(&self) -> Vec<(String, Vec<String>)> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let mut plans = Vec::new();
        for mut ask in asked {
            let text = ask.sql.clone();
            ask.sql = format!("EXPLAIN QUERY PLAN {}", ask.sql);
            let rows = self.db.query_all_raw(ask).await.unwrap();
            let detail = |row: &QueryResult| row.try_get("", "detail").unwrap();
            plans.push((text, rows.iter().map(detail).collect()));
        }
        plans
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_and_pages_of_bids_go_by_an_index() {
    let database = database::sqlite().await;
    let house = TestHouse::open(&database).await;
    let seller = house.person("seller", None, 0).await;
    let buyer = house.person("buyer", None, 1_000_000).await;
    for _ in 0..3 {
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.bid(&buyer, lamp, 10_000).await;
    }
    let ids: Vec<_> = auction::Entity::find().all(&*house.db.read).await.unwrap();
    let recorder = Recorder { db: &house.db.read, asked: Mutex::default() };

    let page = Page { after: None, before: None, size: 20, backwards: false };
    let pages: Vec<_> = ids.iter().map(|row| (row.id, Bounds::from(&page))).collect();
    for backwards in [false, true] {
        let found = bids::of_auctions(&recorder, &pages, 20, backwards).await.unwrap();
        assert_eq!(found.len(), 3);
    }
    let page = Page { after: None, before: None, size: 20, backwards: false };
    let sorts = [Sort::Newest, Sort::EndingSoon, Sort::PriceAsc, Sort::PriceDesc, Sort::MostBids];
    for (sort, word) in sorts.into_iter().zip(["램프", "스", "lamp", "unsaid", "br"]) {
        for status in [vec![], vec![AuctionStatus::Open]] {
            let filter = Filter { words: vec![word.to_owned()], status, ..Filter::default() };
            let found = auction_page::places(&recorder, &filter, sort, &page).await.unwrap();
            assert_eq!(found.len(), if word == "unsaid" { 0 } else { 3 }, "{word}");
        }
    }
    for (text, plan) in recorder.plans().await {
        println!("{text}\n    {}", plan.join("\n    "));
        let reads = |line: &&String| {
            let scanned = line.strip_prefix("SCAN ").unwrap_or_default();
            let whole = ["auctions", "auction_search", "bids", "b", "users", "u"];
            // The rows of a subquery have the name of the table that they come from.
            let of_part = plan.iter().any(|other| *other == format!("CO-ROUTINE {scanned}"))
                || plan.iter().any(|other| *other == format!("MATERIALIZE {scanned}"));
            whole.contains(&scanned) && !of_part
        };
        let read: Vec<_> = plan.iter().filter(reads).collect();
        assert!(read.is_empty(), "{read:?} of {text}: {plan:?}");
        if text.contains("MATCH") {
            assert!(plan.iter().any(|line| line.contains("auction_grams VIRTUAL TABLE INDEX")));
        }
    }
    database.finish().await;
}
