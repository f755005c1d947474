//! An order: from the hammer to the money. One table says which action is legal when, by whom, and
//! what it does.

use chrono::TimeDelta;
use entity::{
    Time,
    enums::{NotificationKind, OrderStatus},
};

use super::refusal::{Code, Refusal};

/// The times of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderTimes {
    /// After that long without a handover, the buyer may cancel.
    pub handover: TimeDelta,
    /// That long after the handover, the order completes by itself.
    pub receipt: TimeDelta,
}

/// What may be done with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The seller says that the buyer has the goods.
    HandOver,
    /// The buyer says so too.
    ConfirmReceipt,
    /// The buyer gives up waiting.
    Cancel,
    /// A side disagrees.
    Dispute,
    /// An admin decides for the seller.
    PaySeller,
    /// An admin decides for the buyer.
    RefundBuyer,
    /// The marketplace completes it: nobody said anything for long enough.
    Complete,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The one who pays.
    Buyer,
    /// The one who is paid.
    Seller,
    /// An admin of the marketplace who is no side of the order.
    Admin,
    /// The marketplace itself.
    House,
}

/// What becomes of the price in escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It stays.
    None,
    /// To the seller, but for the fee.
    Pay,
    /// Back to the buyer.
    Refund,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Where the order stands after it.
    pub status: OrderStatus,
    /// What becomes of the price.
    pub settlement: Settlement,
    /// What the two sides are told; whoever acted is told nothing.
    pub tells: NotificationKind,
    /// When the marketplace completes it by itself.
    pub completes_at: Option<Time>,
}

/// Why an action is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It is not this actor's to do.
    Forbidden(&'static str),
    /// The rules refuse it now.
    Refused(Refusal),
}

/// An order, as far as the rules need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderState {
    /// Where it stands.
    pub status: OrderStatus,
    /// When the auction was sold.
    pub created_at: Time,
    /// When the marketplace completes it by itself.
    pub completes_at: Option<Time>,
}

/// Judges an action at `now`.
///
/// # Errors
/// When it is not the actor's to do, or not now.
pub fn act(
    order: &OrderState,
    action: Action,
    actor: Actor,
    times: &OrderTimes,
    now: Time,
) -> Result<Step, Denied> {
    may_act(action, actor)?;
    let step =
        |status, settlement, tells| Ok(Step { status, settlement, tells, completes_at: None });
    match (order.status, action) {
        (OrderStatus::AwaitingHandover, Action::HandOver) => Ok(Step {
            status: OrderStatus::HandedOver,
            settlement: Settlement::None,
            tells: NotificationKind::HandedOver,
            completes_at: Some(now + times.receipt),
        }),
        (OrderStatus::HandedOver, Action::ConfirmReceipt) => {
            step(OrderStatus::Completed, Settlement::Pay, NotificationKind::OrderCompleted)
        }
        (OrderStatus::HandedOver, Action::Complete)
            if order.completes_at.is_some_and(|at| at <= now) =>
        {
            step(OrderStatus::Completed, Settlement::Pay, NotificationKind::OrderCompleted)
        }
        (OrderStatus::AwaitingHandover, Action::Cancel) => {
            if now < order.created_at + times.handover {
                let message = "The seller still has time to hand the goods over.";
                return Err(Denied::Refused(Refusal::new(Code::TooEarly, message)));
            }
            step(OrderStatus::Refunded, Settlement::Refund, NotificationKind::OrderRefunded)
        }
        (OrderStatus::AwaitingHandover | OrderStatus::HandedOver, Action::Dispute) => {
            step(OrderStatus::Disputed, Settlement::None, NotificationKind::DisputeOpened)
        }
        (OrderStatus::Disputed, Action::PaySeller) => {
            step(OrderStatus::Completed, Settlement::Pay, NotificationKind::DisputeResolved)
        }
        (OrderStatus::Disputed, Action::RefundBuyer) => {
            step(OrderStatus::Refunded, Settlement::Refund, NotificationKind::DisputeResolved)
        }
        _ => {
            let message = "The order is not in a state that allows this.";
            Err(Denied::Refused(Refusal::new(Code::OrderStateForbids, message)))
        }
    }
}

