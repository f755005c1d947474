//! Orders through the engine: every move with its money and its notes, and every other move
//! refused without a trace.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use entity::{
    enums::{NotificationKind as Told, OrderStatus, TransferKind as Kind},
    ids::{AuctionId, OrderId},
    order,
};
use neighborbid::{
    domain::{order::Action, refusal::Code, text::Reason},
    engine::{Engine, Error, Rules, Session},
};

use super::{MOMENT, forbidden, refused, three};
use crate::support::requests::bid_request;
use crate::support::{
    TestDatabase, TestHouse,
    house::{money, rules},
    on_both, records,
};

/// A sale of a lamp to ann for 16,000.
struct Sale {
    house: TestHouse,
    seller: Session,
    buyer: Session,
    admin: Session,
    stranger: Session,
    lamp: AuctionId,
    order: OrderId,
}

impl Sale {
    async fn made(db: &TestDatabase) -> Self {
        let house = TestHouse::open(db).await;
        let (seller, buyer, stranger) = three(&house).await;
        let admin = house.admin("admin").await;
        let (lamp, order) = sell(&house, &seller, &buyer).await;
        Self { house, seller, buyer, admin, stranger, lamp, order }
    }

    async fn act(
        &self,
        who: &Session,
        action: Action,
        words: Option<&str>,
    ) -> Result<order::Model, Error> {
        let words = words.map(Reason::parse).transpose()?;
        self.house.engine.act_on_order(who, self.order, action, words).await
    }

    /// What the buyer and the seller have to spend.
    async fn money(&self) -> (i64, i64) {
        let (buyer, locked) = self.house.balances(&self.buyer).await;
        assert_eq!(locked, 0);
        (buyer, self.house.balances(&self.seller).await.0)
    }

    /// What the buyer and the seller were told since the sale.
    async fn told(&self) -> [Vec<Told>; 2] {
        let buyer = records::told(&self.house.db, &self.buyer, self.lamp).await;
        let seller = records::told(&self.house.db, &self.seller, self.lamp).await;
        assert_eq!((buyer[0], seller[0]), (Told::Won, Told::Sold));
        [buyer[1..].to_vec(), seller[1..].to_vec()]
    }

    /// The money that moved since the sale.
    async fn paid(&self) -> Vec<(Kind, i64)> {
        let all = records::payments(&self.house.db, self.lamp).await;
        let after = all.iter().position(|(_, kind, _)| *kind == Kind::Capture).unwrap();
        all[after + 1..]
            .iter()
            .map(|(_, kind, amount)| (*kind, *amount))
            .filter(|(kind, _)| *kind != Kind::Release)
            .collect()
    }

    async fn status(&self) -> OrderStatus {
        records::order(&self.house.db, self.lamp).await.unwrap().status
    }
}

/// Sells a lamp for 16,000 of a maximum of 30,000, at the seller's request.
async fn sell(house: &TestHouse, seller: &Session, buyer: &Session) -> (AuctionId, OrderId) {
    let lamp = house.list(seller, house.a_lamp()).await;
    house.bid_up_to(buyer, lamp, 16_000, 30_000).await;
    house.engine.end_auction_early(seller, lamp).await.unwrap();
    let order = records::order(&house.db, lamp).await.unwrap();
    (lamp, order.id)
}

