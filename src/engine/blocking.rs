//! Whom a seller does not want as a bidder.

use entity::ids::UserId;

use super::{
    Engine, Error,
    command::{self, Attempt, Command, Decision, Effects},
};
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
        let Some(user) = users::by_ids(&self.core.db.reserved, &[bidder]).await?.pop() else {
            let refusal = Refusal::new(Code::UserNotFound, "There is no such user.");
            return Err(refusal.at(&["user"]).into());
        };
        command::run(&self.core, Blocked { seller, bidder, is_blocked }).await?;
        Ok(user)
    }
}

/// A seller's change of whom to block.
struct Blocked {
    seller: UserId,
    bidder: UserId,
    is_blocked: bool,
}

impl Command for Blocked {
    type Answer = ();

    const NAME: &'static str = "block bidder";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<()>, Error> {
        let since = match self.is_blocked {
            true => {
                self.check_bound(attempt).await?;
                Some(attempt.now().await?)
            }
            false => None,
        };
        users::set_blocked(attempt.tx, self.seller, self.bidder, since).await?;
        Ok(Decision::Commit((), Effects::default()))
    }
}

impl Blocked {
    /// Whether the seller may block one more; whoever is blocked already may be blocked again.
    async fn check_bound(&self, attempt: &Attempt<'_>) -> Result<(), Error> {
        let most = attempt.core.rules.bounds.blocked;
        let counted = users::blocked_count(attempt.tx, self.seller, self.bidder, most).await?;
        let (count, is_known) = counted;
        if is_known || count < u64::from(most) {
            return Ok(());
        }
        let message = format!("A seller may block at most {most} people.");
        Err(Refusal::new(Code::TooManyBlocked, message).at(&["user"]).into())
    }
}
