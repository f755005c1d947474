//! What the public may know of a person.

use entity::{
    Time,
    ids::{RegionId, UserId},
};
use serde::{Deserialize, Serialize};

/// A user, as everybody may see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// As the user wrote it.
    pub username: String,
    /// Where the user lives, of any depth.
    pub home_region: Option<RegionId>,
    /// When the account was made.
    pub joined_at: Time,
}
