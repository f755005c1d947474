//! The market: one loop that looks at every lot and lets somebody bid, at the pace of a busy
//! evening. It bids through `Engine::place_bid`, as everybody; `supply` lists what is bid on.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use entity::{
    Time,
    enums::AuctionStatus,
    ids::{AuctionId, BidId, UserId},
};
use fastrand::Rng;
use futures_util::future::try_join_all;

use super::{
    bidders::Offer,
    deals::Deals,
    lots::{Lot, Source},
    people::{self, Person},
    stalls::{EXAMPLE, Heat, STALLS},
    ticker::{News, Ticker},
};
use crate::{
    domain::{
        listing::AuctionView,
        money::Money,
        refusal::Code,
        request::{self, BidRequest},
    },
    engine::{BidOutcome, Engine, Error},
};

/// How many rounds of bids there are before the server opens.
const ROUNDS: usize = 3;

/// How many turns pass between two looks for what newcomers listed.
const LOOK_AROUND: u32 = 5;

/// How long to leave a failing engine alone.
const PAUSE: Duration = Duration::from_secs(2);

/// The lots and the people.
#[derive(Debug)]
pub struct Market {
    pub(super) engine: Arc<Engine>,
    pub(super) people: Vec<Person>,
    /// Those who bid by themselves.
    pub(super) bidders: HashSet<UserId>,
    pub(super) lots: Vec<Lot>,
    /// Stalls that wait for their next auction, and until when.
    pub(super) free: Vec<(usize, Time)>,
    pub(super) rng: Rng,
    deals: Deals,
    turns: u32,
}

impl Market {
    /// Lists something in every stall, and lets the first bids come in.
    ///
    /// # Errors
    /// When the engine fails or refuses.
    pub async fn open(engine: Arc<Engine>, people: Vec<Person>) -> Result<Self, Error> {
        let is_bidder = |person: &&Person| person.is_bidder();
        let mut market = Self {
            engine,
            bidders: people.iter().filter(is_bidder).map(Person::id).collect(),
            people,
            lots: Vec::new(),
            free: Vec::new(),
            rng: Rng::new(),
            deals: Deals::default(),
            turns: 0,
        };
        for place in 0..STALLS.len() {
            market.list(place, place, true).await?;
        }
        for round in 0..ROUNDS {
            market.look(&mut Ticker::new(true)).await?;
            market.first_bids(round).await?;
        }
        market.look(&mut Ticker::new(true)).await?;
        let now = market.engine.time();
        for lot in &mut market.lots {
            lot.rest(&mut market.rng, now);
        }
        Ok(market)
    }

    /// Everybody.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// How many auctions there are.
    pub fn auctions(&self) -> usize {
        self.lots.len()
    }

    /// The auction that the printed command bids on.
    pub fn example(&self) -> Option<&AuctionView> {
        let is_example =
            |lot: &&Lot| matches!(lot.source, Source::Ours { stall, .. } if stall == EXAMPLE);
        self.lots.iter().find(is_example).map(|lot| &lot.view)
    }

