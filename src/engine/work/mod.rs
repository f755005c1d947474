//! What one transaction locked, and what it will write: the one way in which auctions, money,
//! events, orders and notifications change together.

mod effects;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use entity::{
    Time, bid,
    enums::{AuctionStatus, EventKind, NotificationKind, OrderStatus, TransferKind},
    idempotency_key,
    ids::{AuctionId, NotificationId, OrderId, UserId},
    notification, order, transfer,
};
use sea_orm::{ConnectionTrait, DbErr};

use super::{Core, Error};
use crate::{
    domain::{
        auction::Auction,
        bidding::RecordedBid,
        closing::{self, Closing},
        event::{AuctionState, Bid, Event},
        ledger::{Balances, Movement},
        money::Money,
        user::User,
    },
    store::{
        auctions, bulk, events, transfers,
        wallets::{self, Locked, LockedWallet},
    },
};

/// What one transaction locked, and what it will write.
pub(super) struct Work<'a> {
    pub core: &'a Core,
    /// Read once, inside the locks.
    pub now: Time,
    pub auctions: BTreeMap<AuctionId, Auction>,
    pub wallets: BTreeMap<UserId, LockedWallet>,
    /// Which (seller, bidder) pairs are blocked, of these auctions and these people.
    pub blocked: HashSet<(UserId, UserId)>,
    changed_auctions: BTreeSet<AuctionId>,
    changed_wallets: BTreeSet<UserId>,
    bids: Vec<bid::Model>,
    transfers: Vec<transfer::Model>,
    events: Vec<Event>,
    keys: Vec<idempotency_key::Model>,
    orders: Vec<order::Model>,
    notifications: Vec<notification::Model>,
}