on_both! {
    async fn handed_over_and_received_the_seller_is_paid(db: &TestDatabase) {
        let sale = Sale::made(db).await;
        assert_eq!(sale.money().await, (84_000, 0));
        let order = sale.act(&sale.seller, Action::HandOver, None).await.unwrap();
        let completes = sale.house.now() + TimeDelta::days(7);
        assert_eq!((order.status, order.completes_at), (OrderStatus::HandedOver, Some(completes)));
        assert_eq!(sale.money().await, (84_000, 0));
        let order = sale.act(&sale.buyer, Action::ConfirmReceipt, None).await.unwrap();
        assert_eq!((order.status, order.completes_at), (OrderStatus::Completed, None));
        assert_eq!(records::order(&sale.house.db, sale.lamp).await, Some(order));
        assert_eq!(sale.money().await, (84_000, 16_000));
        assert_eq!(sale.paid().await, [(Kind::Payout, 16_000)], "a fee of nothing is no transfer");
        assert_eq!(sale.told().await, [vec![Told::HandedOver], vec![Told::OrderCompleted]]);
        sale.house.pass(TimeDelta::days(30));
        assert_eq!(sale.house.engine.complete_due_orders().await.unwrap(), 0, "and once only");
    }

    async fn seven_days_after_the_handover_it_completes_by_itself(db: &TestDatabase) {
        let sale = Sale::made(db).await;
        let engine = &sale.house.engine;
        sale.house.pass(TimeDelta::days(20));
        assert_eq!(engine.complete_due_orders().await.unwrap(), 0, "not before the handover");
        sale.act(&sale.seller, Action::HandOver, None).await.unwrap();
        let due = sale.house.now() + TimeDelta::days(7);
        assert_eq!(engine.next_deadline().await.unwrap().0, Some(due));
        sale.house.set(due - MOMENT);
        assert_eq!(engine.complete_due_orders().await.unwrap(), 0);
        assert_eq!(sale.status().await, OrderStatus::HandedOver);
        sale.house.set(due);
        assert_eq!(engine.complete_due_orders().await.unwrap(), 1);
        assert_eq!(engine.complete_due_orders().await.unwrap(), 0);
        assert_eq!(sale.status().await, OrderStatus::Completed);
        assert_eq!(sale.money().await, (84_000, 16_000));
        let told = [vec![Told::HandedOver, Told::OrderCompleted], vec![Told::OrderCompleted]];
        assert_eq!(sale.told().await, told, "nobody acted: both are told");
        assert_eq!(engine.next_deadline().await.unwrap().0, None);
    }

    async fn without_a_handover_in_72_hours_the_buyer_cancels(db: &TestDatabase) {
        let sale = Sale::made(db).await;
        let due = sale.house.now() + TimeDelta::hours(72);
        sale.house.set(due - MOMENT);
        let before = records::counts(&sale.house.db).await;
        assert_eq!(refused(sale.act(&sale.buyer, Action::Cancel, None).await), Code::TooEarly);
        assert_eq!(records::counts(&sale.house.db).await, before);
        sale.house.set(due);
        let order = sale.act(&sale.buyer, Action::Cancel, None).await.unwrap();
        assert_eq!(order.status, OrderStatus::Refunded);
        assert_eq!(sale.money().await, (100_000, 0));
        assert_eq!(sale.paid().await, [(Kind::Refund, 16_000)]);
        assert_eq!(sale.told().await, [vec![], vec![Told::OrderRefunded]]);
    }

    async fn either_side_disputes_from_either_state_and_an_admin_decides(db: &TestDatabase) {
        let mut sale = Sale::made(db).await;
        let (mut buyer, mut seller) = (84_000, 0);
        let cases = [false, true].into_iter().flat_map(|handed_over| {
            [false, true].into_iter().flat_map(move |by_seller| {
                [Action::PaySeller, Action::RefundBuyer].map(|a| (handed_over, by_seller, a))
            })
        });
        for (handed_over, by_seller, decision) in cases {
            if handed_over {
                sale.act(&sale.seller, Action::HandOver, None).await.unwrap();
            }
            let plaintiff = if by_seller { &sale.seller } else { &sale.buyer };
            let empty = sale.act(plaintiff, Action::Dispute, Some("  ")).await;
            assert_eq!(refused(empty), Code::InvalidReason);
            let order = sale.act(plaintiff, Action::Dispute, Some("깨졌어요")).await.unwrap();
            assert_eq!((order.status, order.completes_at), (OrderStatus::Disputed, None));
            assert_eq!(order.dispute_reason.as_deref(), Some("깨졌어요"));
            sale.house.pass(TimeDelta::days(30));
            assert_eq!(sale.house.engine.complete_due_orders().await.unwrap(), 0, "it waits");
            assert_eq!(sale.money().await, (buyer, seller));
            let order = sale.act(&sale.admin, decision, Some("looked at it")).await.unwrap();
            assert_eq!(order.resolution_note.as_deref(), Some("looked at it"));
            assert_eq!(order.decided_by, Some(sale.admin.user.id));
            assert_eq!(records::order(&sale.house.db, sale.lamp).await, Some(order.clone()));
            let paid = if decision == Action::PaySeller {
                seller += 16_000;
                (OrderStatus::Completed, Kind::Payout)
            } else {
                buyer += 16_000;
                (OrderStatus::Refunded, Kind::Refund)
            };
            assert_eq!((order.status, sale.paid().await), (paid.0, vec![(paid.1, 16_000)]));
            assert_eq!(sale.money().await, (buyer, seller));
            let mut told = [vec![], vec![]];
            if handed_over {
                told[0].push(Told::HandedOver);
            }
            told[usize::from(!by_seller)].push(Told::DisputeOpened);
            told.iter_mut().for_each(|told| told.push(Told::DisputeResolved));
            assert_eq!(sale.told().await, told);
            (sale.lamp, sale.order) = sell(&sale.house, &sale.seller, &sale.buyer).await;
            buyer -= 16_000;
        }
    }

    async fn nobody_decides_the_dispute_of_their_own_order(db: &TestDatabase) {
        let sale = Sale::made(db).await;
        sale.act(&sale.buyer, Action::Dispute, Some("broken")).await.unwrap();
        for side in [&sale.buyer, &sale.seller] {
            sale.house.grant_admin(side).await;
            for decision in [Action::PaySeller, Action::RefundBuyer] {
                assert!(forbidden(&sale.act(side, decision, Some("mine")).await));
            }
        }
        assert_eq!((sale.status().await, sale.money().await), (OrderStatus::Disputed, (84_000, 0)));
        // As a side an admin does what a side does; another admin decides.
        let other = sale.house.admin("other").await;
        let order = sale.act(&other, Action::RefundBuyer, Some("seen")).await.unwrap();
        assert_eq!(order.decided_by, Some(other.user.id));
    }

    async fn every_illegal_move_is_refused_and_changes_nothing(db: &TestDatabase) {
        let mut sale = Sale::made(db).await;
        let way = |to| match to {
            OrderStatus::AwaitingHandover => vec![],
            OrderStatus::HandedOver => vec![Action::HandOver],
            OrderStatus::Disputed => vec![Action::Dispute],
            OrderStatus::Completed => vec![Action::HandOver, Action::ConfirmReceipt],
            OrderStatus::Refunded => vec![Action::Dispute, Action::RefundBuyer],
        };
        let mut tried = 0;
        for status in [
            OrderStatus::AwaitingHandover, OrderStatus::HandedOver, OrderStatus::Disputed,
            OrderStatus::Completed, OrderStatus::Refunded,
        ] {
            for action in way(status) {
                let (mut legal, words) = (may(action), words(action));
                sale.act(sale.person(legal.remove(0)), action, words).await.unwrap();
            }
            // The buyer could cancel by now, and the house complete.
            sale.house.pass(TimeDelta::days(8));
            assert_eq!(sale.status().await, status);
            for action in ACTIONS {
                for actor in ["buyer", "seller", "admin", "stranger"] {
                    let legal = may(action).contains(&actor);
                    if legal && from(action).contains(&status) {
                        continue;
                    }
                    let case = format!("{action:?} by {actor} of {status:?}");
                    let before = sale.everything().await;
                    let done = sale.act(sale.person(actor), action, words(action)).await;
                    match (actor, legal) {
                        ("stranger", _) => assert_eq!(refused(done), Code::OrderNotFound, "{case}"),
                        (_, false) => assert!(forbidden(&done), "{case}: {done:?}"),
                        (_, true) => assert_eq!(refused(done), Code::OrderStateForbids, "{case}"),
                    }
                    assert_eq!(sale.everything().await, before, "{case}");
                    tried += 1;
                }
            }
            (sale.lamp, sale.order) = sell(&sale.house, &sale.seller, &sale.buyer).await;
        }
        assert_eq!(tried, 5 * 7 * 4 - 9);
        sale.order = OrderId::new();
        let gone = sale.act(&sale.admin, Action::HandOver, None).await;
        assert_eq!(refused(gone), Code::OrderNotFound);
    }

    async fn the_fee_is_rounded_half_to_even(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, buyer, _) = three(&house).await;
        let clock = Arc::new(Mutex::new(house.now()));
        let mut earned = 0;
        for (basis_points, price, fee) in [
            (250, 10_020, 250), (250, 10_060, 252), (250, 10_021, 251), (250, 10_019, 250),
            (0, 10_000, 0), (10_000, 10_001, 10_001), (1, 10_000, 1),
        ] {
            let rules = Rules { fee_basis_points: basis_points, ..rules() };
            let engine = records::engine_on(&house.db, rules, &clock).await;
            let (lamp, order) = sold_by(&engine, &house, &seller, &buyer, price).await;
            assert_eq!((order.price, order.fee), (price, fee), "{basis_points} of {price}");
            engine.act_on_order(&seller, order.id, Action::HandOver, None).await.unwrap();
            engine.act_on_order(&buyer, order.id, Action::ConfirmReceipt, None).await.unwrap();
            earned += price - fee;
            assert_eq!(house.balances(&seller).await, (earned, 0));
            let paid = records::payments(&house.db, lamp).await.split_off(2);
            let expected = [
                (seller.user.id, Kind::Payout, price - fee), (seller.user.id, Kind::Fee, fee),
            ];
            assert_eq!(paid, expected.into_iter().filter(|p| p.2 > 0).collect::<Vec<_>>());
        }
    }

    async fn a_refund_takes_no_fee(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, buyer, _) = three(&house).await;
        let clock = Arc::new(Mutex::new(house.now()));
        let rules = Rules { fee_basis_points: 1_000, ..rules() };
        let engine = records::engine_on(&house.db, rules, &clock).await;
        let (_, order) = sold_by(&engine, &house, &seller, &buyer, 20_000).await;
        assert_eq!(order.fee, 2_000);
        *clock.lock().unwrap() += TimeDelta::hours(72);
        engine.act_on_order(&buyer, order.id, Action::Cancel, None).await.unwrap();
        assert_eq!(house.balances(&buyer).await, (100_000, 0));
        assert_eq!(house.balances(&seller).await, (0, 0));
    }
}