    /// Goes on until it is dropped.
    pub async fn run(mut self, mut ticker: Ticker) {
        loop {
            tokio::time::sleep(self.pace()).await;
            if let Err(error) = self.turn(&mut ticker).await {
                tracing::warn!(%error, "the demo's bidders");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// How long until the next turn: shorter while something is about to end.
    fn pace(&mut self) -> Duration {
        let now = self.engine.time();
        let is_late = |lot: &Lot| lot.left(now) < TimeDelta::seconds(30);
        let millis = match self.lots.iter().any(is_late) {
            true => 250..=900,
            false => 500..=1_700,
        };
        Duration::from_millis(self.rng.u64(millis))
    }

    /// A look at everything, and a bid if somebody wants to.
    pub(super) async fn turn(&mut self, ticker: &mut Ticker) -> Result<(), Error> {
        self.look(ticker).await?;
        self.refill(ticker).await?;
        let (engine, rng) = (&self.engine, &mut self.rng);
        self.deals.turn(engine, &self.people, rng).await?;
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(LOOK_AROUND) {
            self.look_around(ticker).await?;
        }
        ticker.turn();
        let now = self.engine.time();
        let mut places: Vec<usize> = (0..self.lots.len()).collect();
        self.rng.shuffle(&mut places);
        for place in places {
            if let Some((person, offer)) = self.next_bid(place, now) {
                return self.bid(place, person, offer).await;
            }
        }
        Ok(())
    }

    /// Sees what became of every lot; those that ended make room.
    async fn look(&mut self, ticker: &mut Ticker) -> Result<(), Error> {
        let ids: Vec<AuctionId> = self.lots.iter().map(Lot::id).collect();
        let views = self.engine.auctions(&ids).await?;
        let now = self.engine.time();
        for view in views {
            let Some(lot) = self.lots.iter_mut().find(|lot| lot.id() == view.listing.id) else {
                continue;
            };
            let before = std::mem::replace(&mut lot.view, view);
            if before.state.status == AuctionStatus::Scheduled
                && lot.view.state.status == AuctionStatus::Open
            {
                ticker.tell(News::Opens, &lot.view, now);
            }
            if before.state.bid_count == lot.view.state.bid_count {
                continue;
            }
            let leader = lot.view.state.leader.as_ref().map(|user| user.id);
            let is_new = leader != before.state.leader.as_ref().map(|user| user.id);
            let is_guest = leader.is_some_and(|leader| !self.bidders.contains(&leader));
            if is_guest || lot.heat == Heat::Guests {
                lot.rest(&mut self.rng, now);
            }
            if is_guest {
                ticker.tell(News::GuestLeads, &lot.view, now);
            } else if is_new {
                ticker.tell(News::Leads, &lot.view, now);
            }
        }
        for lot in self.lots.extract_if(.., |lot| lot.has_ended()) {
            ticker.tell(News::Ends, &lot.view, now);
            self.deals.expect(lot.id(), now, &mut self.rng);
            if let Source::Ours { stall, .. } = lot.source {
                let soon = TimeDelta::milliseconds(self.rng.i64(2_000..=8_000));
                self.free.push((stall, now + soon));
            }
        }
        Ok(())
    }

    /// A round of bids, at most one on each lot: everybody at once, each person one after another.
    async fn first_bids(&mut self, round: usize) -> Result<(), Error> {
        let now = self.engine.time();
        let mut bids: BTreeMap<usize, Vec<(usize, Offer)>> = BTreeMap::new();
        for place in 0..self.lots.len() {
            let rounds = match self.lots.get(place).map(|lot| lot.heat) {
                Some(Heat::Hot) => ROUNDS,
                Some(Heat::Steady) => 2,
                Some(Heat::Calm) => self.rng.usize(0..=2),
                Some(Heat::Guests) => 1,
                None => 0,
            };
            if round < rounds
                && let Some((person, offer)) = self.next_bid(place, now)
            {
                bids.entry(person).or_default().push((place, offer));
            }
        }
        let market = &*self;
        let of_person = async |(person, bids): (usize, Vec<(usize, Offer)>)| {
            for (lot, offer) in bids {
                market.place(lot, person, offer).await?;
            }
            Ok(())
        };
        try_join_all(bids.into_iter().map(of_person)).await.map(drop)
    }

    fn next_bid(&mut self, place: usize, now: Time) -> Option<(usize, Offer)> {
        let lot = self.lots.get(place)?;
        let leader = lot.view.state.leader.as_ref();
        let is_led_by_guest = leader.is_some_and(|user| !self.bidders.contains(&user.id));
        let table = &self.engine.rules().increments;
        lot.next_bid(now, &self.people, table, is_led_by_guest, &mut self.rng)
    }

    async fn place(&self, lot: usize, person: usize, offer: Offer) -> Result<BidOutcome, Error> {
        let gone = || Error::Fault("the demo lost a lot or a person".to_owned());
        let lot = self.lots.get(lot).ok_or_else(gone)?;
        let person = self.people.get(person).ok_or_else(gone)?;
        let money = |won| Money::from_minor(won).ok_or_else(gone);
        let maximum = offer.maximum.map(money).transpose()?;
        let offer = request::Offer::new(BidId::new(), money(offer.amount)?, maximum)?;
        self.engine.place_bid(BidRequest::bid(person.id(), lot.id(), offer, None)).await
    }

    /// Places a bid and takes a refusal calmly.
    async fn bid(&mut self, lot: usize, person: usize, offer: Offer) -> Result<(), Error> {
        let outcome = self.place(lot, person, offer).await?;
        let now = self.engine.time();
        let Some(lot) = self.lots.get_mut(lot) else {
            return Ok(());
        };
        lot.rest(&mut self.rng, now);
        match outcome.refusal.map(|refusal| refusal.code) {
            None | Some(Code::BidTooLow | Code::AuctionEnded | Code::AuctionNotOpen) => Ok(()),
            Some(Code::InsufficientFunds) => match self.people.get(person) {
                Some(person) => people::fill_purse(&self.engine, &person.session).await,
                None => Ok(()),
            },
            Some(code) => {
                tracing::debug!(?code, "a bidder of the demo gives up");
                lot.forget(person);
                Ok(())
            }
        }
    }
}
