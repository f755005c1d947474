//! Sessions: a row is a living token.

use entity::{
    Time,
    ids::{SessionId, UserId},
    session, user,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait,
    FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement,
};

use super::{rowset::one_of, users::Account};

/// Adds a session.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: SessionId,
    user: UserId,
    token_hash: Vec<u8>,
    created_at: Time,
    expires_at: Time,
) -> Result<(), DbErr> {
    session::ActiveModel {
        id: Set(id),
        token_hash: Set(token_hash),
        user_id: Set(user),
        created_at: Set(created_at),
        expires_at: Set(expires_at),
    }
    .insert(db)
    .await?;
    Ok(())
}

/// The living session of a token, and its user.
///
/// # Errors
/// When the database refuses.
pub async fn by_token(
    db: &impl ConnectionTrait,
    token_hash: &[u8],
    now: Time,
) -> Result<Option<(SessionId, Time, Account)>, DbErr> {
    let backend = db.get_database_backend();
    let text = "SELECT s.id AS session_id, s.expires_at, u.* FROM sessions s \
                JOIN users u ON u.id = s.user_id \
                WHERE s.token_hash = $1 AND s.expires_at > $2";
    let values = [token_hash.into(), now.into()];
    let statement = Statement::from_sql_and_values(backend, text, values);
    let Some(row) = db.query_one_raw(statement).await? else {
        return Ok(None);
    };
    let account = Account::from(user::Model::from_query_result(&row, "")?);
    Ok(Some((row.try_get("", "session_id")?, row.try_get("", "expires_at")?, account)))
}

/// Which of these sessions exist.
///
/// # Errors
/// When the database refuses.
pub async fn existing(
    db: &impl ConnectionTrait,
    ids: &[SessionId],
) -> Result<Vec<SessionId>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let text = format!("SELECT id FROM sessions WHERE {is_one}");
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, [ids])).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// Ends a session.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &impl ConnectionTrait, id: SessionId) -> Result<(), DbErr> {
    session::Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}

/// A user's sessions but for the newest `keep`, the oldest last.
///
/// # Errors
/// When the database refuses.
pub async fn older_than_newest(
    db: &impl ConnectionTrait,
    user: UserId,
    keep: u64,
) -> Result<Vec<SessionId>, DbErr> {
    let newest_first = session::Entity::find()
        .filter(session::Column::UserId.eq(user))
        .order_by_desc(session::Column::CreatedAt)
        .order_by_desc(session::Column::Id)
        .offset(keep)
        // SQLite knows no offset without a limit.
        .limit(MOST_ENDED)
        .select_only()
        .column(session::Column::Id)
        .into_query();
    let rows = db.query_all(&newest_first).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// How many sessions one sign-in ends at most: more only where the bound was lowered.
const MOST_ENDED: u64 = 1_000;

/// Forgets a user's sessions that are dead already.
///
/// # Errors
/// When the database refuses.
pub async fn delete_expired(
    db: &impl ConnectionTrait,
    user: UserId,
    now: Time,
) -> Result<(), DbErr> {
    session::Entity::delete_many()
        .filter(session::Column::UserId.eq(user))
        .filter(session::Column::ExpiresAt.lte(now))
        .exec(db)
        .await?;
    Ok(())
}
