//! Users, and whom a seller blocks.

use std::sync::Arc;

use entity::{
    Time, blocked_bidder,
    ids::{RegionId, UserId},
    user,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryResult,
    QuerySelect, QueryTrait, Statement, sea_query::OnConflict,
};

use super::rowset::one_of;
use crate::domain::{name, user::User};

/// A user with what signing in needs.
#[derive(Debug, Clone)]
pub struct Account {
    /// The public part.
    pub user: User,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// May act for others.
    pub is_admin: bool,
}

impl From<user::Model> for Account {
    fn from(row: user::Model) -> Self {
        Self {
            user: User {
                id: row.id,
                username: row.username,
                home_region: row.home_region_id,
                joined_at: row.joined_at,
            },
            password_hash: row.password_hash,
            is_admin: row.is_admin,
        }
    }
}

/// Adds a user with an empty wallet; `false` when the name is taken, or reads like one that is.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, account: &Account) -> Result<bool, DbErr> {
    let user = &account.user;
    let row = user::ActiveModel {
        id: Set(user.id),
        username: Set(user.username.clone()),
        username_key: Set(name::key(&user.username)),
        username_skeleton: Set(Some(name::skeleton(&user.username))),
        password_hash: Set(account.password_hash.clone()),
        home_region_id: Set(user.home_region.clone()),
        is_admin: Set(account.is_admin),
        joined_at: Set(user.joined_at),
    };
    let added = user::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    if added == 0 {
        return Ok(false);
    }
    super::wallets::insert(db, user.id).await?;
    Ok(true)
}

/// The account of a name, whatever its case and width. An account from before names were prepared
/// as they are now may have kept its older key: it is found by its name as it was written.
///
/// # Errors
/// When the database refuses.
pub async fn by_username(
    db: &impl ConnectionTrait,
    username: &str,
) -> Result<Option<Account>, DbErr> {
    let [new, old] = keys(username);
    let found = user::Entity::find()
        .filter(user::Column::UsernameKey.is_in([new.clone(), old]))
        .limit(2)
        .all(db)
        .await?;
    let rank = |row: &user::Model| (row.username != username, row.username_key != new);
    Ok(found.into_iter().min_by_key(rank).map(Account::from))
}

/// What a name may be found by: as it is prepared now, and as it was once.
fn keys(username: &str) -> [String; 2] {
    [name::key(username), username.to_lowercase()]
}

/// The users of these ids, in no order.
///
/// # Errors
/// When the database refuses.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[UserId]) -> Result<Vec<User>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let text = format!("SELECT * FROM users WHERE {is_one}");
    let statement = Statement::from_sql_and_values(backend, text, [ids]);
    let rows = user::Entity::find().from_raw_sql(statement).all(db).await?;
    Ok(rows.into_iter().map(|row| Account::from(row).user).collect())
}

/// Whether a user is an admin.
///
/// # Errors
/// When the database refuses.
pub async fn is_admin(db: &impl ConnectionTrait, id: UserId) -> Result<bool, DbErr> {
    let found = user::Entity::find_by_id(id).one(db).await?;
    Ok(found.is_some_and(|user| user.is_admin))
}

/// Makes a user an admin; `false` when there is none of that name.
///
/// # Errors
/// When the database refuses.
pub async fn grant_admin(db: &impl ConnectionTrait, username: &str) -> Result<bool, DbErr> {
    let Some(account) = by_username(db, username).await? else {
        return Ok(false);
    };
    let done = user::Entity::update_many()
        .col_expr(user::Column::IsAdmin, true.into())
        .filter(user::Column::Id.eq(account.user.id))
        .exec(db)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Blocks a bidder for a seller, or lifts the block.
///
/// # Errors
/// When the database refuses.
pub async fn set_blocked(
    db: &impl ConnectionTrait,
    seller: UserId,
    bidder: UserId,
    blocked_at: Option<Time>,
) -> Result<(), DbErr> {
    match blocked_at {
        Some(at) => {
            let row = blocked_bidder::ActiveModel {
                seller_id: Set(seller),
                bidder_id: Set(bidder),
                created_at: Set(at),
            };
            let key = [blocked_bidder::Column::SellerId, blocked_bidder::Column::BidderId];
            blocked_bidder::Entity::insert(row)
                .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
                .exec_without_returning(db)
                .await?;
        }
        None => {
            blocked_bidder::Entity::delete_by_id((seller, bidder)).exec(db).await?;
        }
    }
    Ok(())
}

/// How many people a seller blocks, counted to `most`; and whether this one is among them.
///
/// # Errors
/// When the database refuses.
pub async fn blocked_count(
    db: &impl ConnectionTrait,
    seller: UserId,
    bidder: UserId,
    most: u32,
) -> Result<(u64, bool), DbErr> {
    let of_seller = blocked_bidder::Entity::find()
        .filter(blocked_bidder::Column::SellerId.eq(seller))
        .limit(u64::from(most));
    let count = of_seller.select_only().column(blocked_bidder::Column::BidderId).into_query();
    let count = db.query_all(&count).await?.len();
    let known = blocked_bidder::Entity::find_by_id((seller, bidder)).one(db).await?.is_some();
    Ok((u64::try_from(count).unwrap_or(u64::MAX), known))
}

/// The columns of a joined user, named `PREFIX_id` and so on; see [`columns`].
pub(super) fn joined(row: &QueryResult, prefix: &str) -> Result<Option<Arc<User>>, DbErr> {
    let prefix = format!("{prefix}_");
    let Some(id) = row.try_get::<Option<UserId>>(&prefix, "id")? else {
        return Ok(None);
    };
    Ok(Some(Arc::new(User {
        id,
        username: row.try_get(&prefix, "username")?,
        home_region: row.try_get::<Option<RegionId>>(&prefix, "home_region_id")?,
        joined_at: row.try_get(&prefix, "joined_at")?,
    })))
}

/// What a SELECT names so that [`joined`] finds the user joined as `alias` under `prefix`.
pub(super) fn columns(alias: &str, prefix: &str) -> String {
    ["id", "username", "home_region_id", "joined_at"]
        .map(|column| format!("{alias}.{column} AS {prefix}_{column}"))
        .join(", ")
}
