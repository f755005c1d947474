//! Whom a seller does not want as a bidder.

use entity::ids::UserId;

use super::{Engine, Error};
use crate::{
    domain::{
        refusal::{Code, Refusal},
        user::User,
    },
    store::users,
};

impl Engine {
    /// Blocks a bidder from all of a seller's auctions, or lifts the block. Bids that stand stay.
    ///
    /// # Errors
    /// A refusal when there is no such user or it is the seller's own.
    pub async fn set_blocked(
        &self,
        seller: UserId,
        bidder: UserId,
        is_blocked: bool,
    ) -> Result<User, Error> {
        if seller == bidder {
            let refusal = Refusal::new(Code::CannotBlockSelf, "You cannot block yourself.");
            return Err(refusal.at(&["user"]).into());
        }
        let Some(user) = users::by_ids(&self.core.db.read, &[bidder]).await?.pop() else {
            let refusal = Refusal::new(Code::UserNotFound, "There is no such user.");
            return Err(refusal.at(&["user"]).into());
        };
        let since = is_blocked.then(|| self.core.clock.now(None));
        users::set_blocked(&self.core.db.write, seller, bidder, since).await?;
        Ok(user)
    }
}
