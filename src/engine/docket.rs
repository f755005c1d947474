//! The bids of one batch, before their judge.

use std::collections::{BTreeSet, HashMap};

use entity::{
    enums::NotificationKind,
    idempotency_key,
    ids::{AuctionId, BidId, UserId},
};
use sea_orm::{ConnectionTrait, DbErr};

use super::{
    Error,
    batch::{Held, Judgement, Settled, Verdict},
    command::{Attempt, Effects},
    work::Work,
};
use crate::{
    domain::{
        bidding::{self, Accepted, Bidder, Rejected},
        refusal::{Code, Refusal},
        request::{Ask, BidRequest},
    },
    store::{
        auctions::{self, Unreadable},
        idempotency,
    },
    telemetry::Seldom,
};

/// What a remembered key answers.
#[derive(Debug, Clone)]
struct Remembered {
    request: String,
    bid: BidId,
    sequence: i64,
}

/// The bids of one batch, with what judging them needs besides the locked rows.
pub(super) struct Docket<'a> {
    work: Work<'a>,
    jobs: &'a [BidRequest],
    remembered: HashMap<(UserId, String), Remembered>,
    judgements: Vec<Judgement>,
    held: Held,
    /// Who lost a lead in this batch.
    outbid: BTreeSet<(AuctionId, UserId)>,
}

impl<'a> Docket<'a> {
    /// Locks and loads: auctions ascending, then wallets ascending, then what needs no lock.
    pub async fn load(attempt: &'a Attempt<'_>, jobs: &'a [BidRequest]) -> Result<Self, Error> {
        let work = attempt.lock(&auctions_of(jobs), jobs.iter().map(|job| job.bidder)).await?;
        Self::begin(attempt, jobs, work, Held::default()).await
    }

    /// The same, without waiting for anybody: the bids whose rows others hold, or whose auction
    /// cannot be read, get no verdict.
    pub async fn load_free(
        attempt: &'a Attempt<'_>,
        jobs: &'a [BidRequest],
    ) -> Result<Self, Error> {
        if attempt.is_doubtful() {
            // The earlier try itself may hold them still: it must be waited for.
            return Self::load(attempt, jobs).await;
        }
        let ids = auctions_of(jobs);
        let free = auctions::lock_free(attempt.tx, &ids).await?;
        let mut held = Held::default();
        for Unreadable { id, error } in free.unreadable {
            static SAID: Seldom = Seldom::new();
            if let Some(unsaid) = SAID.now() {
                tracing::error!(%error, auction = %id, unsaid, "an auction cannot be read");
            }
            held.unreadable.insert(id);
        }
        let got: BTreeSet<_> = free.auctions.iter().map(|auction| auction.id).collect();
        let missing: Vec<_> = ids
            .into_iter()
            .filter(|id| !got.contains(id) && !held.unreadable.contains(id))
            .collect();
        held.auctions.extend(auctions::existing(attempt.tx, &missing).await?);
        let bidders: BTreeSet<_> = jobs.iter().map(|job| job.bidder).collect();
        let people = bidders.iter().copied();
        let work = Work::with_free(attempt.core, attempt.tx, free.auctions, people).await?;
        held.people.extend(bidders.into_iter().filter(|id| !work.wallets.contains_key(id)));
        let stuck = work.auctions.values().filter(|auction| !work.holds_wallets(auction, None));
        held.auctions.extend(stuck.map(|auction| auction.id));
        Self::begin(attempt, jobs, work, held).await
    }

    async fn begin(
        attempt: &'a Attempt<'_>,
        jobs: &'a [BidRequest],
        work: Work<'a>,
        held: Held,
    ) -> Result<Self, Error> {
        let keys: Vec<_> =
            jobs.iter().filter_map(|job| Some((job.bidder, job.key.as_deref()?))).collect();
        let remembered = match keys.is_empty() {
            true => Vec::new(),
            false => idempotency::find(attempt.tx, &keys).await?,
        };
        Ok(Self {
            work,
            jobs,
            remembered: remembered.into_iter().map(remember).collect(),
            judgements: Vec::with_capacity(jobs.len()),
            outbid: BTreeSet::new(),
            held,
        })
    }

    /// Judges the bids in arrival order.
    pub fn judge_all(mut self) -> Self {
        for job in self.jobs {
            let judgement = self.judge(job);
            self.judgements.push(judgement);
        }
        // Who lost a lead and has it back needs no telling.
        for (id, user) in std::mem::take(&mut self.outbid) {
            let lead = self.work.auctions.get(&id).and_then(|auction| auction.lead);
            if lead.is_none_or(|lead| lead.bidder != user) {
                self.work.notify(user, NotificationKind::Outbid, id);
            }
        }
        self
    }

