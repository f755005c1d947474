//! The category tree, read whole: it is small and changes only with a migration.

use entity::category;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder};

/// All categories, in their order.
///
/// # Errors
/// When the database refuses.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<category::Model>, DbErr> {
    category::Entity::find().order_by_asc(category::Column::Position).all(db).await
}
