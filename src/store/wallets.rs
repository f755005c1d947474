//! Wallets: balances, locked in ascending order of user.

use std::{collections::HashSet, sync::Arc};

use entity::{Time, ids::UserId, wallet};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, Statement,
};
use uuid::Uuid;

use super::{
    corrupt, money,
    rowset::{Rowset, Write, one_of},
    users,
};
use crate::domain::{ledger::Balances, user::User};

/// A user's wallet, locked for this transaction.
#[derive(Debug, Clone)]
pub struct LockedWallet {
    /// Its owner.
    pub user: Arc<User>,
    /// What is in it.
    pub balances: Balances,
}

/// Adds an empty wallet.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, user: UserId) -> Result<(), DbErr> {
    let row = wallet::ActiveModel { user_id: Set(user), available: Set(0), locked: Set(0) };
    wallet::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// What locking wallets brings.
#[derive(Debug, Default)]
pub struct Locked {
    /// The wallets, in ascending order of user.
    pub wallets: Vec<LockedWallet>,
    /// Which (seller, bidder) pairs are blocked.
    pub blocked: HashSet<(UserId, UserId)>,
    /// On Postgres, the database's clock right after: read inside the locks, shared by all nodes.
    pub now: Option<Time>,
}

/// Locks the wallets of `users`, in ascending order of user, and reads them; and which of the
/// users are blocked by any of `sellers`.
///
/// # Errors
/// When the database refuses.
pub async fn lock(
    db: &impl ConnectionTrait,
    users: impl Iterator<Item = UserId>,
    sellers: impl Iterator<Item = UserId>,
) -> Result<Locked, DbErr> {
    lock_with(db, users, sellers, "FOR UPDATE OF w").await
}

/// The same, but of those wallets alone that nobody else holds.
///
/// # Errors
/// When the database refuses.
pub async fn lock_free(
    db: &impl ConnectionTrait,
    users: impl Iterator<Item = UserId>,
    sellers: impl Iterator<Item = UserId>,
) -> Result<Locked, DbErr> {
    lock_with(db, users, sellers, "FOR UPDATE OF w SKIP LOCKED").await
}

async fn lock_with(
    db: &impl ConnectionTrait,
    users: impl Iterator<Item = UserId>,
    sellers: impl Iterator<Item = UserId>,
    lock: &str,
) -> Result<Locked, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "w.user_id", 1, users.map(|id| id.0));
    let (by_one, sellers) = one_of(backend, "b.seller_id", 2, sellers.map(|id| id.0));
    let from = format!("FROM blocked_bidders b WHERE b.bidder_id = w.user_id AND {by_one}");
    let owner = users::columns("u", "owner");
    let text = match backend {
        // The clock is read outside of what locks: inside, each row's would be read before its
        // lock was waited for. The last row's is after all of them.
        DbBackend::Postgres => format!(
            "WITH held AS MATERIALIZED (SELECT w.available, w.locked, {owner}, \
             (SELECT string_agg(b.seller_id::text, ',') {from}) AS blockers \
             FROM wallets w JOIN users u ON u.id = w.user_id \
             WHERE {is_one} ORDER BY w.user_id {lock}) \
             SELECT held.*, clock_timestamp() AS now FROM held"
        ),
        _ => format!(
            "SELECT w.available, w.locked, {owner}, \
             (SELECT group_concat(hex(b.seller_id)) {from}) AS blockers \
             FROM wallets w JOIN users u ON u.id = w.user_id WHERE {is_one} ORDER BY w.user_id"
        ),
    };
    let ask = Statement::from_sql_and_values(backend, text, [ids, sellers]);
    let rows = db.query_all_raw(ask).await?;
    let mut found = Locked::default();
    for row in &rows {
        let wallet = locked(row)?;
        let blockers = row.try_get::<Option<String>>("", "blockers")?.unwrap_or_default();
        for blocker in blockers.split(',').filter(|text| !text.is_empty()) {
            let seller = Uuid::try_parse(blocker).map_err(|_| corrupt("a blocker's id"))?;
            found.blocked.insert((UserId(seller), wallet.user.id));
        }
        found.wallets.push(wallet);
    }
    if let (DbBackend::Postgres, Some(row)) = (backend, rows.last()) {
        found.now = Some(row.try_get("", "now")?);
    }
    Ok(found)
}

fn locked(row: &QueryResult) -> Result<LockedWallet, DbErr> {
    Ok(LockedWallet {
        user: users::joined(row, "owner")?.ok_or_else(|| corrupt("a wallet without owner"))?,
        balances: Balances {
            available: money(row.try_get("", "available")?)?,
            locked: money(row.try_get("", "locked")?)?,
        },
    })
}

/// Writes back the balances of locked wallets.
pub fn save(wallets: &[(UserId, Balances)]) -> Write {
    let of = || wallets.iter();
    Rowset::new()
        .uuid("user_id", of().map(|(user, _)| Some(user.0)))
        .int64("available", of().map(|(_, b)| Some(b.available.minor())))
        .int64("locked", of().map(|(_, b)| Some(b.locked.minor())))
        .write(|rows| {
            format!(
                "UPDATE wallets SET available = r.available, locked = r.locked FROM {rows} AS r \
                 WHERE wallets.user_id = r.user_id"
            )
        })
}

/// A wallet's balances, unlocked.
///
/// # Errors
/// When the database refuses.
pub async fn of(db: &impl ConnectionTrait, user: UserId) -> Result<Balances, DbErr> {
    let row = wallet::Entity::find_by_id(user).one(db).await?;
    let row = row.ok_or_else(|| corrupt("a user without wallet"))?;
    Ok(Balances { available: money(row.available)?, locked: money(row.locked)? })
}

/// The balances of several wallets, unlocked.
///
/// # Errors
/// When the database refuses.
pub async fn of_each(
    db: &impl ConnectionTrait,
    users: &[UserId],
) -> Result<Vec<(UserId, Balances)>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "user_id", 1, users.iter().map(|id| id.0));
    let text = format!("SELECT user_id, available, locked FROM wallets WHERE {is_one}");
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?;
    let balances = |row: &QueryResult| {
        let (available, locked) = (row.try_get("", "available")?, row.try_get("", "locked")?);
        let balances = Balances { available: money(available)?, locked: money(locked)? };
        Ok((row.try_get("", "user_id")?, balances))
    };
    rows.iter().map(balances).collect()
}
