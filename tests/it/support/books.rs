//! What the database holds in the end, against what people were told on the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::{
    auction_event, bid,
    enums::{EventKind, TransferKind},
    idempotency_key,
    ids::{AuctionId, BidId, UserId},
    transfer, wallet,
};
use sea_orm::{EntityTrait, QueryOrder};

use super::{
    TestDatabase,
    client::{Offer, Placed, Seen, Update},
};

/// The tables that a storm fills.
#[derive(Debug)]
pub struct Books {
    pub bids: HashMap<BidId, bid::Model>,
    pub keys: HashMap<(UserId, String), idempotency_key::Model>,
    /// Each auction's events, oldest first.
    pub log: BTreeMap<AuctionId, Vec<auction_event::Model>>,
    transfers: Vec<transfer::Model>,
    wallets: Vec<wallet::Model>,
}

impl Books {
    pub async fn read(database: &TestDatabase) -> Self {
        let db = database.open().await;
        let mut log: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let events = auction_event::Entity::find()
            .order_by_asc(auction_event::Column::Sequence)
            .all(&db.read)
            .await
            .unwrap();
        for event in events {
            log.entry(event.auction_id).or_default().push(event);
        }
        let bids = bid::Entity::find().all(&db.read).await.unwrap();
        let keys = idempotency_key::Entity::find().all(&db.read).await.unwrap();
        let books = Self {
            bids: bids.into_iter().map(|bid| (bid.id, bid)).collect(),
            keys: keys.into_iter().map(|key| ((key.user_id, key.key.clone()), key)).collect(),
            log,
            transfers: transfer::Entity::find().all(&db.read).await.unwrap(),
            wallets: wallet::Entity::find().all(&db.read).await.unwrap(),
        };
        db.close().await;
        books
    }

    /// The number of an auction's newest event.
    pub fn newest(&self, auction: AuctionId) -> i64 {
        self.log[&auction].last().unwrap().sequence
    }

    /// Numbers without holes, prices that never fall, bids and events in step, and all the money
    /// that came in still there.
    pub fn check(&self) {
        for events in self.log.values() {
            for (number, event) in (1..).zip(events) {
                assert_eq!(event.sequence, number, "a hole");
            }
            for pair in events.windows(2) {
                assert!(pair[0].current_price <= pair[1].current_price, "a price fell: {pair:?}");
            }
        }
        let told = self.log.values().flatten().filter_map(|e| e.bid_id);
        let told: HashSet<_> = told.collect();
        assert_eq!(told, self.bids.keys().copied().collect::<HashSet<_>>());
        let came = |kind| {
            let of_kind = self.transfers.iter().filter(|t| t.kind == kind);
            of_kind.map(|t| t.amount).sum::<i64>()
        };
        let there: i64 = self.wallets.iter().map(|w| w.available + w.locked).sum();
        assert_eq!(came(TransferKind::Deposit), there, "money came or went");
        assert_eq!(came(TransferKind::Withdrawal), 0);
    }

    /// An accepted answer is found: the bid as it was told, the auction as it was right after.
    pub fn find(&self, bidder: UserId, offer: &Offer, placed: &Placed) {
        let bid = self
            .bids
            .get(&placed.bid)
            .unwrap_or_else(|| panic!("acknowledged and lost: {offer:?} {placed:?}"));
        assert_eq!(
            (bid.auction_id, bid.bidder_id, bid.amount, bid.sequence),
            (offer.auction, bidder, placed.amount, placed.sequence),
        );
        assert!(placed.after.sequence >= bid.sequence);
        self.was(offer.auction, &placed.after);
        if let Some(key) = &offer.key {
            let known = &self.keys[&(bidder, key.clone())];
            let told = (Some(placed.bid), Some(placed.after.sequence));
            assert_eq!((known.bid_id, known.sequence), told, "{key}");
        }
    }

    /// An auction looked like that right after the event of that number.
    pub fn was(&self, auction: AuctionId, seen: &Seen) {
        let place = usize::try_from(seen.sequence - 1).unwrap();
        let event = &self.log[&auction][place];
        let then = Seen {
            sequence: event.sequence,
            price: event.current_price,
            minimum: event.minimum_bid,
            bids: event.bid_count.into(),
            leader: event.leader_id,
        };
        assert_eq!(*seen, then);
    }

    /// What a watcher was given from `after` on: each event once, in order, as it is in the log;
    /// what is left out is left out by a snapshot.
    pub fn told(&self, auction: AuctionId, after: Option<i64>, updates: &[Update]) {
        let mut last = after;
        for update in updates {
            assert_eq!(update.sequence, update.auction.sequence);
            self.was(auction, &update.auction);
            match last {
                _ if update.is_snapshot() => {
                    assert!(last.is_none_or(|last| update.sequence > last), "{last:?}");
                    assert_eq!(update.bid, None);
                }
                Some(last) => {
                    assert_eq!(update.sequence, last + 1, "a hole, or twice: {updates:?}");
                    self.is_event(auction, update);
                }
                None => panic!("begun without a snapshot: {update:?}"),
            }
            last = Some(update.sequence);
        }
    }

    fn is_event(&self, auction: AuctionId, update: &Update) {
        let place = usize::try_from(update.sequence - 1).unwrap();
        let event = &self.log[&auction][place];
        assert_eq!(update.kind, event.kind.as_str());
        let bid = event.bid_id.map(|id| (id, self.bids[&id].amount));
        assert_eq!(update.bid, bid);
        assert_eq!(event.kind == EventKind::BidPlaced, bid.is_some());
    }

    /// The bids that people placed themselves.
    pub fn placed_by_people(&self) -> HashSet<BidId> {
        let placed = self.bids.values().filter(|bid| !bid.is_automatic);
        placed.map(|bid| bid.id).collect()
    }
}
