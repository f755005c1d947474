//! Notes to people.

use entity::{
    Time,
    ids::{NotificationId, UserId},
    notification,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement, Values,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::{
    page::Page,
    rowset::{Rowset, one_of},
};

/// Written out, not as a parameter: so that it is seen to be what the index of the unread says.
fn unread() -> SimpleExpr {
    Expr::col(notification::Column::IsRead).not()
}

/// A page of a user's notifications, newest first; the cursor is a notification's id.
///
/// # Errors
/// When the database refuses.
pub async fn of_user(
    db: &impl ConnectionTrait,
    user: UserId,
    unread_only: bool,
    page: &Page<NotificationId>,
) -> Result<Vec<notification::Model>, DbErr> {
    let mut select = notification::Entity::find()
        .filter(notification::Column::UserId.eq(user))
        .order_by_desc(notification::Column::Id)
        .limit(u64::from(page.size) + 1);
    if unread_only {
        select = select.filter(unread());
    }
    if let Some(after) = page.after {
        select = select.filter(notification::Column::Id.lt(after));
    }
    select.all(db).await
}

/// The notifications of these ids, in no order.
///
/// # Errors
/// When the database refuses.
pub async fn by_ids(
    db: &impl ConnectionTrait,
    ids: &[NotificationId],
) -> Result<Vec<notification::Model>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let text = format!("SELECT * FROM notifications WHERE {is_one}");
    let ask = Statement::from_sql_and_values(backend, text, [ids]);
    notification::Entity::find().from_raw_sql(ask).all(db).await
}

/// Marks a user's own notifications read; others' ids are passed over.
///
/// # Errors
/// When the database refuses.
pub async fn mark_read(
    db: &impl ConnectionTrait,
    user: UserId,
    ids: &[NotificationId],
) -> Result<(), DbErr> {
    notification::Entity::update_many()
        .col_expr(notification::Column::IsRead, true.into())
        .filter(notification::Column::UserId.eq(user))
        .filter(notification::Column::Id.is_in(ids.iter().copied()))
        .exec(db)
        .await?;
    Ok(())
}

/// How many of a user's notifications are unread.
///
/// # Errors
/// When the database refuses.
pub async fn unread_count(db: &impl ConnectionTrait, user: UserId) -> Result<u64, DbErr> {
    notification::Entity::find()
        .filter(notification::Column::UserId.eq(user))
        .filter(unread())
        .count(db)
        .await
}

/// How many of a user's newest notifications are looked through.
const NEWEST: u32 = 256;

/// The notifications of several users that bear a time since a moment, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn since(
    db: &impl ConnectionTrait,
    users: &[UserId],
    moment: Time,
) -> Result<Vec<notification::Model>, DbErr> {
    // Each user's newest by the index of their ids, and of these the ones by time: their ids bear
    // the time of the node that made them, which is not the database's, but is near it.
    let newest = |user: &str| {
        format!("FROM notifications WHERE user_id = {user} ORDER BY id DESC LIMIT {NEWEST}")
    };
    let backend = db.get_database_backend();
    let of_users = Rowset::new().uuid("id", users.iter().map(|id| id.0));
    let mut ask = of_users.statement(backend, |rows| match backend {
        DbBackend::Postgres => format!(
            "SELECT n.* FROM {rows} AS u CROSS JOIN LATERAL (SELECT * {}) AS n \
             WHERE n.at >= $2 ORDER BY n.at, n.id",
            newest("u.id")
        ),
        _ => format!(
            "SELECT n.* FROM {rows} AS u JOIN notifications AS n ON n.user_id = u.id \
             AND n.id IN (SELECT id {}) WHERE n.at >= $2 ORDER BY n.at, n.id",
            newest("u.id")
        ),
    });
    ask.values.get_or_insert_with(|| Values(Vec::new())).0.push(moment.into());
    notification::Entity::find().from_raw_sql(ask).all(db).await
}
