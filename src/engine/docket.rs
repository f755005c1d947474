//! The locked rows of one batch, and what judging its bids adds to them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use entity::{
    Time, bid,
    enums::EventKind,
    idempotency_key,
    ids::{AuctionId, BidId, TransferId, UserId},
};
use sea_orm::{ConnectionTrait, DbErr};

use super::{
    Core, Error,
    batch::{Judged, Verdict},
    place_bid::Job,
};
use crate::{
    domain::{
        auction::Auction,
        bidding::{Accepted, Bidder, RecordedBid, Rejected, judge},
        event::{AuctionState, Bid, Event},
        refusal::{Code, Refusal},
    },
    live::bus::News,
    store::{
        auctions, bids, events, idempotency,
        outcome::Witness,
        transfers::{self, NewTransfer},
        users,
        wallets::{self, LockedWallet},
    },
};

/// What a remembered key answers.
#[derive(Debug, Clone)]
struct Remembered {
    request: String,
    bid: BidId,
    sequence: i64,
}

/// What one transaction locked, and what it will write.
pub(super) struct Docket<'a> {
    core: &'a Core,
    jobs: &'a [Job],
    now: Time,
    auctions: BTreeMap<AuctionId, Auction>,
    wallets: BTreeMap<UserId, LockedWallet>,
    blocked: HashSet<(UserId, UserId)>,
    remembered: HashMap<(UserId, String), Remembered>,

    verdicts: Vec<Result<Verdict, Error>>,
    changed_auctions: BTreeSet<AuctionId>,
    changed_wallets: BTreeSet<UserId>,
    bids: Vec<bid::Model>,
    transfers: Vec<NewTransfer>,
    events: Vec<Event>,
    keys: Vec<idempotency_key::Model>,
}

impl<'a> Docket<'a> {
    /// Locks and loads: auctions ascending, then wallets ascending, then what needs no lock.
    pub async fn load(
        core: &'a Core,
        jobs: &'a [Job],
        db: &impl ConnectionTrait,
    ) -> Result<Self, DbErr> {
        let ids: BTreeSet<_> = jobs.iter().map(|job| job.auction).collect();
        let locked = auctions::lock(db, &Vec::from_iter(ids)).await?;
        let bidders: BTreeSet<_> = jobs.iter().map(|job| job.bidder).collect();
        let leaders = locked.iter().filter_map(|a| a.lead.map(|lead| lead.bidder));
        let people: BTreeSet<_> = bidders.iter().copied().chain(leaders).collect();
        let (wallets, now) = wallets::lock(db, people.into_iter()).await?;
        let sellers: BTreeSet<_> = locked.iter().map(|auction| auction.seller).collect();
        let (sellers, bidders) = (Vec::from_iter(sellers), Vec::from_iter(bidders));
        let blocked = users::blocked(db, &sellers, &bidders).await?;
        let keys: Vec<_> = jobs
            .iter()
            .filter_map(|job| Some((job.bidder, job.key.as_deref()?)))
            .collect();
        let remembered = match keys.is_empty() {
            true => Vec::new(),
            false => idempotency::find(db, &keys).await?,
        };
        Ok(Self {
            core,
            jobs,
            now: core.clock.now(now),
            auctions: locked
                .into_iter()
                .map(|auction| (auction.id, auction))
                .collect(),
            wallets: wallets
                .into_iter()
                .map(|wallet| (wallet.user.id, wallet))
                .collect(),
            blocked,
            remembered: remembered.into_iter().map(remember).collect(),
            verdicts: Vec::with_capacity(jobs.len()),
            changed_auctions: BTreeSet::new(),
            changed_wallets: BTreeSet::new(),
            bids: Vec::new(),
            transfers: Vec::new(),
            events: Vec::new(),
            keys: Vec::new(),
        })
    }

