//! What a seller may do to an auction that runs: withdraw it, or sell it to the leader now.

use entity::{
    enums::NotificationKind,
    ids::{AuctionId, UserId},
};

use super::{
    Engine, Error, Session,
    command::{self, Attempt, Command, Decision},
    work::Work,
};
use crate::{
    domain::{
        auction::Auction,
        closing::{self, Closing},
        listing::AuctionView,
        refusal::{Code, Refusal},
        text::Reason,
    },
    store::{auctions, bids},
};

/// How a seller ends an auction.
enum Ending {
    /// Withdrawn, for a reason.
    Cancel(Reason),
    /// Sold to the leader now.
    Early,
}

impl Engine {
    /// Withdraws an auction: all holds end.
    ///
    /// # Errors
    /// Forbidden to others than the seller; a refusal when it is too late.
    pub async fn cancel_auction(
        &self,
        seller: &Session,
        id: AuctionId,
        reason: Reason,
    ) -> Result<AuctionView, Error> {
        self.end_auction(seller.user.id, id, Ending::Cancel(reason)).await
    }

    /// Sells to the leader now.
    ///
    /// # Errors
    /// Forbidden to others than the seller; a refusal without a leader or below the reserve.
    pub async fn end_auction_early(
        &self,
        seller: &Session,
        id: AuctionId,
    ) -> Result<AuctionView, Error> {
        self.end_auction(seller.user.id, id, Ending::Early).await
    }

    async fn end_auction(
        &self,
        seller: UserId,
        id: AuctionId,
        ending: Ending,
    ) -> Result<AuctionView, Error> {
        command::run(&self.core, Ended { seller, id, ending }).await
    }
}

/// A seller's ending of an auction.
struct Ended {
    seller: UserId,
    id: AuctionId,
    ending: Ending,
}

impl Command for Ended {
    type Answer = AuctionView;

    const NAME: &'static str = "end auction";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<AuctionView>, Error> {
        let (id, tx) = (self.id, attempt.tx);
        let mut work = attempt.lock(&[id], []).await?;
        work.open_if_due(id)?;
        let Some(auction) = work.auctions.get(&id).cloned() else {
            let refusal = Refusal::new(Code::AuctionNotFound, "There is no such auction.");
            return Err(refusal.at(&["id"]).into());
        };
        if auction.seller != self.seller {
            return Err(Error::Forbidden("Only its seller may end an auction."));
        }
        let closing = self.closing(attempt, &mut work, &auction).await?;
        work.end(closing)?;
        work.save(tx).await?;
        if let Ending::Cancel(reason) = &self.ending {
            auctions::set_cancel_reason(tx, id, reason.as_str()).await?;
        }
        let view = auctions::views(tx, &[id], &attempt.core.rules.increments).await?.pop();
        let view = view.ok_or_else(|| Error::Fault("an ended auction is gone".to_owned()))?;
        Ok(Decision::Commit(view, work.into_effects()))
    }
}

impl Ended {
    async fn closing(
        &self,
        attempt: &Attempt<'_>,
        work: &mut Work<'_>,
        auction: &Auction,
    ) -> Result<Closing, Error> {
        match self.ending {
            Ending::Early => {
                closing::may_end_early(auction, work.now)?;
                Ok(closing::close(auction)?)
            }
            Ending::Cancel(_) => {
                closing::may_cancel(auction, attempt.core.rules.cancel_cutoff, work.now)?;
                for bidder in bids::bidders_of(attempt.tx, auction.id).await? {
                    work.notify(bidder, NotificationKind::AuctionCancelled, auction.id);
                }
                Ok(closing::cancel(auction)?)
            }
        }
    }
}
