//! People.

use sea_orm::entity::prelude::*;

use crate::{
    Time,
    ids::{RegionId, UserId},
};
/// A person who may sell and bid.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// As the user wrote it.
    pub username: String,
    /// Without case and width: what it is found by.
    #[sea_orm(unique)]
    pub username_key: String,
    /// What it reads like. None where an older account's name reads alike: from before that was
    /// refused.
    #[sea_orm(unique)]
    pub username_skeleton: Option<String>,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// Where the user lives, of any depth.
    pub home_region_id: Option<RegionId>,
    /// May move money on others' behalf and decide disputes.
    pub is_admin: bool,
    /// When the account was made.
    pub joined_at: Time,
}

/// No relations: `store` joins by hand, where a reader sees it.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
