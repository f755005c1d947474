//! What follows a sale: the demo's sellers hand over and its buyers confirm, after a while, so
//! that the money comes round. What a newcomer sold or bought waits for the newcomer.

use chrono::TimeDelta;
use entity::{
    Time,
    enums::OrderStatus,
    ids::{AuctionId, UserId},
};
use fastrand::Rng;

use super::people::Person;
use crate::{
    domain::order::Action,
    engine::{Engine, Error},
};

/// How often a deal is looked after before it is left alone: about an hour in all.
const PATIENCE: u32 = 200;

#[derive(Debug, Clone, Copy)]
struct Deal {
    auction: AuctionId,
    /// When to look after it.
    due: Time,
    patience: u32,
}

/// The deals that are not done yet.
#[derive(Debug, Default)]
pub struct Deals(Vec<Deal>);

impl Deals {
    /// An auction ended.
    pub fn expect(&mut self, auction: AuctionId, now: Time, rng: &mut Rng) {
        self.wait(auction, PATIENCE, now, rng);
    }

    fn wait(&mut self, auction: AuctionId, patience: u32, now: Time, rng: &mut Rng) {
        let due = now + TimeDelta::seconds(rng.i64(8..=30));
        self.0.push(Deal { auction, due, patience });
    }

    /// Takes a step in each deal that is due.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn turn(
        &mut self,
        engine: &Engine,
        people: &[Person],
        rng: &mut Rng,
    ) -> Result<(), Error> {
        let now = engine.time();
        while let Some(place) = self.0.iter().position(|deal| deal.due <= now) {
            let Deal { auction, patience, .. } = self.0.swap_remove(place);
            if step(engine, people, auction).await? && patience > 0 {
                self.wait(auction, patience - 1, now, rng);
            }
        }
        Ok(())
    }
}

/// What a bidder of the demo has to do next; says whether there is more to come.
async fn step(engine: &Engine, people: &[Person], auction: AuctionId) -> Result<bool, Error> {
    let Some(order) = engine.order_of_auction(auction).await? else {
        return Ok(false);
    };
    let bidder = |id: UserId| people.iter().find(|p| p.id() == id && p.is_bidder());
    let (person, action, is_last) = match order.status {
        OrderStatus::AwaitingHandover => (bidder(order.seller_id), Action::HandOver, false),
        OrderStatus::HandedOver => (bidder(order.buyer_id), Action::ConfirmReceipt, true),
        _ => return Ok(false),
    };
    let Some(person) = person else {
        return Ok(true);
    };
    match engine.act_on_order(&person.session, order.id, action, None).await {
        Ok(_) => Ok(!is_last),
        // The other side was faster: a dispute, say.
        Err(Error::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
