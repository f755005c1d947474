//! Wallets: balances, locked in ascending order of user.

use std::{collections::HashSet, sync::Arc};

use entity::{Time, blocked_bidder, ids::UserId, user, wallet};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, QueryTrait, Statement,
    sea_query::{
        Asterisk, CommonTableExpression, Expr, ExprTrait, Func, LockBehavior, LockType, Query,
        SelectStatement, WithClause, WithQuery,
    },
};

use super::{
    among::is_among,
    bulk::{self, Write},
    corrupt, money,
    rowset::one_of,
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
    users: impl IntoIterator<Item = UserId>,
    sellers: impl IntoIterator<Item = UserId>,
) -> Result<Locked, DbErr> {
    let mut held = selected(db.get_database_backend(), users, sellers);
    held.lock_with_tables(LockType::Update, [wallet::Entity]);
    read(db, held).await
}

/// The same, but of those wallets alone that nobody else holds.
///
/// # Errors
/// When the database refuses.
pub async fn lock_free(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = UserId>,
    sellers: impl IntoIterator<Item = UserId>,
) -> Result<Locked, DbErr> {
    let mut held = selected(db.get_database_backend(), users, sellers);
    let skip = LockBehavior::SkipLocked;
    held.lock_with_tables_behavior(LockType::Update, [wallet::Entity], skip);
    read(db, held).await
}

/// A row for each wallet, or for each of the sellers who block its owner.
fn selected(
    backend: DbBackend,
    users: impl IntoIterator<Item = UserId>,
    sellers: impl IntoIterator<Item = UserId>,
) -> SelectStatement {
    use blocked_bidder::Column::{BidderId, SellerId};
    let is_owner = Expr::col((user::Entity, user::Column::Id));
    let is_owner = is_owner.equals((wallet::Entity, wallet::Column::UserId));
    let blocks = Expr::col((blocked_bidder::Entity, BidderId))
        .equals((wallet::Entity, wallet::Column::UserId))
        .and(is_among(backend, SellerId, sellers.into_iter().map(|id| id.0)));
    let owned = is_among(backend, wallet::Column::UserId, users.into_iter().map(|id| id.0));
    wallet::Entity::find()
        .filter(owned)
        .order_by_asc(wallet::Column::UserId)
        .select_only()
        .columns([wallet::Column::Available, wallet::Column::Locked])
        .column_as(user::Column::Id, "owner_id")
        .column_as(user::Column::Username, "owner_username")
        .column_as(user::Column::HomeRegionId, "owner_home_region_id")
        .column_as(user::Column::JoinedAt, "owner_joined_at")
        .column_as(SellerId, "blocked_by")
        .into_query()
        .inner_join(user::Entity, is_owner)
        .left_join(blocked_bidder::Entity, blocks)
        .take()
}

async fn read(db: &impl ConnectionTrait, held: SelectStatement) -> Result<Locked, DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let rows = match is_postgres {
        true => db.query_all(&with_clock(held)).await?,
        false => db.query_all(&held).await?,
    };
    let mut found = Locked::default();
    for row in &rows {
        let wallet = locked(row)?;
        let owner = wallet.user.id;
        if let Some(seller) = row.try_get("", "blocked_by")? {
            found.blocked.insert((seller, owner));
        }
        if found.wallets.last().is_none_or(|last: &LockedWallet| last.user.id != owner) {
            found.wallets.push(wallet);
        }
    }
    if let Some(row) = rows.last().filter(|_| is_postgres) {
        found.now = Some(row.try_get("", "now")?);
    }
    Ok(found)
}

/// The clock is read outside of what locks: inside, each row's would be read before its lock was
/// waited for. The last row's is after all of them.
fn with_clock(held: SelectStatement) -> WithQuery {
    let held = CommonTableExpression::new().query(held).table_name("held").to_owned();
    Query::select()
        .column(("held", Asterisk))
        .expr_as(Func::cust("clock_timestamp"), "now")
        .from("held")
        .take()
        .with(WithClause::new().cte(held).to_owned())
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
pub fn save(wallets: impl IntoIterator<Item = (UserId, Balances)>) -> Write {
    let row = |(user, balances): (UserId, Balances)| wallet::ActiveModel {
        user_id: Unchanged(user),
        available: Set(balances.available.minor()),
        locked: Set(balances.locked.minor()),
    };
    bulk::update(&wallets.into_iter().map(row).collect::<Vec<_>>())
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
