//! What the database itself refuses, whoever asks: each CHECK, UNIQUE, foreign key and trigger,
//! with a control that the row is accepted as it should be.

mod rows;

use rows::{Columns, Refused, TABLES, TRANSFERS, Table};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use uuid::Uuid;

use crate::support::{TestDatabase, TestHouse, on_both};

/// A furnished house's one connection, and the values that stand for names in SQL.
struct Bench {
    db: DatabaseConnection,
    on_postgres: bool,
    names: Vec<(&'static str, String)>,
}

impl Bench {
    async fn of(db: &TestDatabase) -> Self {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", Some("11110"), 1).await;
        let ann = house.person("ann", None, 100_000).await;
        let ben = house.person("ben", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let bid = house.bid(&ann, lamp, 10_000).await.bid.unwrap().id;
        house.db.close().await;
        let mut options = ConnectOptions::new(&db.url);
        options.max_connections(1).sqlx_logging(false);
        let on_postgres = db.is_postgres();
        let mut bench =
            Self { db: Database::connect(options).await.unwrap(), on_postgres, names: Vec::new() };
        let ids = [
            ("{seller}", seller.user.id.0),
            ("{ann}", ann.user.id.0),
            ("{ben}", ben.user.id.0),
            ("{cho}", Uuid::now_v7()),
            ("{lamp}", lamp.0),
            ("{bid}", bid.0),
            ("{new}", Uuid::now_v7()),
            ("{nobody}", Uuid::now_v7()),
        ];
        for (name, id) in ids {
            bench.names.push((name, bench.bytes(id.as_bytes(), "uuid")));
        }
        for (name, byte, length) in [("{token}", 1, 32), ("{other}", 2, 32), ("{short}", 3, 31)] {
            bench.names.push((name, bench.bytes(&vec![byte; length], "bytea")));
        }
        let truth = |yes: &str, no: &str| [("{yes}", yes.to_owned()), ("{no}", no.to_owned())];
        bench.names.extend(if on_postgres { truth("TRUE", "FALSE") } else { truth("1", "0") });
        // Somebody without a wallet, with a session.
        for sql in [
            "INSERT INTO users (id, username, username_key, password_hash, is_admin, joined_at)
             VALUES ({cho}, 'Cho', 'cho', 'none', {no}, '2030-01-01T00:00:00+00:00')",
            "INSERT INTO sessions (id, token_hash, user_id, created_at, expires_at)
             VALUES ({cho}, {other}, {cho}, '2030-01-01T00:00:00+00:00',
                     '2030-01-02T00:00:00+00:00')",
        ] {
            bench.run(sql).await.unwrap();
        }
        bench
    }

    fn bytes(&self, bytes: &[u8], kind: &str) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match (self.on_postgres, kind) {
            (true, "uuid") => format!("'{hex}'::uuid"),
            (true, _) => format!("'\\x{hex}'::bytea"),
            (false, _) => format!("x'{hex}'"),
        }
    }

    async fn run(&self, sql: &str) -> Result<u64, DbErr> {
        let named = |sql: String, (name, value): &(&str, String)| sql.replace(name, value);
        let sql = self.names.iter().fold(sql.to_owned(), named);
        assert!(!sql.contains('{'), "{sql}");
        self.db.execute_unprepared(&sql).await.map(|done| done.rows_affected())
    }

    /// Tries a statement and takes it back.
    async fn attempt(&self, sql: &str) -> Result<u64, DbErr> {
        self.run("BEGIN").await.unwrap();
        let done = self.run(sql).await;
        self.run("ROLLBACK").await.unwrap();
        done
    }

    async fn close(self) {
        // For the audit: nobody else has no wallet.
        for sql in ["DELETE FROM sessions WHERE id = {cho}", "DELETE FROM users WHERE id = {cho}"] {
            assert_eq!(self.run(sql).await.unwrap(), 1);
        }
        self.db.close().await.unwrap();
    }