    /// Judges the bids in arrival order.
    pub fn judge_all(mut self) -> Self {
        for job in self.jobs {
            let verdict = self.judge(job);
            self.verdicts.push(verdict);
        }
        self
    }

    fn judge(&mut self, job: &Job) -> Result<Verdict, Error> {
        if let Some(verdict) = self.recall(job) {
            return Ok(verdict);
        }
        self.open_if_due(job.auction)?;
        let Some(auction) = self.auctions.get(&job.auction) else {
            let refusal = Refusal::new(Code::AuctionNotFound, "There is no such auction.");
            let refusal = refusal.at(&["auctionId"]);
            return Ok(Verdict::Refused {
                refusal,
                state: None,
            });
        };
        let Some(wallet) = self.wallets.get(&job.bidder) else {
            return Err(Error::Fault(format!("{} has no wallet", job.bidder)));
        };
        let bidder = Bidder {
            id: job.bidder,
            home_region: wallet.user.home_region.as_ref(),
            is_blocked: self.blocked.contains(&(auction.seller, job.bidder)),
            available: wallet.balances.available,
        };
        match judge(
            auction,
            &bidder,
            &job.offer,
            &self.core.rules.increments,
            self.now,
        ) {
            Ok(accepted) => self.accept(job, accepted),
            Err(Rejected::Refused(refusal)) => {
                let state = Some(self.state(auction)?);
                Ok(Verdict::Refused { refusal, state })
            }
            Err(Rejected::Fault(fault)) => Err(fault.into()),
        }
    }

    /// The answer to a key that was used before.
    fn recall(&self, job: &Job) -> Option<Verdict> {
        let key = job.key.as_ref()?;
        let known = self.remembered.get(&(job.bidder, key.clone()))?;
        if known.request == job.request() {
            return Some(Verdict::Replayed {
                bid: known.bid,
                sequence: known.sequence,
            });
        }
        let message = "This idempotency key was used for another request.";
        let refusal = Refusal::new(Code::IdempotencyMismatch, message).at(&["idempotencyKey"]);
        let state = self
            .auctions
            .get(&job.auction)
            .and_then(|a| self.state(a).ok());
        Some(Verdict::Refused { refusal, state })
    }

    /// A scheduled auction whose time has come is open, even if the worker is late.
    fn open_if_due(&mut self, id: AuctionId) -> Result<(), Error> {
        let Some(auction) = self.auctions.get_mut(&id) else {
            return Ok(());
        };
        if auction.open_if_due(self.now) {
            let auction = auction.clone();
            self.changed_auctions.insert(id);
            self.append(&auction, EventKind::Opened, None)?;
        }
        Ok(())
    }

    /// Takes over what an accepted bid does. Nothing is taken over when any of it is impossible.
    fn accept(&mut self, job: &Job, accepted: Accepted) -> Result<Verdict, Error> {
        let mut balances = BTreeMap::new();
        for movement in &accepted.movements {
            let Some(wallet) = self.wallets.get(&movement.user) else {
                return Err(Error::Fault(format!("{} has no wallet", movement.user)));
            };
            let before = balances
                .get(&movement.user)
                .copied()
                .unwrap_or(wallet.balances);
            balances.insert(movement.user, before.after(movement.kind, movement.amount)?);
        }
        let state = self.state(&accepted.auction)?;
        let mut answer = Err(accepted.answer);
        for recorded in &accepted.bids {
            let bid = self.record(recorded)?;
            if bid.id == accepted.answer {
                answer = Ok(bid);
            }
        }
        for (user, after) in balances {
            if let Some(wallet) = self.wallets.get_mut(&user) {
                wallet.balances = after;
            }
            self.changed_wallets.insert(user);
        }
        self.transfers
            .extend(accepted.movements.iter().map(|movement| NewTransfer {
                id: TransferId::new(),
                user: movement.user,
                kind: movement.kind,
                amount: movement.amount,
                bid: Some((job.auction, movement.bid)),
                at: self.now,
            }));
        self.remember(job, accepted.answer, accepted.auction.sequence);
        self.changed_auctions.insert(job.auction);
        self.auctions.insert(job.auction, accepted.auction);
        Ok(Verdict::Accepted { answer, state })
    }

