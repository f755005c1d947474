//! Signed-in sessions. A row is a living token; signing out deletes it.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    ids::{SessionId, UserId},
};
/// A session; the token itself is never stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// SHA-256 of the token.
    #[sea_orm(unique)]
    pub token_hash: Vec<u8>,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was made.
    pub created_at: Time,
    /// From then on it is dead.
    pub expires_at: Time,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