    fn judge(&mut self, job: &BidRequest) -> Judgement {
        if self.held.auctions.contains(&job.auction) || self.held.people.contains(&job.bidder) {
            return Err(Error::Held);
        }
        if self.held.unreadable.contains(&job.auction) {
            return Err(Error::Fault(format!("{} cannot be read", job.auction)));
        }
        if let Some(verdict) = self.recall(job) {
            return Ok(verdict);
        }
        self.work.open_if_due(job.auction)?;
        let Some(auction) = self.work.auctions.get(&job.auction) else {
            let refusal = Refusal::new(Code::AuctionNotFound, "There is no such auction.");
            let refusal = refusal.at(job.ask.id_field());
            return Ok(Verdict::Refused { refusal, state: None });
        };
        let Some(wallet) = self.work.wallets.get(&job.bidder) else {
            return Err(Error::Fault(format!("{} has no wallet", job.bidder)));
        };
        let bidder = Bidder {
            id: job.bidder,
            home_region: wallet.user.home_region.as_ref(),
            is_blocked: self.work.blocked.contains(&(auction.seller, job.bidder)),
            available: wallet.balances.available,
        };
        let (table, now) = (&self.work.core.rules.increments, self.work.now);
        let judged = match &job.ask {
            Ask::Bid(offer) => bidding::judge(auction, &bidder, offer, table, now),
            Ask::BuyNow(bid) => bidding::buy_now(auction, &bidder, *bid, now),
        };
        match judged {
            Ok(accepted) => self.accept(job, accepted),
            Err(Rejected::Refused(refusal)) => {
                let state = Some(self.work.state(auction)?);
                Ok(Verdict::Refused { refusal, state })
            }
            Err(Rejected::Fault(fault)) => Err(fault.into()),
        }
    }

    /// The answer to a key that was used before.
    fn recall(&self, job: &BidRequest) -> Option<Verdict> {
        let key = job.key.as_ref()?;
        let known = self.remembered.get(&(job.bidder, key.to_string()))?;
        if known.request == job.request() {
            return Some(Verdict::Replayed { bid: known.bid, sequence: known.sequence });
        }
        let message = "This idempotency key was used for another request.";
        let refusal = Refusal::new(Code::IdempotencyMismatch, message).at(&["idempotencyKey"]);
        let auction = self.work.auctions.get(&job.auction);
        let state = auction.and_then(|auction| self.work.state(auction).ok());
        Some(Verdict::Refused { refusal, state })
    }

    /// Takes over what an accepted bid does; the money first, because it alone can fail.
    fn accept(&mut self, job: &BidRequest, accepted: Accepted) -> Result<Verdict, Error> {
        let Accepted { auction, bids, movements, answer } = accepted;
        self.work.pay(job.auction, &movements)?;
        let mut public = Err(answer);
        for recorded in &bids {
            let bid = self.work.record(recorded)?;
            if bid.id == answer {
                public = Ok(bid);
            }
        }
        let former = self.work.auctions.get(&job.auction).and_then(|before| before.lead);
        if let Some(former) = former.filter(|former| Some(former.bidder) != leader(&auction)) {
            self.outbid.insert((job.auction, former.bidder));
        }
        self.work.set(auction);
        self.work.end_if_bought(job.auction)?;
        let after = self.work.auctions.get(&job.auction);
        let after = after.ok_or_else(|| Error::Fault("an auction is gone".to_owned()))?;
        let (state, sequence) = (self.work.state(after)?, after.sequence);
        self.remember(job, answer, sequence);
        Ok(Verdict::Accepted { answer: public, state })
    }

    fn remember(&mut self, job: &BidRequest, bid: BidId, sequence: i64) {
        let Some(key) = &job.key else { return };
        let request = job.request();
        self.work.remember(idempotency_key::Model {
            user_id: job.bidder,
            key: key.to_string(),
            request: request.clone(),
            auction_id: Some(job.auction),
            sequence: Some(sequence),
            bid_id: Some(bid),
            transfer_id: None,
            created_at: self.work.now,
        });
        let remembered = Remembered { request, bid, sequence };
        self.remembered.insert((job.bidder, key.to_string()), remembered);
    }

    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// Saves the outcome set-wise.
    pub async fn save(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        self.work.save(db).await
    }

    /// The answers, and what follows once it is committed.
    pub fn into_outcome(self) -> (Settled, Effects) {
        let Self { work, judgements, held, .. } = self;
        (Settled { judgements, held }, work.into_effects())
    }
}

fn auctions_of(jobs: &[BidRequest]) -> Vec<AuctionId> {
    jobs.iter().map(|job| job.auction).collect::<BTreeSet<_>>().into_iter().collect()
}

fn leader(auction: &crate::domain::auction::Auction) -> Option<UserId> {
    auction.lead.map(|lead| lead.bidder)
}

fn remember(row: idempotency_key::Model) -> ((UserId, String), Remembered) {
    // A key of another use has no bid: any bid under it is another request.
    let bid = row.bid_id.unwrap_or(BidId(uuid::Uuid::nil()));
    let sequence = row.sequence.unwrap_or_default();
    ((row.user_id, row.key), Remembered { request: row.request, bid, sequence })
}
