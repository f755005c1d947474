//! Reading: what the API shows without changing anything.

use std::{collections::HashMap, sync::Arc};

use entity::{
    Time,
    ids::{AuctionId, BidId, UserId},
};

use super::{Engine, Error};
use crate::{
    domain::{event::Bid, filter::Filter, listing::AuctionView, money::Money, user::User},
    live::{
        feed::{self, Feed},
        lists::ListFeed,
        people::OwnFeed,
        presence::PresenceFeed,
        sweep,
        watcher::Watcher,
    },
    store::{
        auction_page::{self, Place, Sort},
        auctions,
        bids::{self, Bounds},
        page::Page,
        users,
    },
};

/// From how many rows on a page's bids are a heavy read.
const MANY: u64 = 1_000;

impl Engine {
    /// This process's time.
    #[must_use]
    pub fn time(&self) -> Time {
        self.core.clock.now(None)
    }

    /// The time of the clock that judges: the database's, where it has one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn server_time(&self) -> Result<Time, Error> {
        Ok(self.core.now(&self.core.db.read).await?)
    }

    /// Whether the other nodes are heard by the bus; without one there are none.
    #[must_use]
    pub fn is_bus_up(&self) -> bool {
        sweep::is_up(self.core.rooms.bus.health().as_ref())
    }

    /// The auction of an id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn auction(&self, id: AuctionId) -> Result<Option<AuctionView>, Error> {
        Ok(self.auctions(&[id]).await?.pop())
    }

    /// The auctions of these ids, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn auctions(&self, ids: &[AuctionId]) -> Result<Vec<AuctionView>, Error> {
        Ok(auctions::views(&self.core.db.read, ids, &self.core.rules.increments).await?)
    }

    /// A page of the auctions that a filter lets through: their places, then to be loaded by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn auction_places(
        &self,
        filter: &Filter,
        sort: Sort,
        page: &Page<Place>,
    ) -> Result<Vec<Place>, Error> {
        let db = &self.core.db.read;
        let _turn = match filter.may_read_on() {
            true => Some(db.heavy_turn().await?),
            false => None,
        };
        Ok(auction_page::places(db, filter, sort, page).await?)
    }

    /// The bids of these ids, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bids(&self, ids: &[BidId]) -> Result<Vec<Arc<Bid>>, Error> {
        Ok(bids::by_ids(&self.core.db.read, ids).await?)
    }

    /// A page of an auction's bids, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bids_of_auction(
        &self,
        auction: AuctionId,
        page: &Page<i64>,
    ) -> Result<Vec<Arc<Bid>>, Error> {
        Ok(self.bids_of_auctions(&[(auction, page)]).await?.pop().unwrap_or_default())
    }

    /// A page of bids for each of these auctions, in their order, newest first: one statement for
    /// all pages of one size and direction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bids_of_auctions(
        &self,
        pages: &[(AuctionId, &Page<i64>)],
    ) -> Result<Vec<Vec<Arc<Bid>>>, Error> {
        let mut alike: HashMap<_, (Vec<_>, Vec<_>)> = HashMap::new();
        for (place, (auction, page)) in pages.iter().enumerate() {
            let (places, asked) = alike.entry((page.size, page.backwards)).or_default();
            places.push(place);
            asked.push((*auction, Bounds::from(*page)));
        }
        let db = &self.core.db.read;
        let rows: u64 = pages.iter().map(|(_, page)| u64::from(page.size)).sum();
        let _turn = if rows > MANY { Some(db.heavy_turn().await?) } else { None };
        let mut found = vec![Vec::new(); pages.len()];
        for ((size, backwards), (places, asked)) in alike {
            for (n, bid) in bids::of_auctions(db, &asked, size, backwards).await? {
                if let Some(page) = places.get(n).and_then(|place| found.get_mut(*place)) {
                    page.push(bid);
                }
            }
        }
        Ok(found)
    }

    /// A page of a user's bids, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bids_of_user(
        &self,
        user: UserId,
        page: &Page<BidId>,
    ) -> Result<Vec<Arc<Bid>>, Error> {
        Ok(bids::of_bidder(&self.core.db.read, user, page).await?)
    }

    /// A user's highest bids on these auctions, and the maxima that the user leads with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing(
        &self,
        user: UserId,
        auctions: &[AuctionId],
    ) -> Result<(Vec<(AuctionId, Money)>, Vec<(AuctionId, Money)>), Error> {
        let db = &self.core.db.read;
        let highest = bids::highest_of(db, user, auctions).await?;
        Ok((highest, bids::maxima_of(db, user, auctions).await?))
    }

    /// The users of these ids, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, Error> {
        Ok(users::by_ids(&self.core.db.read, ids).await?)
    }

    /// The user of a name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_named(&self, username: &str) -> Result<Option<User>, Error> {
        let found = self.account(&self.core.db.read, username).await?;
        Ok(found.map(|account| account.user))
    }

    /// Begins to watch an auction, for somebody who is not counted; `None` when there is none of
    /// that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch(
        &self,
        auction: AuctionId,
        after: Option<i64>,
    ) -> Result<Option<Feed>, Error> {
        self.watch_as(&Watcher::default(), auction, after).await
    }

    /// Begins to watch an auction; `None` when there is none of that id. Who has spent its replays
    /// gets a snapshot in place of what it missed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch_as(
        &self,
        watcher: &Watcher,
        auction: AuctionId,
        after: Option<i64>,
    ) -> Result<Option<Feed>, Error> {
        Ok(feed::watch(&self.core.rooms.hub, watcher, auction, after).await?)
    }

    /// Begins to watch a list, for somebody who is not counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch_list(&self, filter: Filter) -> Result<ListFeed, Error> {
        self.watch_list_as(&Watcher::default(), filter).await
    }

    /// Begins to watch a list: events of the auctions that it shows or showed, as they happen.
    /// All that is committed once this has returned is told, and nothing from before the call.
    ///
    /// # Errors
    /// When the watcher watches as many as it may, or the database fails.
    pub async fn watch_list_as(
        &self,
        watcher: &Watcher,
        filter: Filter,
    ) -> Result<ListFeed, Error> {
        Ok(self.core.rooms.lists.watch_as(watcher, filter).await?)
    }

    /// Begins to watch one's own account: all that is committed once this has returned.
    ///
    /// # Errors
    /// When the account watches as often as it may, or the database fails.
    pub async fn watch_own(&self, user: UserId) -> Result<OwnFeed, Error> {
        Ok(self.core.rooms.people.watch(user).await?)
    }

    /// How many watch an auction now, on all nodes; approximate within seconds.
    #[must_use]
    pub fn watcher_count(&self, auction: AuctionId) -> u32 {
        self.core.rooms.presence.count(auction)
    }

    /// Begins to watch how many watch; `None` when there is no such auction.
    ///
    /// # Errors
    /// When the watcher watches as many as it may, or the database fails.
    pub async fn watch_presence(
        &self,
        watcher: &Watcher,
        auction: AuctionId,
    ) -> Result<Option<PresenceFeed>, Error> {
        let found = self.auction(auction).await?;
        let watch = |_| self.core.rooms.presence.watch(watcher, auction);
        Ok(found.map(watch).transpose()?)
    }
}
