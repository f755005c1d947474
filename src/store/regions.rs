//! The region tree, read whole: it is small and changes only with a migration.

use entity::region;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder};

/// All regions, in order of code.
///
/// # Errors
/// When the database refuses.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<region::Model>, DbErr> {
    region::Entity::find().order_by_asc(region::Column::Id).all(db).await
}
