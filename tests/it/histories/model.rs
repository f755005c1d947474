//! The whole house in plain integers: no database, no locks, no ledger. It shares no code with
//! the engine.

use std::collections::BTreeMap;

/// Microseconds.
pub type Instant = i64;
pub const SECOND: Instant = 1_000_000;
pub const HOUR: Instant = 3_600 * SECOND;

/// From a late bid to the end that it moves.
pub const EXTENSION: Instant = 25 * 60 * SECOND;

pub const FEE_BASIS_POINTS: i64 = 333;
pub const ADMIN: usize = 4;
pub const PEOPLE: usize = 5;

/// Done, or why not.
pub type Answer = Result<(), &'static str>;

#[derive(Debug, Clone)]
pub struct Lot {
    pub seller: usize,
    pub start: i64,
    pub reserve: Option<i64>,
    pub buy_now: Option<i64>,
    pub starts: Instant,
    pub ends: Instant,
    pub scheduled_end: Instant,
    pub status: &'static str,
    pub price: i64,
    /// Who leads, and up to what.
    pub lead: Option<(usize, i64)>,
    pub bids: i32,
    pub order: Option<Order>,
}

#[derive(Debug, Clone)]
pub struct Order {
    pub buyer: usize,
    pub status: &'static str,
    pub created: Instant,
    pub completes: Option<Instant>,
}

/// (available, locked) of everybody, and what the house holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    pub wallets: [(i64, i64); PEOPLE],
    pub escrow: i64,
    pub fees: i64,
}

impl Money {
    pub fn total(&self) -> i64 {
        let wallets: i64 = self.wallets.iter().map(|w| w.0 + w.1).sum();
        wallets + self.escrow + self.fees
    }
}

#[derive(Debug, Clone)]
pub struct Model {
    pub now: Instant,
    pub money: Money,
    pub lots: BTreeMap<usize, Lot>,
}

fn increment(price: i64) -> i64 {
    match price {
        ..10_000 => 500,
        ..50_000 => 1_000,
        ..100_000 => 2_000,
        ..500_000 => 5_000,
        ..1_000_000 => 10_000,
        _ => 50_000,
    }
}

pub fn fee(price: i64) -> i64 {
    let (whole, rest) = (price * FEE_BASIS_POINTS / 10_000, price * FEE_BASIS_POINTS % 10_000);
    whole + i64::from(rest > 5_000 || (rest == 5_000 && whole % 2 == 1))
}

impl Lot {
    pub fn minimum(&self) -> i64 {
        match self.lead {
            None => self.start,
            Some(_) => self.held(self.price + increment(self.price)),
        }
    }

    /// What is held of a maximum, and how far a minimum goes: no further than to the buy-now price.
    fn held(&self, maximum: i64) -> i64 {
        self.buy_now.map_or(maximum, |buy_now| maximum.min(buy_now))
    }

    fn is_sold_at(&self, price: i64) -> bool {
        self.lead.is_some() && self.reserve.is_none_or(|reserve| reserve <= price)
    }
}

impl Model {
    /// Locks `to` in place of `from` for a lot's leader.
    fn hold(&mut self, who: usize, from: i64, to: i64) {
        let wallet = &mut self.money.wallets[who];
        *wallet = (wallet.0 + from - to, wallet.1 - from + to);
    }

    fn may_bid(&mut self, lot: usize, who: usize) -> Answer {
        let now = self.now;
        let lot = self.lots.get_mut(&lot).unwrap();
        if lot.status == "SCHEDULED" && lot.starts <= now {
            lot.status = "OPEN";
        }
        match lot.status {
            // Also when it was withdrawn before its start: the rules' order of refusals.
            _ if now < lot.starts => Err("AuctionNotOpen"),
            "OPEN" if now < lot.ends && who == lot.seller => Err("SellerCannotBid"),
            "OPEN" if now < lot.ends => Ok(()),
            _ => Err("AuctionEnded"),
        }
    }

