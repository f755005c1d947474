//! Editing an auction's words while there is no bid.

use std::sync::Arc;

use entity::{
    enums::EventKind,
    ids::{AuctionId, CategoryId, UserId},
};

use super::{
    Engine, Error, Session,
    create_auction::{check_category, check_description, check_title},
    retried::{commit, retried},
};
use crate::{
    domain::{
        event::{AuctionState, Event, is_final},
        listing::AuctionView,
        refusal::{Code, Refusal},
    },
    live::bus::{AuctionNews, News},
    store::{
        auctions::{self, Edit},
        events, rowset, tx,
    },
};

/// What a seller changes; what is `None` stays.
#[derive(Debug, Clone)]
pub struct UpdateAuction {
    /// Which auction.
    pub id: AuctionId,
    /// One line.
    pub title: Option<String>,
    /// Plain text.
    pub description: Option<String>,
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
        let edit = Edit {
            title: wanted.title.as_deref().map(check_title).transpose()?,
            description: wanted.description.as_deref().map(check_description).transpose()?,
            category: wanted.category,
        };
        if let Some(category) = &edit.category {
            check_category(&self.places, category)?;
        }
        let (seller, id) = (seller.user.id, wanted.id);
        retried(|| self.try_update(seller, id, &edit)).await
    }

    async fn try_update(
        &self,
        seller: UserId,
        id: AuctionId,
        edit: &Edit,
    ) -> Result<AuctionView, Error> {
        let table = &self.rules().increments;
        let tx = tx::begin(&self.core.db.write).await?;
        let Some(mut auction) = auctions::lock(&tx, &[id]).await?.pop() else {
            let refusal = Refusal::new(Code::AuctionNotFound, "There is no such auction.");
            return Err(refusal.at(&["id"]).into());
        };
        let now = self.core.now(&tx).await?;
        if auction.seller != seller {
            return Err(Error::Forbidden("Only its seller may edit an auction."));
        }
        if is_final(auction.status) || now >= auction.ends_at {
            return Err(Refusal::new(Code::AuctionEnded, "The auction has ended.").into());
        }
        if auction.bid_count > 0 {
            let message = "An auction with bids cannot be edited.";
            return Err(Refusal::new(Code::AuctionHasBids, message).into());
        }
        auction.sequence += 1;
        let saved = auctions::save(std::slice::from_ref(&auction));
        let state = AuctionState::of(&auction, table, |_| None)?;
        let event =
            Event { auction: auction.id, kind: EventKind::Edited, at: now, bid: None, state };
        let logged = events::insert(std::slice::from_ref(&event));
        rowset::write(&tx, [saved, logged]).await?;
        let view = auctions::views(&tx, &[auction.id], table).await?.pop();
        let mut view = view.ok_or_else(|| Error::Fault("an edited auction is gone".to_owned()))?;
        let listing = Arc::make_mut(&mut view.listing);
        let Edit { title, description, category } = edit.clone();
        listing.title = title.unwrap_or_else(|| listing.title.clone());
        listing.description = description.unwrap_or_else(|| listing.description.clone());
        listing.category = category.or_else(|| listing.category.clone());
        auctions::save_words(&tx, listing).await?;
        commit(tx).await?;
        let listing = Some(Arc::clone(&view.listing));
        let news = AuctionNews { event: Arc::new(event), listing };
        self.core.rooms.publish(vec![News::Auction(news)]);
        Ok(view)
    }
}