fn may_act(action: Action, actor: Actor) -> Result<(), Denied> {
    let (may, why) = match action {
        Action::HandOver => (actor == Actor::Seller, "Only the seller marks the handover."),
        Action::ConfirmReceipt => (actor == Actor::Buyer, "Only the buyer confirms receipt."),
        Action::Cancel => (actor == Actor::Buyer, "Only the buyer cancels an order."),
        Action::Dispute => (
            matches!(actor, Actor::Buyer | Actor::Seller),
            "Only the buyer and the seller open disputes.",
        ),
        Action::PaySeller | Action::RefundBuyer => {
            (actor == Actor::Admin, "Only an admin who is no side of an order decides its dispute.")
        }
        Action::Complete => (actor == Actor::House, "Only the house completes orders by itself."),
    };
    if may { Ok(()) } else { Err(Denied::Forbidden(why)) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const TIMES: OrderTimes =
        OrderTimes { handover: TimeDelta::hours(72), receipt: TimeDelta::days(7) };

    const STATES: [OrderStatus; 5] = [
        OrderStatus::AwaitingHandover,
        OrderStatus::HandedOver,
        OrderStatus::Disputed,
        OrderStatus::Completed,
        OrderStatus::Refunded,
    ];

    type Row = (Action, &'static [Actor], &'static [OrderStatus], OrderStatus, Settlement);

    /// Every action, who may do it, and from which state to which it leads.
    const LEGAL: [Row; 7] = {
        use OrderStatus::{AwaitingHandover, Completed, Disputed, HandedOver, Refunded};
        [
            (Action::HandOver, &[Actor::Seller], &[AwaitingHandover], HandedOver, Settlement::None),
            (Action::ConfirmReceipt, &[Actor::Buyer], &[HandedOver], Completed, Settlement::Pay),
            (Action::Cancel, &[Actor::Buyer], &[AwaitingHandover], Refunded, Settlement::Refund),
            (
                Action::Dispute,
                &[Actor::Buyer, Actor::Seller],
                &[AwaitingHandover, HandedOver],
                Disputed,
                Settlement::None,
            ),
            (Action::PaySeller, &[Actor::Admin], &[Disputed], Completed, Settlement::Pay),
            (Action::RefundBuyer, &[Actor::Admin], &[Disputed], Refunded, Settlement::Refund),
            (Action::Complete, &[Actor::House], &[HandedOver], Completed, Settlement::Pay),
        ]
    };

    fn at(hours: i64) -> Time {
        DateTime::from_timestamp(hours * 3_600, 0).unwrap()
    }

    fn order(status: OrderStatus) -> OrderState {
        let completes_at = (status == OrderStatus::HandedOver).then(|| at(200));
        OrderState { status, created_at: at(0), completes_at }
    }

    #[test]
    fn every_action_in_every_state_by_everybody_is_as_the_table_says() {
        for (action, actors, from, to, settlement) in LEGAL {
            for actor in [Actor::Buyer, Actor::Seller, Actor::Admin, Actor::House] {
                for status in STATES {
                    let done = act(&order(status), action, actor, &TIMES, at(1_000));
                    let case = format!("{action:?} by {actor:?} of {status:?}");
                    if !actors.contains(&actor) {
                        assert!(matches!(done, Err(Denied::Forbidden(_))), "{case}");
                    } else if from.contains(&status) {
                        let done = done.unwrap();
                        assert_eq!((done.status, done.settlement), (to, settlement), "{case}");
                        let completes =
                            (to == OrderStatus::HandedOver).then(|| at(1_000) + TimeDelta::days(7));
                        assert_eq!(done.completes_at, completes, "{case}");
                    } else {
                        let Err(Denied::Refused(refusal)) = done else { panic!("{case}") };
                        assert_eq!(refusal.code, Code::OrderStateForbids, "{case}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_times_are_kept_to_the_instant() {
        let waiting = order(OrderStatus::AwaitingHandover);
        let early = at(72) - TimeDelta::microseconds(1);
        let done = act(&waiting, Action::Cancel, Actor::Buyer, &TIMES, early);
        assert!(matches!(done, Err(Denied::Refused(r)) if r.code == Code::TooEarly));
        assert!(act(&waiting, Action::Cancel, Actor::Buyer, &TIMES, at(72)).is_ok());
        let handed = order(OrderStatus::HandedOver);
        let early = at(200) - TimeDelta::microseconds(1);
        assert!(act(&handed, Action::Complete, Actor::House, &TIMES, early).is_err());
        assert!(act(&handed, Action::Complete, Actor::House, &TIMES, at(200)).is_ok());
    }
}
