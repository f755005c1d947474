//! What comes to the market: another good where an auction ended, and what newcomers list.

use chrono::TimeDelta;
use entity::{enums::AuctionStatus, ids::AuctionId};

use super::{
    catalogue::Good,
    goods::GOODS,
    lots::{Lot, Source},
    market::Market,
    people::Person,
    stalls::{self, Heat, STALLS},
    ticker::{News, Ticker},
};
use crate::{
    domain::{filter::Filter, listing::AuctionView},
    engine::Error,
    store::{auction_page::Sort, page::Page},
};

/// How many lots are bid on at most.
const MOST_LOTS: usize = 64;

/// What anything at all is worth, in won.
const BARGAIN: i64 = 20_000;

/// How long a stall stays free after the engine failed.
const RETRY: TimeDelta = TimeDelta::seconds(10);

impl Market {
    /// Lists something where a stall has been free for long enough.
    pub(super) async fn refill(&mut self, ticker: &mut Ticker) -> Result<(), Error> {
        let now = self.engine.time();
        while let Some(place) = self.free.iter().position(|(_, due)| *due <= now) {
            let (stall, _) = self.free.swap_remove(place);
            let Some(good) = self.a_good_not_on_offer() else {
                self.free.push((stall, now + RETRY));
                continue;
            };
            if let Err(error) = self.list(stall, good, false).await {
                self.free.push((stall, now + RETRY));
                return Err(error);
            }
            if let Some(lot) = self.lots.last() {
                ticker.tell(News::Listed, &lot.view, now);
            }
        }
        Ok(())
    }

    fn a_good_not_on_offer(&mut self) -> Option<usize> {
        let is_on_offer = |good: usize| {
            let is_it = |lot: &Lot| matches!(lot.source, Source::Ours { good: g, .. } if g == good);
            self.lots.iter().any(is_it)
        };
        let sells_by_itself = |good: &Good| self.seller(good).is_some_and(Person::is_bidder);
        let free: Vec<usize> = (0..)
            .zip(&GOODS)
            .filter(|(place, good)| sells_by_itself(good) && !is_on_offer(*place))
            .map(|(place, _)| place)
            .collect();
        self.rng.choice(free)
    }

    fn seller(&self, good: &Good) -> Option<&Person> {
        let is_it = |person: &&Person| person.session.user.username == good.seller;
        self.people.iter().find(is_it)
    }

    /// Lists a good in a stall.
    pub(super) async fn list(
        &mut self,
        stall: usize,
        good: usize,
        is_first: bool,
    ) -> Result<(), Error> {
        let source = Source::Ours { stall, good };
        let (Some(stall), Some(good)) = (STALLS.get(stall), GOODS.get(good)) else {
            return Ok(());
        };
        let Some(seller) = self.seller(good) else {
            return Ok(());
        };
        let seller = seller.session.clone();
        let run = stall.run(is_first, &mut self.rng);
        let wanted = stalls::wanted(good, self.engine.time(), stall.opens_in, run)?;
        let view = self.engine.create_auction(&seller, wanted).await?;
        self.add((source, stall.heat), view, good.worth);
        Ok(())
    }

    fn add(&mut self, kind: (Source, Heat), view: AuctionView, worth: i64) {
        let lot = Lot::new(kind, view, worth, &self.people, &mut self.rng);
        self.lots.push(lot);
    }

    /// Finds what newcomers listed: it is bid on too.
    pub(super) async fn look_around(&mut self, ticker: &mut Ticker) -> Result<(), Error> {
        let filter = Filter {
            status: vec![AuctionStatus::Open, AuctionStatus::Scheduled],
            ..Filter::default()
        };
        let page = Page { after: None, before: None, size: 10, backwards: false };
        let newest = self.engine.auction_places(&filter, Sort::Newest, &page).await?;
        let is_known = |id: &AuctionId| self.lots.iter().any(|lot| lot.id() == *id);
        let ids = newest.into_iter().map(|place| place.id);
        let unknown: Vec<AuctionId> = ids.filter(|id| !is_known(id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let now = self.engine.time();
        for view in self.engine.auctions(&unknown).await? {
            let is_ours = self.bidders.contains(&view.listing.seller.id);
            if is_ours || view.state.ends_at <= now || self.lots.len() >= MOST_LOTS {
                continue;
            }
            ticker.tell(News::Listed, &view, now);
            let start = view.listing.starting_price.minor();
            let worth = start.saturating_mul(self.rng.i64(14..=24)) / 10 + BARGAIN;
            let is_short = view.state.ends_at - now <= TimeDelta::minutes(20);
            let heat = if is_short { Heat::Hot } else { Heat::Steady };
            self.add((Source::Theirs, heat), view, worth);
        }
        Ok(())
    }
}
