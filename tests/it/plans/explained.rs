//! The plans by which Postgres answers, read from its own log: what is asked is what the store
//! really sends, and every statement of it.

use neighborbid::store::bulk::{self, Write};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, Statement,
    TransactionTrait,
};
use serde_json::Value;

use crate::support::TestDatabase;

/// A statement as Postgres ran it.
#[derive(Debug)]
pub struct Plan {
    /// The store's function that sent it.
    pub of: String,
    /// What `plan_cache_mode` was.
    mode: &'static str,
    /// As auto_explain logs it.
    logged: Value,
}

/// A part of a plan that reads a table.
#[derive(Debug)]
pub struct Scan {
    pub kind: String,
    pub table: String,
    /// How many rows it looked at: those that it gave and those that it threw away.
    pub rows: f64,
}

/// A database that logs each of its plans, and what it logged.
pub struct Explained {
    pub db: DatabaseConnection,
    /// Sees the log from a database that writes none.
    log: DatabaseConnection,
    pub plans: Vec<Plan>,
    pub asked: Vec<String>,
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

impl Explained {
    pub async fn open(database: &TestDatabase) -> Self {
        let (server, name) = database.url.rsplit_once('/').unwrap();
        let log = connect(&format!("{server}/postgres")).await;
        for (setting, value) in [
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_format", "json"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_timing", "off"),
        ] {
            let set = format!("ALTER DATABASE {name} SET {setting} = '{value}'");
            log.execute_unprepared(&set).await.unwrap();
        }
        Self { db: connect(&database.url).await, log, plans: Vec::new(), asked: Vec::new() }
    }

    pub async fn close(self) {
        self.db.close().await.unwrap();
        self.log.close().await.unwrap();
    }

    /// Runs what `of` does, planned for its values and planned for any, and takes it back.
    pub async fn ask(&mut self, of: &str, ask: impl AsyncFn(&DatabaseTransaction)) {
        // After some runs of a prepared statement, Postgres takes whichever seems cheaper.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let from = self.log_size().await;
            let tx = self.db.begin().await.unwrap();
            tx.execute_unprepared(&format!("SET LOCAL plan_cache_mode = {mode}")).await.unwrap();
            ask(&tx).await;
            tx.rollback().await.unwrap();
            let logged = plans_in(&self.log_from(from).await);
            assert!(!logged.is_empty(), "{of} left no plan in the log");
            let plans = logged.into_iter();
            self.plans.extend(plans.map(|logged| Plan { of: of.to_owned(), mode, logged }));
        }
        self.asked.push(of.to_owned());
    }

    /// The same of a change that stands for itself.
    pub async fn write(&mut self, of: &str, change: impl Fn() -> Write) {
        self.ask(of, async |tx| bulk::write(tx, [change()]).await.unwrap()).await;
    }

    async fn log_size(&self) -> i64 {
        let sql = format!("SELECT (pg_stat_file({LOG})).size AS size");
        let ask = Statement::from_string(self.log.get_database_backend(), sql);
        let row = self.log.query_one_raw(ask).await.unwrap().unwrap();
        row.try_get("", "size").unwrap()
    }

    async fn log_from(&self, place: i64) -> String {
        let sql = format!("SELECT pg_read_binary_file({LOG}, {place}, 100000000) AS log");
        let ask = Statement::from_string(self.log.get_database_backend(), sql);
        let row = self.log.query_one_raw(ask).await.unwrap().unwrap();
        String::from_utf8_lossy(&row.try_get::<Vec<u8>>("", "log").unwrap()).into_owned()
    }
}

/// Where `support::postgres` lets the server write its log.
const LOG: &str = "current_setting('data_directory') || '/../log'";

fn plans_in(log: &str) -> Vec<Value> {
    let parts = log.split("  plan:\n").skip(1);
    parts
        .map(|part| {
            let lines: String = part.lines().take_while(|line| line.starts_with('\t')).collect();
            serde_json::from_str(&lines).unwrap_or_else(|error| panic!("{error}: {lines}"))
        })
        .collect()
}

impl Plan {
    /// Every part of it that reads a table, by an index or not.
    pub fn scans(&self) -> Vec<Scan> {
        let mut found = Vec::new();
        scans(&self.logged["Plan"], &mut found);
        found
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.logged["Query Text"].as_str().unwrap_or_default();
        write!(f, "{} ({}): {text}", self.of, self.mode)?;
        for Scan { kind, table, rows } in self.scans() {
            write!(f, "\n    {kind} on {table}: {rows} rows")?;
        }
        Ok(())
    }
}

fn scans(node: &Value, found: &mut Vec<Scan>) {
    let text = |key: &str| node[key].as_str().unwrap_or_default().to_owned();
    let kind = text("Node Type");
    // What a bitmap of an index leads to is read by its parent.
    if kind.contains("Scan") && node["Relation Name"].is_string() {
        let rows = ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"];
        let rows: f64 = rows.iter().filter_map(|key| node[*key].as_f64()).sum();
        let rows = rows * node["Actual Loops"].as_f64().unwrap_or(1.0);
        let index = node["Index Name"].as_str().map_or(String::new(), |name| format!(" {name}"));
        found.push(Scan { kind: format!("{kind}{index}"), table: text("Relation Name"), rows });
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        if let Some(index) = child["Index Name"].as_str().filter(|_| kind == "Bitmap Heap Scan")
            && let Some(last) = found.last_mut()
        {
            last.kind.push_str(&format!(" {index}"));
        }
        scans(child, found);
    }
}
