//! Wallets: balances, locked in ascending order of user.

use std::sync::Arc;

use entity::{Time, ids::UserId, wallet};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, Statement,
};

use super::{
    corrupt, money,
    rowset::{Rowset, one_of},
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

/// Locks the wallets of `users`, in ascending order of user, and reads them; and, on Postgres,
/// the database's clock right after: read inside the locks, shared by all nodes.
///
/// # Errors
/// When the database refuses.
pub async fn lock(
    db: &impl ConnectionTrait,
    users: impl Iterator<Item = UserId>,
) -> Result<(Vec<LockedWallet>, Option<Time>), DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "w.user_id", 1, users.map(|id| id.0));
    let (clock, lock) = match backend {
        DbBackend::Postgres => (", clock_timestamp() AS now", "FOR UPDATE OF w"),
        _ => ("", ""),
    };
    let text = format!(
        "SELECT w.available, w.locked, {}{clock} FROM wallets w JOIN users u ON u.id = w.user_id \
         WHERE {is_one} ORDER BY w.user_id {lock}",
        users::columns("u", "owner"),
    );
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?;
    let now = match (backend, rows.last()) {
        (DbBackend::Postgres, Some(row)) => Some(row.try_get("", "now")?),
        _ => None,
    };
    Ok((rows.iter().map(locked).collect::<Result<_, _>>()?, now))
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
///
/// # Errors
/// When the database refuses, its CHECKs included.
pub async fn save(db: &impl ConnectionTrait, wallets: &[(UserId, Balances)]) -> Result<(), DbErr> {
    let of = || wallets.iter();
    Rowset::new()
        .uuid("user_id", of().map(|(user, _)| Some(user.0)))
        .int64("available", of().map(|(_, b)| Some(b.available.minor())))
        .int64("locked", of().map(|(_, b)| Some(b.locked.minor())))
        .execute(db, |rows| {
            format!(
                "UPDATE wallets SET available = r.available, locked = r.locked FROM {rows} AS r \
                 WHERE wallets.user_id = r.user_id"
            )
        })
        .await?;
    Ok(())
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
