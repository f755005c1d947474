//! The secret by which the nodes on one database know each other's messages. A migration made it.

use entity::bus_secret;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

/// The secret.
///
/// # Errors
/// When the database refuses, or somebody deleted it.
pub async fn read(db: &impl ConnectionTrait) -> Result<String, DbErr> {
    let row = bus_secret::Entity::find_by_id(1).one(db).await?;
    row.map(|row| row.secret).ok_or_else(|| super::corrupt("no secret for the bus"))
}
