//! The keys under which accepted requests are remembered.

use entity::{idempotency_key, ids::UserId};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::among::are_among;

/// The accepted requests among these (user, key) pairs.
///
/// # Errors
/// When the database refuses.
pub async fn find(
    db: &impl ConnectionTrait,
    keys: &[(UserId, &str)],
) -> Result<Vec<idempotency_key::Model>, DbErr> {
    let pairs: Vec<_> = keys.iter().map(|(user, key)| (user.0, *key)).collect();
    let columns = [idempotency_key::Column::UserId, idempotency_key::Column::Key];
    idempotency_key::Entity::find()
        .filter(are_among(db.get_database_backend(), columns, &pairs))
        .all(db)
        .await
}
