//! The model: the rules of a bid, written once more, as slowly and plainly as they read.
//!
//! It remembers every maximum that was ever accepted and every bid that was ever recorded, in
//! plain integers, and works out leader, price and balances from these lists each time. It knows
//! nothing of the judge's types but the refusals' names.

use neighborbid::domain::refusal::Code;

pub const USERS: usize = 6;
pub const SELLER: usize = 0;
pub const BLOCKED: usize = 1;
pub const OUTSIDER: usize = 2;

pub const START_S: i64 = 3;
pub const SCHEDULED_END_S: i64 = 60;

/// Steps by price, as (price below which it counts, step), and the step above them all.
pub type Tiers = (&'static [(i64, i64)], i64);

/// What a seller and a house decide before the first bid.
#[derive(Debug, Clone)]
pub struct House {
    pub starting_price: i64,
    pub bid_unit: Option<i64>,
    pub reserve: Option<i64>,
    pub tiers: Tiers,
    pub window_s: i64,
    pub extension_s: i64,
    pub cap_s: i64,
    pub money: [i64; USERS],
}

/// A recorded bid, as the model knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Public {
    pub who: usize,
    pub amount: i64,
    pub by_hand: bool,
}

/// The auction as the rules tell it.
#[derive(Debug, Clone)]
pub struct Model {
    pub house: House,
    pub is_open: bool,
    pub end_s: i64,
    /// Every accepted maximum and who offered it, in order.
    pub offers: Vec<(usize, i64)>,
    /// Every recorded bid, in order.
    pub public: Vec<Public>,
}

impl Model {
    pub fn new(house: &House) -> Self {
        Self {
            house: house.clone(),
            is_open: false,
            end_s: SCHEDULED_END_S,
            offers: Vec::new(),
            public: Vec::new(),
        }
    }

    pub fn price(&self) -> i64 {
        let newest = self.public.last();
        newest.map_or(self.house.starting_price, |bid| bid.amount)
    }

    /// Who offered the highest maximum before anybody else did, and that maximum.
    pub fn leader(&self) -> Option<(usize, i64)> {
        let highest = self.offers.iter().map(|offer| offer.1).max()?;
        let earliest = self.offers.iter().find(|offer| offer.1 == highest);
        earliest.copied()
    }

    fn increment(&self, price: i64) -> i64 {
        let (tiers, above) = self.house.tiers;
        let mut increment = above;
        for &(below, step) in tiers.iter().rev() {
            if price < below {
                increment = step;
            }
        }
        self.house.bid_unit.unwrap_or(increment)
    }

    pub fn minimum(&self) -> i64 {
        if self.public.is_empty() {
            return self.house.starting_price;
        }
        self.price() + self.increment(self.price())
    }

    pub fn sequence(&self) -> i64 {
        i64::from(self.is_open) + i64::try_from(self.public.len()).unwrap()
    }

    pub fn locked(&self, who: usize) -> i64 {
        let own = self.leader().filter(|leader| leader.0 == who);
        own.map_or(0, |leader| leader.1)
    }

    pub fn available(&self, who: usize) -> i64 {
        self.house.money[who] - self.locked(who)
    }

    pub fn refusal(&self, now_s: i64, who: usize, amount: i64, maximum: i64) -> Option<Code> {
        let leads = self.leader().is_some_and(|leader| leader.0 == who);
        let too_low = if leads && amount == self.price() {
            maximum <= self.locked(who)
        } else {
            amount < self.minimum()
        };
        let unit = self.house.bid_unit.unwrap_or(1);
        let off_unit = amount % unit != 0 || maximum % unit != 0;
        let rules = [
            (now_s < START_S, Code::AuctionNotOpen),
            (now_s >= self.end_s, Code::AuctionEnded),
            (who == SELLER, Code::SellerCannotBid),
            (who == BLOCKED, Code::BidderBlocked),
            (who == OUTSIDER, Code::OutOfRegion),
            (too_low, Code::BidTooLow),
            (off_unit, Code::BidOffUnit),
            (maximum - self.locked(who) > self.available(who), Code::InsufficientFunds),
        ];
        let broken = rules.iter().find(|rule| rule.0);
        broken.map(|rule| rule.1)
    }

    pub fn accept(&mut self, now_s: i64, who: usize, amount: i64, maximum: i64) {
        let (price, former) = (self.price(), self.leader());
        let recorded = self.public.len();
        self.offers.push((who, maximum));
        let (leader, highest) = self.leader().unwrap();
        let with_reserve = |price: i64| match self.house.reserve {
            Some(reserve) if highest >= reserve && reserve > price => reserve,
            _ => price,
        };
        let bid = |who, amount, by_hand| Public { who, amount, by_hand };
        let new = match former {
            None => vec![bid(who, with_reserve(amount), true)],
            // A leader's own.
            Some((former, _)) if former == who => {
                let raised = with_reserve(amount);
                let new = bid(who, raised, amount != price);
                if raised > price { vec![new] } else { vec![] }
            }
            // The lead was taken.
            Some((former, lost)) if leader == who => {
                let new = amount.max(maximum.min(lost + self.increment(lost)));
                let new = bid(who, with_reserve(new), true);
                if lost > price { vec![bid(former, lost, false), new] } else { vec![new] }
            }
            // The lead was defended.
            Some(_) => {
                let defence = highest.min(maximum + self.increment(maximum));
                let defence = with_reserve(price.max(defence));
                vec![bid(who, maximum, true), bid(leader, defence, false)]
            }
        };
        self.public.extend(new);
        if self.public.len() > recorded && self.end_s - now_s <= self.house.window_s {
            let latest = SCHEDULED_END_S + self.house.cap_s;
            let moved = (now_s + self.house.extension_s).min(latest);
            self.end_s = self.end_s.max(moved);
        }
    }
}