/// Sells a lamp at a price through an engine with rules of its own.
async fn sold_by(
    engine: &Arc<Engine>,
    house: &TestHouse,
    seller: &Session,
    buyer: &Session,
    price: i64,
) -> (AuctionId, order::Model) {
    let wanted = house.a_lamp();
    let lamp = engine.create_auction(seller, wanted).await.unwrap();
    let lamp = lamp.listing.id;
    let bid = bid_request(buyer.user.id, lamp, money(price), None, None);
    assert!(engine.place_bid(bid).await.unwrap().refusal.is_none());
    engine.end_auction_early(seller, lamp).await.unwrap();
    (lamp, records::order(&house.db, lamp).await.unwrap())
}

const ACTIONS: [Action; 7] = [
    Action::HandOver,
    Action::ConfirmReceipt,
    Action::Cancel,
    Action::Dispute,
    Action::PaySeller,
    Action::RefundBuyer,
    Action::Complete,
];

/// Who may do an action.
fn may(action: Action) -> Vec<&'static str> {
    match action {
        Action::HandOver => vec!["seller"],
        Action::ConfirmReceipt | Action::Cancel => vec!["buyer"],
        Action::Dispute => vec!["buyer", "seller"],
        Action::PaySeller | Action::RefundBuyer => vec!["admin"],
        Action::Complete => vec![],
    }
}