    pub fn bid(&mut self, id: usize, who: usize, amount: i64, maximum: i64) -> Answer {
        self.may_bid(id, who)?;
        let lot = self.lots[&id].clone();
        let own = lot.lead.filter(|lead| lead.0 == who).map(|lead| lead.1);
        if own.is_some() && amount == lot.price {
            if maximum <= own.unwrap() {
                return Err("BidTooLow");
            }
        } else if amount < lot.minimum() {
            return Err("BidTooLow");
        }
        let former = own.unwrap_or(0);
        let held = lot.held(former);
        if self.money.wallets[who].0 < lot.held(maximum.max(former)) - held {
            return Err("InsufficientFunds");
        }
        let (leader, price, bids) = match lot.lead {
            None => ((who, maximum), amount, 1),
            Some((_, former)) if own.is_some() => {
                let leader = (who, maximum.max(former));
                (leader, amount, i32::from(amount > lot.price))
            }
            Some((former, limit)) if maximum > limit => {
                self.hold(former, lot.held(limit), 0);
                let price = amount.max(maximum.min(limit + increment(limit)));
                ((who, maximum), price, 1 + i32::from(limit > lot.price))
            }
            Some((leader, limit)) => {
                let defence = limit.min(maximum + increment(maximum));
                ((leader, limit), lot.price.max(defence), 2)
            }
        };
        if leader.0 == who {
            self.hold(who, held, lot.held(leader.1));
        }
        let reserve = lot.reserve.filter(|reserve| *reserve <= leader.1).unwrap_or(0);
        let lifted = price.max(reserve);
        // Only a maximum that is raised to the reserve makes a bid without a new amount.
        let bids = bids + i32::from(bids == 0 && lifted > lot.price);
        let now = self.now;
        let lot = self.lots.get_mut(&id).unwrap();
        lot.lead = Some(leader);
        lot.price = lot.buy_now.map_or(lifted, |buy_now| lifted.min(buy_now));
        lot.bids += bids;
        if bids > 0 && lot.ends - now <= 60 * SECOND {
            lot.ends = lot.ends.max((now + EXTENSION).min(lot.scheduled_end + HOUR));
        }
        if lot.buy_now.is_some_and(|buy_now| lot.price >= buy_now) {
            self.close(id);
        }
        Ok(())
    }

    pub fn buy_now(&mut self, id: usize, who: usize) -> Answer {
        self.may_bid(id, who)?;
        let lot = self.lots[&id].clone();
        let price = lot.buy_now.ok_or("BuyNowUnavailable")?;
        let held = lot.lead.map_or(0, |lead| if lead.0 == who { lot.held(lead.1) } else { 0 });
        if self.money.wallets[who].0 + held < price {
            return Err("InsufficientFunds");
        }
        if let Some((former, limit)) = lot.lead {
            self.hold(former, lot.held(limit), 0);
        }
        self.hold(who, 0, price);
        let now = self.now;
        let lot = self.lots.get_mut(&id).unwrap();
        (lot.lead, lot.price, lot.bids) = (Some((who, price)), price, lot.bids + 1);
        if lot.ends - now <= 60 * SECOND {
            lot.ends = lot.ends.max((now + EXTENSION).min(lot.scheduled_end + HOUR));
        }
        self.close(id);
        Ok(())
    }

    fn close(&mut self, id: usize) {
        let (now, lot) = (self.now, self.lots.get_mut(&id).unwrap());
        let sold = lot.is_sold_at(lot.price);
        lot.status = if sold { "SOLD" } else { "UNSOLD" };
        let price = lot.price;
        let lead = lot.lead.map(|(leader, limit)| (leader, lot.held(limit)));
        if let Some((buyer, limit)) = lead.filter(|_| sold) {
            let status = "AWAITING_HANDOVER";
            lot.order = Some(Order { buyer, status, created: now, completes: None });
            self.hold(buyer, limit, 0);
            self.money.wallets[buyer].0 -= price;
            self.money.escrow += price;
        } else if let Some((leader, limit)) = lead {
            self.hold(leader, limit, 0);
        }
    }

