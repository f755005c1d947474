//! A database for each test: a copy of one that was migrated once.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use neighborbid::{
    audit,
    store::connection::{Db, PoolSettings},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};
use tokio::sync::OnceCell;

use super::postgres;

/// A migrated database that nobody else uses.
#[derive(Debug)]
pub struct TestDatabase {
    pub url: String,
    /// What to remove in the end.
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    File(PathBuf),
    Database(String),
    /// It goes with its server.
    Elsewhere,
}

pub const POOLS: PoolSettings = PoolSettings {
    write_connections: 4,
    read_connections: 4,
    reserved_connections: 2,
    heavy_reads: 3,
    acquire_timeout: Duration::from_secs(30),
    read_wait: Duration::from_secs(30),
    statement_timeout: Duration::from_secs(30),
    lock_timeout: Duration::from_secs(30),
    idle_in_transaction_timeout: Duration::from_secs(30),
    lookup_timeout: Duration::from_secs(30),
};

static NUMBER: AtomicU32 = AtomicU32::new(0);

fn number() -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("neighborbid_{}_{number}", std::process::id())
}

/// A new, empty database: not even migrated.
pub async fn empty(on_postgres: bool) -> TestDatabase {
    let name = number();
    if on_postgres {
        let server = postgres::server();
        run(server, &format!("CREATE DATABASE {name}")).await;
        let url = format!("{server}/{name}");
        return TestDatabase { url, kept: Kept::Database(name) };
    }
    let file = std::env::temp_dir().join(format!("{name}.db"));
    TestDatabase { url: sqlite_url(&file), kept: Kept::File(file) }
}

/// A database on a server of one's own, migrated at its first start.
pub async fn on_server(url: &str) -> TestDatabase {
    let name = number();
    run(url, &format!("CREATE DATABASE {name}")).await;
    TestDatabase { url: format!("{url}/{name}"), kept: Kept::Elsewhere }
}

/// A new SQLite database in a folder, migrated at its first start.
pub fn sqlite_in(folder: &std::path::Path) -> TestDatabase {
    let file = folder.join(format!("{}.db", number()));
    TestDatabase { url: sqlite_url(&file), kept: Kept::File(file) }
}

fn sqlite_url(file: &std::path::Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

pub async fn sqlite() -> TestDatabase {
    static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();
    let template = TEMPLATE
        .get_or_init(async || {
            let file = std::env::temp_dir().join(format!("{}_template.db", number()));
            let db = Db::open(&sqlite_url(&file), &POOLS).await.unwrap();
            migration::up(&db.write).await.unwrap();
            db.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
            db.close().await;
            file
        })
        .await;
    let database = empty(false).await;
    if let Kept::File(file) = &database.kept {
        std::fs::copy(template, file).unwrap();
    }
    database
}

pub async fn postgres() -> TestDatabase {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    // Copying a template refuses company, so copies take turns.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let server = tokio::task::spawn_blocking(postgres::server).await.unwrap();
    let template = TEMPLATE
        .get_or_init(async || {
            let name = format!("{}_template", number());
            run(server, &format!("CREATE DATABASE {name}")).await;
            let db = Db::open(&format!("{server}/{name}"), &POOLS).await.unwrap();
            migration::up(&db.write).await.unwrap();
            db.close().await;
            name
        })
        .await;
    let name = number();
    let _turn = TURN.lock().await;
    run(server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    TestDatabase { url: format!("{server}/{name}"), kept: Kept::Database(name) }
}

async fn run(server: &str, sql: &str) {
    let db = Database::connect(format!("{server}/postgres")).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

impl TestDatabase {
    pub async fn open(&self) -> Db {
        Db::open(&self.url, &POOLS).await.unwrap()
    }

    /// SQLite's file.
    pub fn file(&self) -> &std::path::Path {
        match &self.kept {
            Kept::File(file) => file,
            Kept::Database(_) | Kept::Elsewhere => panic!("it has no file"),
        }
    }

    pub fn is_postgres(&self) -> bool {
        !matches!(self.kept, Kept::File(_))
    }

    /// Every invariant holds.
    pub async fn audit(&self) {
        let db = self.open().await;
        let findings = audit::run(&db).await.unwrap();
        db.close().await;
        let broken: Vec<_> = findings.iter().filter(|f| f.broken > 0).map(audit::line).collect();
        assert!(broken.is_empty(), "the audit:\n{}", broken.join("\n"));
    }

    /// The audit, once more; then the database is removed.
    pub async fn finish(self) {
        self.audit().await;
        match &self.kept {
            Kept::File(file) => {
                for ending in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
                }
            }
            Kept::Database(name) => {
                run(postgres::server(), &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
            Kept::Elsewhere => {}
        }
    }
}

/// The first column of the first row, as a whole number.
pub async fn number_of(db: &DatabaseConnection, sql: &str) -> Result<i64, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(statement).await?.unwrap().try_get_by_index(0)
}
