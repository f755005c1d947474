//! Loads of pages, and of whatever else a field asks for with arguments: fields of a request that
//! ask the same, under whatever aliases, share one load.

use std::{collections::HashMap, sync::Arc};

use entity::{
    Time,
    ids::{AuctionId, BidId, NotificationId, OrderId, TransferId, UserId},
    notification, order, transfer,
};

use super::{Failure, Load, Loader};
use crate::{
    domain::{event::Bid, filter::Filter, ledger::Balances, user::User},
    engine::{Page, Place, Sort},
};

/// A page of an auction's bids.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BidsOfAuction(pub AuctionId, pub Page<i64>);

impl Load<BidsOfAuction> for Loader {
    type Value = Vec<Arc<Bid>>;

    async fn load(
        &self,
        keys: &[BidsOfAuction],
    ) -> Result<HashMap<BidsOfAuction, Vec<Arc<Bid>>>, Failure> {
        let pages: Vec<_> =
            keys.iter().map(|BidsOfAuction(auction, page)| (*auction, page)).collect();
        let found = self.0.bids_of_auctions(&pages).await.map_err(Arc::new)?;
        Ok(keys.iter().cloned().zip(found).collect())
    }
}

/// A key that is asked for by itself. Different ones of a request are asked one after another, so
/// that no request holds more than a connection for them.
macro_rules! load_each {
    ($(#[$doc:meta])* $key:ident($($field:ident: $part:ty),*) -> $value:ty,
     $ask:ident($($given:expr),*)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $key($(pub $part),*);

        impl Load<$key> for Loader {
            type Value = $value;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, Failure> {
                let mut found = HashMap::with_capacity(keys.len());
                for key in keys {
                    let $key($($field),*) = key;
                    let value = self.0.$ask($($given),*).await.map_err(Arc::new)?;
                    found.insert(key.clone(), value);
                }
                Ok(found)
            }
        }
    };
}

load_each! {
    /// A page of a list of auctions.
    AuctionPlaces(filter: Filter, sort: Sort, page: Page<Place>) -> Vec<Place>,
    auction_places(filter, *sort, page)
}

load_each! {
    /// A page of a user's bids.
    BidsOfUser(user: UserId, page: Page<BidId>) -> Vec<Arc<Bid>>,
    bids_of_user(*user, page)
}

load_each! {
    /// A page of the orders of which a user is a side.
    OrdersOf(user: UserId, page: Page<OrderId>) -> Vec<order::Model>,
    orders_of(*user, page)
}

load_each! {
    /// A page of a user's notifications, or of those not read yet.
    NotificationsOf(user: UserId, unread: bool, page: Page<NotificationId>)
        -> Vec<notification::Model>,
    notifications_of(*user, *unread, page)
}

load_each! {
    /// A page of a user's transfers.
    TransfersOf(user: UserId, page: Page<TransferId>) -> Vec<transfer::Model>,
    transfers(*user, page)
}

load_each! {
    /// What is in a user's wallet.
    BalancesOf(user: UserId) -> Balances,
    balances(*user)
}

load_each! {
    /// The user of a name.
    UserNamed(name: String) -> Option<User>,
    user_named(name)
}

load_each! {
    /// The time of the clock that judges.
    ServerTime() -> Time,
    server_time()
}