    fn may_end(&self, id: usize, who: usize) -> Answer {
        let lot = &self.lots[&id];
        if lot.seller != who {
            return Err("Forbidden");
        }
        let lives = ["SCHEDULED", "OPEN"].contains(&lot.status) && self.now < lot.ends;
        lives.then_some(()).ok_or("AuctionEnded")
    }

    pub fn cancel(&mut self, id: usize, who: usize) -> Answer {
        self.may_end(id, who)?;
        let lot = self.lots.get_mut(&id).unwrap();
        if lot.bids > 0 && self.now > lot.ends - 12 * HOUR {
            return Err("TooLateToCancel");
        }
        lot.status = "CANCELLED";
        if let Some((leader, limit)) = lot.lead {
            let held = lot.held(limit);
            self.hold(leader, held, 0);
        }
        Ok(())
    }

    pub fn end_early(&mut self, id: usize, who: usize) -> Answer {
        self.may_end(id, who)?;
        let lot = &self.lots[&id];
        lot.lead.ok_or("NoBids")?;
        if !lot.is_sold_at(lot.price) {
            return Err("ReserveNotMet");
        }
        self.close(id);
        Ok(())
    }

    /// What happens by itself until now, but for nobody having looked.
    pub fn turn(&mut self) {
        let now = self.now;
        let lives = |lot: &Lot| ["SCHEDULED", "OPEN"].contains(&lot.status);
        for lot in self.lots.values_mut().filter(|lot| lives(lot) && lot.starts <= now) {
            lot.status = "OPEN";
        }
        let over = |lot: &Lot| lives(lot) && lot.ends <= now;
        let over: Vec<_> =
            self.lots.iter().filter(|(_, lot)| over(lot)).map(|(id, _)| *id).collect();
        over.into_iter().for_each(|id| self.close(id));
        let due = |lot: &Lot| {
            let due = lot.order.as_ref().and_then(|order| order.completes);
            due.is_some_and(|at| at <= now)
        };
        let due: Vec<_> = self.lots.iter().filter(|(_, lot)| due(lot)).map(|(id, _)| *id).collect();
        due.into_iter().for_each(|id| self.settle(id, "COMPLETED"));
    }

    fn settle(&mut self, id: usize, status: &'static str) {
        let lot = self.lots.get_mut(&id).unwrap();
        let order = lot.order.as_mut().unwrap();
        (order.status, order.completes) = (status, None);
        self.money.escrow -= lot.price;
        if status == "COMPLETED" {
            self.money.wallets[lot.seller].0 += lot.price - fee(lot.price);
            self.money.fees += fee(lot.price);
        } else {
            self.money.wallets[order.buyer].0 += lot.price;
        }
    }

    /// A move of an order, by its name.
    pub fn act(&mut self, id: usize, who: usize, action: &'static str) -> Answer {
        let (now, lot) = (self.now, self.lots.get_mut(&id).unwrap());
        let order = lot.order.as_mut().unwrap();
        let (buys, sells) = (who == order.buyer, who == lot.seller);
        if !(buys || sells || who == ADMIN) {
            return Err("OrderNotFound");
        }
        let may = match action {
            "hand over" => sells,
            "confirm" | "cancel" => buys,
            "dispute" => buys || sells,
            _ => who == ADMIN,
        };
        if !may {
            return Err("Forbidden");
        }
        match (order.status, action) {
            ("AWAITING_HANDOVER", "hand over") => {
                (order.status, order.completes) = ("HANDED_OVER", Some(now + 7 * 24 * HOUR));
            }
            ("HANDED_OVER", "confirm") => self.settle(id, "COMPLETED"),
            ("AWAITING_HANDOVER", "cancel") if now < order.created + 72 * HOUR => {
                return Err("TooEarly");
            }
            ("AWAITING_HANDOVER", "cancel") => self.settle(id, "REFUNDED"),
            ("AWAITING_HANDOVER" | "HANDED_OVER", "dispute") => {
                (order.status, order.completes) = ("DISPUTED", None);
            }
            ("DISPUTED", "pay") => self.settle(id, "COMPLETED"),
            ("DISPUTED", "refund") => self.settle(id, "REFUNDED"),
            _ => return Err("OrderStateForbids"),
        }
        Ok(())
    }
}