impl<'a> Work<'a> {
    /// Locks auctions in ascending order, then the wallets of `people` and of those who lead, in
    /// ascending order: the one order for everybody. Then the clock is read.
    pub async fn lock(
        core: &'a Core,
        db: &impl ConnectionTrait,
        ids: &[AuctionId],
        people: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, DbErr> {
        let auctions = auctions::lock(db, ids).await?;
        let (people, sellers) = concerned(&auctions, people);
        let locked = match people.is_empty() {
            true => Locked::default(),
            false => wallets::lock(db, people, sellers).await?,
        };
        Self::begin(core, db, auctions, locked).await
    }

    /// Takes over auctions that are locked already, and locks the wallets of `people` and of
    /// those who lead, but waits for nobody: what somebody else holds is left out.
    pub async fn with_free(
        core: &'a Core,
        db: &impl ConnectionTrait,
        auctions: Vec<Auction>,
        people: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, DbErr> {
        let (people, sellers) = concerned(&auctions, people);
        let locked = match people.is_empty() {
            true => Locked::default(),
            false => wallets::lock_free(db, people, sellers).await?,
        };
        Self::begin(core, db, auctions, locked).await
    }

    async fn begin(
        core: &'a Core,
        db: &impl ConnectionTrait,
        auctions: Vec<Auction>,
        Locked { wallets, blocked, now }: Locked,
    ) -> Result<Self, DbErr> {
        let now = match now {
            Some(now) => core.clock.now(Some(now)),
            None => core.now(db).await?,
        };
        Ok(Self {
            core,
            now,
            auctions: auctions.into_iter().map(|auction| (auction.id, auction)).collect(),
            wallets: wallets.into_iter().map(|wallet| (wallet.user.id, wallet)).collect(),
            blocked,
            changed_auctions: BTreeSet::new(),
            changed_wallets: BTreeSet::new(),
            bids: Vec::new(),
            transfers: Vec::new(),
            events: Vec::new(),
            keys: Vec::new(),
            orders: Vec::new(),
            notifications: Vec::new(),
        })
    }

    /// Whether the wallets are here that an auction's change may move money in: of `person`, and
    /// of who leads.
    pub fn holds_wallets(&self, auction: &Auction, person: Option<UserId>) -> bool {
        let leader = auction.lead.map(|lead| lead.bidder);
        person.into_iter().chain(leader).all(|user| self.wallets.contains_key(&user))
    }

    /// What the public sees of an auction now.
    pub fn state(&self, auction: &Auction) -> Result<AuctionState, Error> {
        let user = |id| self.wallets.get(&id).map(|wallet| Arc::clone(&wallet.user));
        Ok(AuctionState::of(auction, &self.core.rules.increments, user)?)
    }

    /// Opens a scheduled auction whose time has come; says whether it did.
    pub fn open_if_due(&mut self, id: AuctionId) -> Result<bool, Error> {
        let now = self.now;
        let Some(auction) = self.auctions.get_mut(&id) else {
            return Ok(false);
        };
        if !auction.open_if_due(now) {
            return Ok(false);
        }
        let auction = auction.clone();
        self.changed_auctions.insert(id);
        self.append(&auction, EventKind::Opened, None)?;
        Ok(true)
    }

    /// Moves money for an auction. Nothing moves when any of it is impossible.
    pub fn pay(&mut self, auction: AuctionId, movements: &[Movement]) -> Result<(), Error> {
        let mut after: BTreeMap<UserId, Balances> = BTreeMap::new();
        for &Movement { user, kind, amount, .. } in movements {
            let wallet = self.wallets.get(&user).map(|wallet| wallet.balances);
            let before = after.get(&user).copied().or(wallet).ok_or_else(|| no_wallet(user))?;
            after.insert(user, before.after(kind, amount)?);
        }
        for (user, balances) in after {
            if let Some(wallet) = self.wallets.get_mut(&user) {
                wallet.balances = balances;
            }
            self.changed_wallets.insert(user);
        }
        let now = self.now;
        let row = |movement: &Movement| transfers::row(movement, Some(auction), now);
        self.transfers.extend(movements.iter().map(row));
        Ok(())
    }

    /// Records a bid and its event.
    pub fn record(&mut self, recorded: &RecordedBid) -> Result<Arc<Bid>, Error> {
        let RecordedBid { id, bidder, amount, maximum, is_automatic, ref after } = *recorded;
        let bid = Arc::new(Bid {
            id,
            auction: after.id,
            bidder: self.user(bidder)?,
            amount,
            sequence: after.sequence,
            is_automatic,
            placed_at: self.now,
        });
        self.append(after, EventKind::BidPlaced, Some(Arc::clone(&bid)))?;
        self.bids.push(bid::Model {
            id,
            auction_id: after.id,
            bidder_id: bidder,
            amount: amount.minor(),
            maximum: maximum.minor(),
            sequence: after.sequence,
            is_automatic,
            placed_at: self.now,
        });
        Ok(bid)
    }

    /// Takes over an auction as a change left it.
    pub fn set(&mut self, auction: Auction) {
        self.changed_auctions.insert(auction.id);
        self.auctions.insert(auction.id, auction);
    }

    /// Takes over an ending: the money, the event, the order, and who is told.
    pub fn end(&mut self, closing: Closing) -> Result<(), Error> {
        let Closing { auction, movements } = closing;
        self.pay(auction.id, &movements)?;
        let (kind, told) = match auction.status {
            AuctionStatus::Sold => (EventKind::Sold, NotificationKind::Sold),
            AuctionStatus::Cancelled => (EventKind::Cancelled, NotificationKind::AuctionCancelled),
            _ => (EventKind::Unsold, NotificationKind::Unsold),
        };
        self.append(&auction, kind, None)?;
        match (auction.status, auction.lead) {
            (AuctionStatus::Sold, Some(lead)) => {
                self.open_order(&auction, lead.bidder)?;
                self.notify(lead.bidder, NotificationKind::Won, auction.id);
                self.notify(auction.seller, told, auction.id);
            }
            (AuctionStatus::Cancelled, _) => {}
            (_, lead) => {
                lead.inspect(|lead| self.notify(lead.bidder, told, auction.id));
                self.notify(auction.seller, told, auction.id);
            }
        }
        self.set(auction);
        Ok(())
    }

    /// Ends an auction whose price has bought it.
    pub fn end_if_bought(&mut self, id: AuctionId) -> Result<(), Error> {
        match self.auctions.get(&id).filter(|auction| auction.is_bought()) {
            Some(auction) => self.end(closing::close(auction)?),
            None => Ok(()),
        }
    }

    fn open_order(&mut self, auction: &Auction, buyer: UserId) -> Result<(), Error> {
        let fee = auction.price.share(self.core.rules.fee_basis_points)?;
        self.orders.push(order::Model {
            id: OrderId::new(),
            auction_id: auction.id,
            buyer_id: buyer,
            seller_id: auction.seller,
            price: auction.price.minor(),
            fee: fee.minor(),
            status: OrderStatus::AwaitingHandover,
            created_at: self.now,
            updated_at: self.now,
            completes_at: None,
            dispute_reason: None,
            resolution_note: None,
            decided_by: None,
        });
        Ok(())
    }

    /// Pays the seller what is left of an order's price after the fee, and the marketplace the fee.
    pub fn pay_out(&mut self, order: &order::Model) -> Result<(), Error> {
        let (price, fee) = (minor(order.price)?, minor(order.fee)?);
        let user = order.seller_id;
        let parts = [(TransferKind::Payout, price.minus(fee)?), (TransferKind::Fee, fee)];
        let moves = parts
            .into_iter()
            .filter(|(_, amount)| *amount > Money::ZERO)
            .map(|(kind, amount)| Movement { user, kind, amount, bid: None });
        self.pay(order.auction_id, &moves.collect::<Vec<_>>())
    }

    /// Gives the buyer an order's price back.
    pub fn refund(&mut self, order: &order::Model) -> Result<(), Error> {
        let (user, kind, amount) = (order.buyer_id, TransferKind::Refund, minor(order.price)?);
        self.pay(order.auction_id, &[Movement { user, kind, amount, bid: None }])
    }

    /// Tells a person something about an auction.
    pub fn notify(&mut self, user: UserId, kind: NotificationKind, auction: AuctionId) {
        self.notifications.push(notification::Model {
            id: NotificationId::new(),
            user_id: user,
            kind,
            auction_id: auction,
            at: self.now,
            is_read: false,
        });
    }

    /// Remembers a request under its key.
    pub fn remember(&mut self, key: idempotency_key::Model) {
        self.keys.push(key);
    }

    fn append(
        &mut self,
        after: &Auction,
        kind: EventKind,
        bid: Option<Arc<Bid>>,
    ) -> Result<(), Error> {
        let state = self.state(after)?;
        self.events.push(Event { auction: after.id, kind, at: self.now, bid, state });
        Ok(())
    }

    fn user(&self, id: UserId) -> Result<Arc<User>, Error> {
        let wallet = self.wallets.get(&id).ok_or_else(|| no_wallet(id))?;
        Ok(Arc::clone(&wallet.user))
    }

    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        // A maximum raised beyond the buy-now price moves no money and is no event.
        self.events.is_empty() && self.transfers.is_empty() && self.changed_auctions.is_empty()
    }

    /// Saves everything set-wise.
    pub async fn save(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let changed = self.changed_auctions.iter().filter_map(|id| self.auctions.get(id));
        let balances = |id: &UserId| self.wallets.get(id).map(|wallet| (*id, wallet.balances));
        let writes = [
            auctions::save(changed),
            wallets::save(self.changed_wallets.iter().filter_map(balances)),
            bulk::insert(&self.bids),
            bulk::insert(&self.transfers),
            events::insert(&self.events),
            bulk::insert(&self.notifications),
            bulk::insert(&self.keys),
            bulk::insert(&self.orders),
        ];
        bulk::write(db, writes).await
    }
}

/// Whose wallets a change of these auctions may touch, and who sells them.
fn concerned(
    auctions: &[Auction],
    people: impl IntoIterator<Item = UserId>,
) -> (BTreeSet<UserId>, BTreeSet<UserId>) {
    let leaders = auctions.iter().filter_map(|auction| auction.lead.map(|lead| lead.bidder));
    let people = leaders.chain(people).collect();
    (people, auctions.iter().map(|auction| auction.seller).collect())
}

fn no_wallet(user: UserId) -> Error {
    Error::Fault(format!("{user} has no locked wallet"))
}

fn minor(minor: i64) -> Result<Money, Error> {
    Money::from_minor(minor).ok_or_else(|| Error::Fault("a negative amount".to_owned()))
}