    fn record(&mut self, recorded: &RecordedBid) -> Result<Arc<Bid>, Error> {
        let RecordedBid {
            id,
            bidder,
            amount,
            maximum,
            is_automatic,
            ref after,
        } = *recorded;
        let user = self
            .wallets
            .get(&bidder)
            .map(|wallet| Arc::clone(&wallet.user));
        let user = user.ok_or_else(|| Error::Fault(format!("{bidder} has no wallet")))?;
        let bid = Arc::new(Bid {
            id,
            auction: after.id,
            bidder: user,
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

    fn append(
        &mut self,
        after: &Auction,
        kind: EventKind,
        bid: Option<Arc<Bid>>,
    ) -> Result<(), Error> {
        let state = self.state(after)?;
        self.events.push(Event {
            auction: after.id,
            kind,
            at: self.now,
            bid,
            state,
        });
        Ok(())
    }

    fn remember(&mut self, job: &Job, bid: BidId, sequence: i64) {
        let Some(key) = &job.key else { return };
        let request = job.request();
        self.keys.push(idempotency_key::Model {
            user_id: job.bidder,
            key: key.clone(),
            request: request.clone(),
            auction_id: Some(job.auction),
            sequence: Some(sequence),
            bid_id: Some(bid),
            transfer_id: None,
            created_at: self.now,
        });
        self.remembered.insert(
            (job.bidder, key.clone()),
            Remembered {
                request,
                bid,
                sequence,
            },
        );
    }

    fn state(&self, auction: &Auction) -> Result<AuctionState, Error> {
        let user = |id| self.wallets.get(&id).map(|wallet| Arc::clone(&wallet.user));
        Ok(AuctionState::of(
            auction,
            &self.core.rules.increments,
            user,
        )?)
    }

    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.transfers.is_empty()
    }

    /// Saves the outcome set-wise.
    pub async fn save(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let changed = |id| self.auctions.get(id).cloned();
        let changed: Vec<_> = self.changed_auctions.iter().filter_map(changed).collect();
        auctions::save(db, &changed).await?;
        let balances = |id| self.wallets.get(id).map(|wallet| (*id, wallet.balances));
        let balances: Vec<_> = self.changed_wallets.iter().filter_map(balances).collect();
        wallets::save(db, &balances).await?;
        bids::insert(db, &self.bids).await?;
        transfers::insert(db, &self.transfers).await?;
        events::insert(db, &self.events).await?;
        if !self.keys.is_empty() {
            idempotency::insert(db, &self.keys).await?;
        }
        Ok(())
    }

    /// A row by which this transaction is known again.
    pub fn witness(&self) -> Option<Witness> {
        let transfer = || {
            self.transfers
                .first()
                .map(|transfer| Witness::Transfer(transfer.id))
        };
        self.bids
            .first()
            .map(|bid| Witness::Bid(bid.id))
            .or_else(transfer)
    }

    /// The answers and the news, once it is committed.
    pub fn into_judged(self) -> Judged {
        let news = |event| News {
            event: Arc::new(event),
            listing: None,
        };
        Judged {
            verdicts: self.verdicts,
            news: self.events.into_iter().map(news).collect(),
        }
    }
}

fn remember(row: idempotency_key::Model) -> ((UserId, String), Remembered) {
    // A key of another use has no bid: any bid under it is another request.
    let bid = row.bid_id.unwrap_or(BidId(uuid::Uuid::nil()));
    let sequence = row.sequence.unwrap_or_default();
    (
        (row.user_id, row.key),
        Remembered {
            request: row.request,
            bid,
            sequence,
        },
    )
}
