//! What names read like; holds that are no more than the buy-now price; who decided a dispute; a
//! seller's auctions that have not ended.
//!
//! Each user gets the key and the skeleton that their name has now. Where two names that were
//! different read alike, the older account has the skeleton and the newer one none: it goes on as
//! it is, and nobody can join it with another. A leader's hold above the buy-now price is released.
//!
//! Nodes of an earlier version must be stopped: they would release the whole of such a hold, and so
//! the excess twice. Going down takes back the columns and indexes alone: names keep the keys that
//! they were given, and what was released stays released, for the ledger is append-only; hence an
//! earlier version is not to serve a database with open auctions after it.

use std::collections::HashSet;

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, QueryResult, Statement, Value},
};
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection;
use uuid::Uuid;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            // Nobody bids between what is read here and what is written: first, as bids lock too.
            sql::run(manager, "LOCK TABLE auctions IN EXCLUSIVE MODE").await?;
        }
        sql::run(
            manager,
            "ALTER TABLE users ADD COLUMN username_skeleton TEXT;
             ALTER TABLE orders ADD COLUMN decided_by {uuid} REFERENCES users (id)
               CHECK (decided_by <> buyer_id AND decided_by <> seller_id);",
        )
        .await?;
        name_everybody(manager).await?;
        release_excess(manager).await?;
        sql::run(
            manager,
            "CREATE UNIQUE INDEX users_skeleton ON users (username_skeleton);
             CREATE INDEX auctions_unended ON auctions (seller_id)
               WHERE status IN ('OPEN', 'SCHEDULED');",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "DROP INDEX auctions_unended;
             DROP INDEX users_skeleton;
             ALTER TABLE orders DROP COLUMN decided_by;
             ALTER TABLE users DROP COLUMN username_skeleton;",
        )
        .await
    }
}

async fn rows(manager: &SchemaManager<'_>, ask: &str) -> Result<Vec<QueryResult>, DbErr> {
    let ask = Statement::from_string(manager.get_database_backend(), ask);
    manager.get_connection().query_all_raw(ask).await
}

async fn write<const N: usize>(
    manager: &SchemaManager<'_>,
    statement: &str,
    values: [Value; N],
) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, statement, values);
    manager.get_connection().execute_raw(statement).await?;
    Ok(())
}

async fn name_everybody(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let everybody = "SELECT id, username, username_key FROM users ORDER BY joined_at, id";
    let people = rows(manager, everybody).await?;
    let old_key = |row: &QueryResult| row.try_get::<String>("", "username_key");
    let mut keys = people.iter().map(old_key).collect::<Result<HashSet<_>, _>>()?;
    let mut skeletons = HashSet::new();
    for row in people {
        let (id, name): (Uuid, String) = (row.try_get("", "id")?, row.try_get("", "username")?);
        let (old, new) = (old_key(&row)?, key(&name));
        let key = if keys.insert(new.clone()) { new } else { old };
        let skeleton = Some(skeleton(&name)).filter(|skeleton| skeletons.insert(skeleton.clone()));
        let named = "UPDATE users SET username_key = $1, username_skeleton = $2 WHERE id = $3";
        write(manager, named, [key.into(), skeleton.into(), id.into()]).await?;
    }
    Ok(())
}

async fn release_excess(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let excess = "SELECT id, leader_id, leader_bid_id, leader_maximum - buy_now_price AS excess
                  FROM auctions WHERE status = 'OPEN' AND leader_maximum > buy_now_price";
    for row in rows(manager, excess).await? {
        let [auction, leader, bid]: [Uuid; 3] = [
            row.try_get("", "id")?,
            row.try_get("", "leader_id")?,
            row.try_get("", "leader_bid_id")?,
        ];
        let excess: i64 = row.try_get("", "excess")?;
        let released = "INSERT INTO transfers (id, user_id, from_account, to_account, amount, kind,
                          auction_id, bid_id, at)
                        SELECT $1, $2, 'LOCKED', 'AVAILABLE', $3, 'RELEASE', $4, $5, MAX(at)
                        FROM transfers WHERE bid_id = $5";
        let id = Uuid::now_v7();
        let values = [id.into(), leader.into(), excess.into(), auction.into(), bid.into()];
        write(manager, released, values).await?;
        let moved = "UPDATE wallets SET locked = locked - $1, available = available + $1
                     WHERE user_id = $2";
        write(manager, moved, [excess.into(), leader.into()]).await?;
    }
    Ok(())
}

// As names were prepared when this was written: a migration does the same for ever.

fn key(name: &str) -> String {
    stable(name.nfkc().collect(), |name| folded(name).nfkc().collect())
}

fn skeleton(name: &str) -> String {
    let step = |name: &str| {
        let skeleton: String = confusable_detection::skeleton(name).collect();
        let mut letters: Vec<char> = folded(&skeleton).replace('i', "l").chars().collect();
        letters.dedup_by(|next, last| next == last && matches!(last, '_' | '-' | '.'));
        letters.into_iter().collect()
    };
    stable(name.nfkc().collect(), step)
}

fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

fn stable(mut name: String, step: impl Fn(&str) -> String) -> String {
    for _ in 0..4 {
        let next = step(&name);
        if next == name {
            break;
        }
        name = next;
    }
    name
}