/// In which states an action may be done.
fn from(action: Action) -> Vec<OrderStatus> {
    match action {
        Action::HandOver | Action::Cancel => vec![OrderStatus::AwaitingHandover],
        Action::ConfirmReceipt | Action::Complete => vec![OrderStatus::HandedOver],
        Action::Dispute => vec![OrderStatus::AwaitingHandover, OrderStatus::HandedOver],
        Action::PaySeller | Action::RefundBuyer => vec![OrderStatus::Disputed],
    }
}

fn words(action: Action) -> Option<&'static str> {
    let says = matches!(action, Action::Dispute | Action::PaySeller | Action::RefundBuyer);
    says.then_some("words")
}

impl Sale {
    fn person(&self, name: &str) -> &Session {
        match name {
            "buyer" => &self.buyer,
            "seller" => &self.seller,
            "admin" => &self.admin,
            _ => &self.stranger,
        }
    }

    /// Everything that a move could change.
    async fn everything(&self) -> ([i64; 5], Option<order::Model>, [(i64, i64); 4]) {
        let mut balances = [(0, 0); 4];
        let people = [&self.buyer, &self.seller, &self.admin, &self.stranger];
        for (balance, who) in balances.iter_mut().zip(people) {
            *balance = self.house.balances(who).await;
        }
        let order = records::order(&self.house.db, self.lamp).await;
        (records::counts(&self.house.db).await, order, balances)
    }
}
