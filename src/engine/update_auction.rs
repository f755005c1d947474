//! Editing an auction's words while there is no bid.

use std::sync::Arc;

use entity::{
    enums::EventKind,
    ids::{AuctionId, CategoryId, UserId},
};

use super::{
    Engine, Error, Session,
    command::{self, Attempt, Command, Decision, Effects},
    create_auction::check_category,
};
use crate::{
    domain::{
        event::{AuctionState, Event, is_final},
        listing::AuctionView,
        refusal::{Code, Refusal},
        text::{Description, Title},
    },
    live::bus::{AuctionNews, News},
    store::{auctions, bulk, commit_marker::CommitMarker, events},
};

/// What a seller changes; what is `None` stays.
#[derive(Debug, Clone)]
pub struct UpdateAuction {
    /// Which auction.
    pub id: AuctionId,
    /// One line.
    pub title: Option<Title>,
    /// Plain text.
    pub description: Option<Description>,
    /// What kind of goods.
    pub category: Option<CategoryId>,
}

impl Engine {
    /// Changes an auction's words. Prices and times never change.
    ///
    /// # Errors
    /// Forbidden to others than the seller; a refusal once there is a bid or the auction ended.
    pub async fn update_auction(
        &self,
        seller: &Session,
        wanted: UpdateAuction,
    ) -> Result<AuctionView, Error> {
        if let Some(category) = &wanted.category {
            check_category(&self.core.places, category)?;
        }
        command::run(&self.core, Edited { seller: seller.user.id, wanted }).await
    }
}

/// A seller's change of an auction's words.
struct Edited {
    seller: UserId,
    wanted: UpdateAuction,
}

impl Command for Edited {
    type Answer = AuctionView;

    const NAME: &'static str = "update auction";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<AuctionView>, Error> {
        let (tx, table) = (attempt.tx, &attempt.core.rules.increments);
        let Some(mut auction) = auctions::lock(tx, &[self.wanted.id]).await?.pop() else {
            let refusal = Refusal::new(Code::AuctionNotFound, "There is no such auction.");
            return Err(refusal.at(&["id"]).into());
        };
        attempt.settle().await?;
        let now = attempt.now().await?;
        if auction.seller != self.seller {
            return Err(Error::Forbidden("Only its seller may edit an auction."));
        }
        if is_final(auction.status) || now >= auction.ends_at {
            return Err(Refusal::new(Code::AuctionEnded, "The auction has ended.").into());
        }
        if auction.bid_count > 0 {
            let message = "An auction with bids cannot be edited.";
            return Err(Refusal::new(Code::AuctionHasBids, message).into());
        }
        let view = auctions::views(tx, &[auction.id], table).await?.pop();
        let mut view = view.ok_or_else(|| Error::Fault("an edited auction is gone".to_owned()))?;
        let former = Arc::clone(&view.listing);
        let listing = Arc::make_mut(&mut view.listing);
        let UpdateAuction { title, description, category, .. } = self.wanted.clone();
        listing.title = title.map_or_else(|| listing.title.clone(), String::from);
        listing.description = description.map_or_else(|| listing.description.clone(), String::from);
        listing.category = category.or_else(|| listing.category.clone());
        if *listing == *former {
            return Ok(Decision::Nothing(view));
        }
        auctions::save_words(tx, listing).await?;
        auction.sequence += 1;
        let saved = auctions::save([&auction]);
        let state = AuctionState::of(&auction, table, |_| None)?;
        view.state = state.clone();
        let (kind, id) = (EventKind::Edited, auction.id);
        let event = Event { auction: id, kind, at: now, bid: None, state };
        let logged = events::insert(std::slice::from_ref(&event));
        bulk::write(tx, [saved, logged]).await?;
        let marker = Some(CommitMarker::Event(id, event.sequence(), now));
        let listing = Some(Arc::clone(&view.listing));
        let news = vec![News::Auction(AuctionNews { event: Arc::new(event), listing })];
        Ok(Decision::Commit(view, Effects { marker, news, moves_deadline: false }))
    }
}
