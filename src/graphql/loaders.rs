//! Loads by id, many at once, so that a page costs a statement and not a statement a row. A request
//! has batches of its own: nobody waits for what another client asks, or fails with it.

mod batches;
mod gathering;
mod pages;

pub use batches::Batches;
pub use gathering::Gathering;
pub use pages::{
    AuctionPlaces, BalancesOf, BidsOfAuction, BidsOfUser, NotificationsOf, OrdersOf, ServerTime,
    TransfersOf, UserNamed,
};

use std::{collections::HashMap, hash::Hash, sync::Arc};

use entity::{
    ids::{AuctionId, BidId, NotificationId, OrderId, TransferId, UserId},
    notification, order, transfer,
};

use crate::{
    domain::{event::Bid, listing::AuctionView, money::Money, user::User},
    engine::{Engine, Error},
};

/// Loads through the engine.
#[derive(Debug)]
pub struct Loader(Arc<Engine>);

/// What things are loaded by.
pub trait Key: Send + Sync + Hash + Eq + Clone + 'static {}

impl<K: Send + Sync + Hash + Eq + Clone + 'static> Key for K {}

/// What is loaded by keys of this type.
pub trait Load<K: Key> {
    /// What is found for a key.
    type Value: Send + Sync + Clone + 'static;

    /// What there is of these keys, which all differ.
    fn load(
        &self,
        keys: &[K],
    ) -> impl Future<Output = Result<HashMap<K, Self::Value>, Failure>> + Send;
}

/// What is found for such a key.
pub type Value<K> = <Loader as Load<K>>::Value;

/// Why a batch was not loaded; shared by all who waited for it.
pub type Failure = Arc<Error>;

/// Each value by its key.
fn keyed<K: Eq + Hash, V>(values: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, V> {
    values.into_iter().map(|value| (key(&value), value)).collect()
}

/// The viewer's own, or what the viewer may see, of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen<I> {
    /// Who asks.
    pub viewer: UserId,
    /// What for.
    pub id: I,
}

/// Loads what a viewer may see by a function of the engine.
macro_rules! load_seen {
    ($id:ty, $value:ty, $ask:ident) => {
        impl Load<Seen<$id>> for Loader {
            type Value = $value;

            async fn load(
                &self,
                keys: &[Seen<$id>],
            ) -> Result<HashMap<Seen<$id>, $value>, Failure> {
                let mut by_viewer: HashMap<UserId, Vec<$id>> = HashMap::new();
                for Seen { viewer, id } in keys {
                    by_viewer.entry(*viewer).or_default().push(*id);
                }
                let mut found = HashMap::new();
                for (viewer, ids) in by_viewer {
                    let rows = self.0.$ask(viewer, &ids).await.map_err(Arc::new)?;
                    found.extend(keyed(rows, |row| Seen { viewer, id: row.id }));
                }
                Ok(found)
            }
        }
    };
}

load_seen!(OrderId, order::Model, orders_for);
load_seen!(NotificationId, notification::Model, own_notifications);
load_seen!(TransferId, transfer::Model, own_transfers);

impl Load<AuctionId> for Loader {
    type Value = AuctionView;

    async fn load(&self, ids: &[AuctionId]) -> Result<HashMap<AuctionId, AuctionView>, Failure> {
        let found = self.0.auctions(ids).await.map_err(Arc::new)?;
        Ok(keyed(found, |view| view.listing.id))
    }
}

impl Load<UserId> for Loader {
    type Value = Arc<User>;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, Arc<User>>, Failure> {
        let found = self.0.users(ids).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|user| (user.id, Arc::new(user))).collect())
    }
}

impl Load<BidId> for Loader {
    type Value = Arc<Bid>;

    async fn load(&self, ids: &[BidId]) -> Result<HashMap<BidId, Arc<Bid>>, Failure> {
        let found = self.0.bids(ids).await.map_err(Arc::new)?;
        Ok(keyed(found, |bid| bid.id))
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
