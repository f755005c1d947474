//! Loads by id, many at once, so that a page costs a query and not a query a row.

use std::{collections::HashMap, sync::Arc};

use async_graphql::dataloader::Loader as Load;
use entity::ids::{AuctionId, BidId, UserId};

use crate::{
    domain::{event::Bid, listing::AuctionView, money::Money, user::User},
    engine::{Engine, Error},
};

/// Loads through the engine.
#[derive(Debug)]
pub struct Loader(pub Arc<Engine>);

/// Why a batch was not loaded; shared by all who waited for it.
pub type Failure = Arc<Error>;

impl Load<AuctionId> for Loader {
    type Value = AuctionView;
    type Error = Failure;

    async fn load(&self, ids: &[AuctionId]) -> Result<HashMap<AuctionId, AuctionView>, Failure> {
        let found = self.0.auctions(ids).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|view| (view.listing.id, view)).collect())
    }
}

impl Load<UserId> for Loader {
    type Value = Arc<User>;
    type Error = Failure;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, Arc<User>>, Failure> {
        let found = self.0.users(ids).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|user| (user.id, Arc::new(user))).collect())
    }
}

impl Load<BidId> for Loader {
    type Value = Arc<Bid>;
    type Error = Failure;

    async fn load(&self, ids: &[BidId]) -> Result<HashMap<BidId, Arc<Bid>>, Failure> {
        let found = self.0.bids(ids).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|bid| (bid.id, bid)).collect())
    }
}

/// A user's standing on an auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StandingOf(pub UserId, pub AuctionId);

/// A user's highest bid, and the maximum that the user leads with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    pub highest: Option<Money>,
    pub maximum: Option<Money>,
}

impl Load<StandingOf> for Loader {
    type Value = Standing;
    type Error = Failure;

    async fn load(&self, keys: &[StandingOf]) -> Result<HashMap<StandingOf, Standing>, Failure> {
        let mut by_user: HashMap<UserId, Vec<AuctionId>> = HashMap::new();
        for StandingOf(user, auction) in keys {
            by_user.entry(*user).or_default().push(*auction);
        }
        let mut found: HashMap<StandingOf, Standing> = HashMap::new();
        for (user, auctions) in by_user {
            let (highest, maxima) = self.0.standing(user, &auctions).await.map_err(Arc::new)?;
            for (auction, amount) in highest {
                found.entry(StandingOf(user, auction)).or_default().highest = Some(amount);
            }
            for (auction, amount) in maxima {
                found.entry(StandingOf(user, auction)).or_default().maximum = Some(amount);
            }
        }
        Ok(found)
    }
}
