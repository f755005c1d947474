//! The keys under which accepted requests are remembered.

use entity::{idempotency_key as row, ids::UserId};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

use super::rowset::{Rowset, Write};

/// The accepted requests among these (user, key) pairs.
///
/// # Errors
/// When the database refuses.
pub async fn find(
    db: &impl ConnectionTrait,
    keys: &[(UserId, &str)],
) -> Result<Vec<row::Model>, DbErr> {
    let wanted = Rowset::new()
        .uuid("user_id", keys.iter().map(|(user, _)| Some(user.0)))
        .text("key", keys.iter().map(|(_, key)| Some((*key).to_owned())))
        .statement(db.get_database_backend(), |rows| {
            format!(
                "SELECT k.* FROM idempotency_keys k JOIN {rows} AS r \
                 ON k.user_id = r.user_id AND k.key = r.key"
            )
        });
    row::Entity::find().from_raw_sql(wanted).all(db).await
}

/// Remembers accepted requests.
pub fn insert(new: &[row::Model]) -> Write {
    let of = || new.iter();
    Rowset::new()
        .uuid("user_id", of().map(|k| Some(k.user_id.0)))
        .text("key", of().map(|k| Some(k.key.clone())))
        .text("request", of().map(|k| Some(k.request.clone())))
        .uuid("auction_id", of().map(|k| k.auction_id.map(|id| id.0)))
        .int64("sequence", of().map(|k| k.sequence))
        .uuid("bid_id", of().map(|k| k.bid_id.map(|id| id.0)))
        .uuid("transfer_id", of().map(|k| k.transfer_id.map(|id| id.0)))
        .time("created_at", of().map(|k| k.created_at))
        .insert_into("idempotency_keys")
}