    /// What is wrong when `sql` is not refused for this reason.
    async fn must_refuse(&self, why: Refused, sql: &str) -> Option<String> {
        match self.attempt(sql).await {
            Ok(rows) => Some(format!("{rows} rows accepted: {sql}")),
            Err(error) => {
                let message = error.to_string();
                let said = why.words(self.on_postgres);
                (!message.contains(said)).then(|| format!("{message}: {sql}"))
            }
        }
    }
}

/// The INSERT of a table's row with some columns changed.
fn insert(table: &Table, changed: &Columns) -> String {
    for (column, _) in changed {
        let known = table.row.iter().any(|(known, _)| known == column);
        assert!(known, "{} has no {column}", table.name);
    }
    let value = |(column, value): &(&str, &'static str)| {
        let change = changed.iter().find(|(changed, _)| changed == column);
        change.map_or(*value, |(_, value)| *value)
    };
    let columns: Vec<_> = table.row.iter().map(|(column, _)| *column).collect();
    let values: Vec<_> = table.row.iter().map(value).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    format!("INSERT INTO {} ({columns}) VALUES ({values})", table.name)
}

on_both! {
    async fn a_row_is_accepted_as_it_should_be_and_refused_as_it_should_not(
        db: &TestDatabase
    ) {
        let bench = Bench::of(db).await;
        let mut wrong = Vec::new();
        for table in TABLES {
            for changed in [&[][..]].iter().chain(table.accepted) {
                let sql = insert(table, changed);
                if let Err(error) = bench.attempt(&sql).await {
                    wrong.push(format!("the control fails: {error}: {sql}"));
                }
            }
            for (why, changed) in table.refused {
                wrong.extend(bench.must_refuse(*why, &insert(table, changed)).await);
            }
        }
        bench.close().await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn a_transfer_joins_only_the_accounts_of_its_kind(db: &TestDatabase) {
        let bench = Bench::of(db).await;
        let accounts = ["AVAILABLE", "LOCKED", "ESCROW", "FEES", "EXTERNAL", "POCKET"];
        let mut wrong = Vec::new();
        for (kind, right_from, right_to) in TRANSFERS {
            let is_outside = matches!(*kind, "DEPOSIT" | "WITHDRAWAL");
            let of = if is_outside { "NULL, NULL" } else { "{lamp}, {bid}" };
            for (from, to) in accounts.iter().flat_map(|from| accounts.map(|to| (*from, to))) {
                let sql = format!(
                    "INSERT INTO transfers (id, user_id, kind, from_account, to_account, amount,
                     auction_id, bid_id, at) VALUES ({{new}}, {{ann}}, '{kind}', '{from}', '{to}',
                     1, {of}, '2030-01-01T00:00:00+00:00')"
                );
                if (from, to) == (*right_from, *right_to) {
                    let done = bench.attempt(&sql).await;
                    wrong.extend(done.err().map(|error| format!("{error}: {sql}")));
                } else {
                    wrong.extend(bench.must_refuse(Refused::Check, &sql).await);
                }
            }
        }
        bench.close().await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn nobody_changes_or_deletes_a_transfer_a_bid_or_an_event(db: &TestDatabase) {
        let bench = Bench::of(db).await;
        let mut wrong = Vec::new();
        for (table, column) in
            [("transfers", "amount"), ("bids", "amount"), ("auction_events", "bid_count")]
        {
            for sql in [
                format!("UPDATE {table} SET {column} = {column} + 1"),
                format!("UPDATE {table} SET {column} = {column}"),
                format!("DELETE FROM {table}"),
            ] {
                wrong.extend(bench.must_refuse(Refused::AppendOnly, &sql).await);
            }
            if bench.on_postgres {
                let sql = format!("TRUNCATE {table} CASCADE");
                wrong.extend(bench.must_refuse(Refused::AppendOnly, &sql).await);
            }
        }
        bench.close().await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn a_balance_cannot_fall_below_zero_by_any_statement(db: &TestDatabase) {
        let bench = Bench::of(db).await;
        let mut wrong = Vec::new();
        for balance in ["available", "locked"] {
            let less = |by: &str| format!("UPDATE wallets SET {balance} = {balance} - {by}");
            wrong.extend(bench.must_refuse(Refused::Check, &less("90001")).await);
            let done = bench.attempt(&less("0")).await;
            assert_eq!(done.unwrap(), 3, "the control");
        }
        bench.close().await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn what_others_refer_to_cannot_go(db: &TestDatabase) {
        let bench = Bench::of(db).await;
        let mut wrong = Vec::new();
        for sql in [
            "DELETE FROM users WHERE id = {ann}",
            "DELETE FROM users WHERE id = {cho}",
            "DELETE FROM auctions",
            "DELETE FROM regions WHERE id = '11110'",
            "DELETE FROM categories WHERE id = 'furniture'",
            "UPDATE auctions SET id = {new}",
            "UPDATE users SET id = {new} WHERE id = {ben}",
        ] {
            wrong.extend(bench.must_refuse(Refused::Foreign, sql).await);
        }
        bench.close().await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
