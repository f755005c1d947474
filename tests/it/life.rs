//! An auction from its opening to its end, by examples with a held clock: how it ends, who pays,
//! who is told. What follows the hammer is in [`orders`].

mod orders;

use chrono::TimeDelta;
use entity::{
    enums::{
        AuctionScope, AuctionStatus, EventKind, NotificationKind as Told, OrderStatus,
        TransferKind as Kind,
    },
    ids::AuctionId,
};
use neighborbid::{
    domain::refusal::Code,
    engine::{CreateAuction, Error, Session, UpdateAuction},
};

use crate::support::requests::{self, BidRequest, reason, title};
use crate::support::{
    TestDatabase, TestHouse,
    database::number_of,
    house::{code, leader, money, price, region},
    on_both, records,
};

const MOMENT: TimeDelta = TimeDelta::microseconds(1);

/// A seller without money, and two bidders with 100,000 each.
async fn three(house: &TestHouse) -> (Session, Session, Session) {
    let seller = house.person("seller", None, 0).await;
    let ann = house.person("ann", None, 100_000).await;
    let ben = house.person("ben", None, 100_000).await;
    (seller, ann, ben)
}

/// A lamp that may be bought at once for 50,000.
async fn a_buyable_lamp(house: &TestHouse, seller: &Session) -> AuctionId {
    let wanted = CreateAuction { buy_now_price: Some(money(50_000)), ..house.a_lamp() };
    house.list(seller, wanted).await
}

/// The code of a refusal by the rules; panics on anything else.
fn refused<T: std::fmt::Debug>(done: Result<T, Error>) -> Code {
    match done {
        Err(Error::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

fn forbidden<T>(done: &Result<T, Error>) -> bool {
    matches!(done, Err(Error::Forbidden(_)))
}

/// That everything of the newest moment was written by one transaction: only Postgres can tell.
async fn in_one_transaction(db: &TestDatabase, house: &TestHouse, since_sequence: i64) {
    if db.is_postgres() {
        let sql = format!(
            "SELECT COUNT(DISTINCT x) FROM (
               SELECT xmin::text AS x FROM auction_events WHERE sequence >= {since_sequence}
               UNION ALL SELECT xmin::text FROM orders
               UNION ALL SELECT xmin::text FROM notifications
               UNION ALL SELECT xmin::text FROM transfers WHERE kind = 'CAPTURE'
               UNION ALL SELECT xmin::text FROM auctions) AS written"
        );
        assert_eq!(number_of(&house.db.write, &sql).await.unwrap(), 1);
    }
}

on_both! {
    async fn sold_at_its_time_to_the_leader_at_the_price(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.bid_up_to(&ann, lamp, 10_000, 30_000).await;
        house.bid(&ben, lamp, 15_000).await;
        let ends_at = records::row(&house.db, lamp).await.ends_at;
        house.set(ends_at - MOMENT);
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 0, "not early");
        house.set(ends_at);
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1);
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 0, "once");

        assert_eq!(house.balances(&ann).await, (84_000, 0));
        assert_eq!(house.balances(&ben).await, (100_000, 0));
        assert_eq!(house.balances(&seller).await, (0, 0), "the price waits in escrow");
        assert_eq!(records::payments(&house.db, lamp).await, [
            (ann.user.id, Kind::Hold, 30_000),
            (ben.user.id, Kind::Hold, 15_000),
            (ben.user.id, Kind::Release, 15_000),
            (ann.user.id, Kind::Capture, 16_000),
            (ann.user.id, Kind::Release, 14_000),
        ]);
        let order = house.engine.order_of_auction(lamp).await.unwrap().unwrap();
        assert_eq!((order.buyer_id, order.seller_id), (ann.user.id, seller.user.id));
        assert_eq!((order.price, order.fee), (16_000, 0));
        assert_eq!((order.status, order.created_at), (OrderStatus::AwaitingHandover, ends_at));
        let last = records::events(&house.db, lamp).await.pop().unwrap();
        assert_eq!((last.kind, last.sequence, last.at), (EventKind::Sold, 5, ends_at));
        assert_eq!((last.status, last.current_price), (AuctionStatus::Sold, 16_000));
        assert_eq!(last.leader_id, Some(ann.user.id));
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Won, lamp)]);
        assert_eq!(records::notes(&house.db, &seller).await, [(Told::Sold, lamp)]);
        assert_eq!(records::notes(&house.db, &ben).await, [], "who never led lost no lead");
        in_one_transaction(db, &house, 5).await;
    }

    async fn unsold_without_a_bid(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ..) = three(&house).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.pass(TimeDelta::days(1));
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1);
        assert_eq!(records::status(&house.db, lamp).await, AuctionStatus::Unsold);
        assert_eq!(records::kinds(&house.db, lamp).await, [EventKind::Opened, EventKind::Unsold]);
        assert_eq!(records::notes(&house.db, &seller).await, [(Told::Unsold, lamp)]);
        assert!(house.engine.order_of_auction(lamp).await.unwrap().is_none());
    }

    async fn unsold_below_the_reserve_and_everything_released(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let wanted = CreateAuction { reserve_price: Some(money(40_000)), ..house.a_lamp() };
        let lamp = house.list(&seller, wanted).await;
        house.bid(&ben, lamp, 10_000).await;
        house.bid_up_to(&ann, lamp, 11_000, 39_999).await;
        assert_eq!(house.balances(&ann).await, (60_001, 39_999));
        house.pass(TimeDelta::days(1));
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1);
        assert_eq!(records::status(&house.db, lamp).await, AuctionStatus::Unsold);
        assert_eq!(house.balances(&ann).await, (100_000, 0));
        assert_eq!(records::notes(&house.db, &seller).await, [(Told::Unsold, lamp)]);
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Unsold, lamp)]);
        assert_eq!(records::notes(&house.db, &ben).await, [(Told::Outbid, lamp)]);
        assert!(house.engine.order_of_auction(lamp).await.unwrap().is_none());
    }

    async fn a_reserve_that_is_met_sells(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, _) = three(&house).await;
        let wanted = CreateAuction { reserve_price: Some(money(40_000)), ..house.a_lamp() };
        let lamp = house.list(&seller, wanted).await;
        house.bid_up_to(&ann, lamp, 11_000, 40_000).await;
        house.pass(TimeDelta::days(1));
        house.engine.turn_due_auctions().await.unwrap();
        assert_eq!(records::order(&house.db, lamp).await.unwrap().price, 40_000);
        assert_eq!(house.balances(&ann).await, (60_000, 0));
    }

    async fn a_bid_at_the_end_is_too_late_though_the_closer_is_later(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.bid(&ann, lamp, 10_000).await;
        let ends_at = records::row(&house.db, lamp).await.ends_at;
        let before = records::counts(&house.db).await;
        for late in [TimeDelta::zero(), MOMENT, TimeDelta::days(3)] {
            house.set(ends_at + late);
            let outcome = house.bid(&ben, lamp, 50_000).await;
            assert_eq!(code(&outcome), Some(Code::AuctionEnded), "{late} late");
            assert_eq!((price(&outcome), leader(&outcome)), (10_000, Some(ann.user.id)));
            let purchase = BidRequest::buy_now(ben.user.id, lamp);
            let bought = house.engine.place_bid(purchase).await.unwrap();
            assert_eq!(code(&bought), Some(Code::AuctionEnded));
        }
        assert_eq!(records::counts(&house.db).await, before);
        assert_eq!(records::row(&house.db, lamp).await.ends_at, ends_at, "and extends nothing");
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1);
        let order = records::order(&house.db, lamp).await.unwrap();
        assert_eq!((order.buyer_id, order.price), (ann.user.id, 10_000));
        assert_eq!(code(&house.bid(&ben, lamp, 50_000).await), Some(Code::AuctionEnded));
    }

    async fn overdue_from_before_its_opening_it_opens_and_ends_in_order(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ..) = three(&house).await;
        let starts_at = Some(house.now() + TimeDelta::hours(1));
        let lamp = house.list(&seller, CreateAuction { starts_at, ..house.a_lamp() }).await;
        assert_eq!(house.engine.next_deadline().await.unwrap().0, starts_at);
        house.pass(TimeDelta::days(9));
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1);
        assert_eq!(records::kinds(&house.db, lamp).await, [EventKind::Opened, EventKind::Unsold]);
        assert_eq!(house.engine.next_deadline().await.unwrap().0, None);
    }

    async fn a_bid_that_reaches_the_buy_now_price_has_bought(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let lamp = a_buyable_lamp(&house, &seller).await;
        house.bid(&ann, lamp, 10_000).await;
        let outcome = house.bid(&ben, lamp, 70_000).await;
        assert_eq!((code(&outcome), price(&outcome)), (None, 50_000));
        assert_eq!(outcome.auction.unwrap().1.status, AuctionStatus::Sold);
        assert_eq!(outcome.bid.unwrap().amount, money(50_000), "nobody pays more than that");
        assert_eq!(house.balances(&ann).await, (100_000, 0));
        assert_eq!(house.balances(&ben).await, (50_000, 0));
        let events = records::events(&house.db, lamp).await;
        let seen: Vec<_> = events.iter().map(|e| (e.kind, e.status, e.current_price)).collect();
        assert_eq!(seen[2..], [
            (EventKind::BidPlaced, AuctionStatus::Open, 50_000),
            (EventKind::Sold, AuctionStatus::Sold, 50_000),
        ]);
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Outbid, lamp)]);
        assert_eq!(records::notes(&house.db, &ben).await, [(Told::Won, lamp)]);
        assert_eq!(records::notes(&house.db, &seller).await, [(Told::Sold, lamp)]);
        assert_eq!(records::order(&house.db, lamp).await.unwrap().price, 50_000);
        in_one_transaction(db, &house, 3).await;
        house.pass(TimeDelta::days(1));
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 0, "it has ended already");
    }

    async fn a_defence_that_reaches_the_buy_now_price_has_bought(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let lamp = a_buyable_lamp(&house, &seller).await;
        house.bid_up_to(&ann, lamp, 10_000, 60_000).await;
        let outcome = house.bid(&ben, lamp, 49_500).await;
        assert_eq!((code(&outcome), price(&outcome)), (None, 50_000));
        assert_eq!(leader(&outcome), Some(ann.user.id));
        assert_eq!(house.balances(&ann).await, (50_000, 0));
        assert_eq!(house.balances(&ben).await, (100_000, 0));
        assert_eq!(records::kinds(&house.db, lamp).await[2..], [
            EventKind::BidPlaced, EventKind::BidPlaced, EventKind::Sold,
        ]);
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Won, lamp)]);
        assert_eq!(records::notes(&house.db, &ben).await, []);
        in_one_transaction(db, &house, 3).await;
    }

    async fn the_leaders_own_raise_may_buy(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, _) = three(&house).await;
        let lamp = a_buyable_lamp(&house, &seller).await;
        house.bid_up_to(&ann, lamp, 10_000, 30_000).await;
        let outcome = house.bid(&ann, lamp, 50_000).await;
        assert_eq!((code(&outcome), price(&outcome)), (None, 50_000));
        assert_eq!(outcome.auction.unwrap().1.status, AuctionStatus::Sold);
        assert_eq!(house.balances(&ann).await, (50_000, 0));
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Won, lamp)]);
    }

    async fn a_newcomer_buys_at_once(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, _) = three(&house).await;
        let cat = house.person("cat", None, 50_000).await;
        let lamp = a_buyable_lamp(&house, &seller).await;
        house.bid_up_to(&ann, lamp, 10_000, 40_000).await;
        let outcome = house.engine.place_bid(BidRequest::buy_now(cat.user.id, lamp)).await.unwrap();
        assert_eq!((code(&outcome), price(&outcome)), (None, 50_000));
        assert_eq!(outcome.bid.unwrap().amount, money(50_000));
        assert_eq!(house.balances(&ann).await, (100_000, 0));
        assert_eq!(house.balances(&cat).await, (0, 0));
        let kinds = records::kinds(&house.db, lamp).await;
        assert_eq!(kinds[2..], [EventKind::BidPlaced, EventKind::Sold]);
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Outbid, lamp)]);
        assert_eq!(records::notes(&house.db, &cat).await, [(Told::Won, lamp)]);
        assert_eq!(records::order(&house.db, lamp).await.unwrap().buyer_id, cat.user.id);
        in_one_transaction(db, &house, 3).await;
        let again = house.engine.place_bid(BidRequest::buy_now(ann.user.id, lamp)).await.unwrap();
        assert_eq!(code(&again), Some(Code::AuctionEnded), "its price is reached: it is sold");
    }

    async fn the_leader_buys_at_once_with_what_is_held(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ..) = three(&house).await;
        let cat = house.person("cat", None, 50_000).await;
        let lamp = a_buyable_lamp(&house, &seller).await;
        house.bid_up_to(&cat, lamp, 10_000, 30_000).await;
        let outcome = house.engine.place_bid(BidRequest::buy_now(cat.user.id, lamp)).await.unwrap();
        assert_eq!((code(&outcome), price(&outcome)), (None, 50_000));
        assert_eq!(house.balances(&cat).await, (0, 0));
        assert_eq!(records::notes(&house.db, &cat).await, [(Told::Won, lamp)], "not OUTBID");
    }

    async fn a_refused_purchase_changes_nothing(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let home = Some("11110101");
        let seller = house.person("seller", home, 100_000).await;
        let ann = house.person("ann", home, 100_000).await;
        let poor = house.person("poor", home, 49_999).await;
        let stranger = house.person("stranger", Some("11140"), 100_000).await;
        let blocked = house.person("blocked", home, 100_000).await;
        house.engine.set_blocked(seller.user.id, blocked.user.id, true).await.unwrap();
        let near = CreateAuction {
            scope: AuctionScope::Regional,
            region: Some(region("11110")),
            buy_now_price: Some(money(50_000)),
            ..house.a_lamp()
        };
        let later = CreateAuction {
            starts_at: Some(house.now() + TimeDelta::hours(1)),
            buy_now_price: Some(money(50_000)),
            ..house.a_lamp()
        };
        let lamp = house.list(&seller, near).await;
        let plain = house.list(&seller, house.a_lamp()).await;
        let later = house.list(&seller, later).await;
        house.bid(&ann, lamp, 10_000).await;
        let before = records::counts(&house.db).await;
        for (who, what, why) in [
            (&seller, lamp, Code::SellerCannotBid),
            (&blocked, lamp, Code::BidderBlocked),
            (&stranger, lamp, Code::OutOfRegion),
            (&poor, lamp, Code::InsufficientFunds),
            (&ann, plain, Code::BuyNowUnavailable),
            (&ann, later, Code::AuctionNotOpen),
            (&ann, AuctionId::new(), Code::AuctionNotFound),
        ] {
            let purchase = BidRequest::buy_now(who.user.id, what);
            let outcome = house.engine.place_bid(purchase).await.unwrap();
            assert_eq!(code(&outcome), Some(why));
            assert!(outcome.bid.is_none());
        }
        assert_eq!(records::counts(&house.db).await, before);
        assert_eq!(house.balances(&poor).await, (49_999, 0));
        assert_eq!(house.balances(&ann).await, (90_000, 10_000));
    }

    async fn without_bids_a_seller_cancels_until_the_end(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, _) = three(&house).await;
        let later = Some(house.now() + TimeDelta::hours(1));
        let later = CreateAuction { starts_at: later, ..house.a_lamp() };
        let scheduled = house.list(&seller, later).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let over = house.list(&seller, house.a_lamp()).await;
        house.engine.cancel_auction(&seller, scheduled, reason("broken")).await.unwrap();
        let ends_at = records::row(&house.db, lamp).await.ends_at;
        house.set(ends_at - MOMENT);
        assert!(forbidden(&house.engine.cancel_auction(&ann, lamp, reason("mine")).await));
        let view = house.engine.cancel_auction(&seller, lamp, reason(" lost it ")).await.unwrap();
        assert_eq!(view.state.status, AuctionStatus::Cancelled);
        let row = records::row(&house.db, lamp).await;
        assert_eq!(row.status, AuctionStatus::Cancelled);
        assert_eq!(row.cancel_reason.as_deref(), Some("lost it"));
        house.set(ends_at);
        let late = house.engine.cancel_auction(&seller, over, reason("late")).await;
        assert_eq!(refused(late), Code::AuctionEnded);
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1, "only the third");
        assert_eq!(records::kinds(&house.db, scheduled).await, [EventKind::Cancelled]);
    }

    async fn with_bids_a_seller_cancels_until_twelve_hours_before_the_end(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let late = house.list(&seller, house.a_lamp()).await;
        for auction in [lamp, late] {
            house.bid(&ann, auction, 10_000).await;
            house.bid_up_to(&ben, auction, 11_000, 20_000).await;
        }
        let cutoff = records::row(&house.db, lamp).await.ends_at - TimeDelta::hours(12);
        house.set(cutoff);
        assert!(forbidden(&house.engine.cancel_auction(&ann, lamp, reason("mine")).await));
        house.engine.cancel_auction(&seller, lamp, reason("사정이 생겼습니다")).await.unwrap();
        assert_eq!(house.balances(&ann).await, (100_000, 0));
        assert_eq!(house.balances(&ben).await, (80_000, 20_000), "the other's hold stays");
        let told = [Told::Outbid, Told::AuctionCancelled];
        assert_eq!(records::told(&house.db, &ann, lamp).await, told);
        assert_eq!(records::told(&house.db, &ben, lamp).await, [Told::AuctionCancelled]);
        assert_eq!(records::told(&house.db, &seller, lamp).await, []);
        assert_eq!(records::kinds(&house.db, lamp).await.last(), Some(&EventKind::Cancelled));

        house.set(cutoff + MOMENT);
        let before = records::counts(&house.db).await;
        let done = house.engine.cancel_auction(&seller, late, reason("too late")).await;
        assert_eq!(refused(done), Code::TooLateToCancel);
        assert_eq!(records::counts(&house.db).await, before);
        assert_eq!(records::status(&house.db, late).await, AuctionStatus::Open);
    }

    async fn a_seller_sells_early_to_the_leader(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, _) = three(&house).await;
        let wanted = CreateAuction { reserve_price: Some(money(20_000)), ..house.a_lamp() };
        let lamp = house.list(&seller, wanted).await;
        assert_eq!(refused(house.engine.end_auction_early(&seller, lamp).await), Code::NoBids);
        house.bid(&ann, lamp, 19_999).await;
        let low = house.engine.end_auction_early(&seller, lamp).await;
        assert_eq!(refused(low), Code::ReserveNotMet);
        house.bid_up_to(&ann, lamp, 19_999, 30_000).await;
        assert!(forbidden(&house.engine.end_auction_early(&ann, lamp).await));
        let unknown = house.engine.end_auction_early(&seller, AuctionId::new()).await;
        assert_eq!(refused(unknown), Code::AuctionNotFound);
        house.pass(TimeDelta::minutes(5));
        let view = house.engine.end_auction_early(&seller, lamp).await.unwrap();
        assert_eq!((view.state.status, view.state.price), (AuctionStatus::Sold, money(20_000)));
        assert_eq!(house.balances(&ann).await, (80_000, 0));
        assert_eq!(records::order(&house.db, lamp).await.unwrap().created_at, house.now());
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Won, lamp)]);
        assert_eq!(records::notes(&house.db, &seller).await, [(Told::Sold, lamp)]);
        in_one_transaction(db, &house, 4).await;
    }

    async fn an_edit_that_changes_nothing_is_no_event(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let id = house.list(&seller, house.a_lamp()).await;
        let edit = |title: &str| {
            let title = Some(requests::title(title));
            UpdateAuction { id, title, description: None, category: None }
        };
        let view = house.engine.update_auction(&seller, edit("Another lamp")).await.unwrap();
        assert_eq!(view.state.sequence, 2);
        let before = records::counts(&house.db).await;
        for title in ["Another lamp", " Another lamp "] {
            let view = house.engine.update_auction(&seller, edit(title)).await.unwrap();
            assert_eq!((view.state.sequence, view.listing.title.as_str()), (2, "Another lamp"));
        }
        assert_eq!(records::counts(&house.db).await, before);
    }

    async fn nothing_moves_an_auction_that_has_ended(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, _) = three(&house).await;
        let sold = house.list(&seller, house.a_lamp()).await;
        let cancelled = house.list(&seller, house.a_lamp()).await;
        let unsold = house.list(&seller, house.a_lamp()).await;
        house.bid(&ann, sold, 10_000).await;
        house.engine.cancel_auction(&seller, cancelled, reason("broken")).await.unwrap();
        house.pass(TimeDelta::days(1));
        house.engine.turn_due_auctions().await.unwrap();
        house.set(house.now() - TimeDelta::hours(20));
        let before = records::counts(&house.db).await;
        for id in [sold, cancelled, unsold] {
            let title = Some(title("x"));
            let edit = UpdateAuction { id, title, description: None, category: None };
            let edited = house.engine.update_auction(&seller, edit).await;
            assert_eq!(refused(edited), Code::AuctionEnded);
            let cancelled = house.engine.cancel_auction(&seller, id, reason("x")).await;
            assert_eq!(refused(cancelled), Code::AuctionEnded);
            let sold = house.engine.end_auction_early(&seller, id).await;
            assert_eq!(refused(sold), Code::AuctionEnded);
            assert_eq!(code(&house.bid(&ann, id, 90_000).await), Some(Code::AuctionEnded));
        }
        assert_eq!(records::counts(&house.db).await, before);
    }

    async fn late_bids_move_the_end_up_to_the_cap(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let wanted = CreateAuction {
            soft_close_extension: Some(TimeDelta::minutes(15)),
            ..house.a_lamp()
        };
        let lamp = house.list(&seller, wanted).await;
        let scheduled = records::row(&house.db, lamp).await.ends_at;
        let (mut ends_at, mut amount) = (scheduled, 10_000);
        for (turn, bidder) in [&ann, &ben].into_iter().cycle().take(6).enumerate() {
            house.set(ends_at - TimeDelta::seconds(10));
            let outcome = house.bid(bidder, lamp, amount).await;
            assert_eq!(code(&outcome), None);
            let expected = house.now() + TimeDelta::minutes(15);
            let cap = scheduled + TimeDelta::hours(1);
            let former = std::mem::replace(&mut ends_at, outcome.auction.unwrap().1.ends_at);
            assert_eq!(ends_at, expected.min(cap), "turn {turn}");
            if ends_at > former {
                house.set(former);
                assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 0, "turn {turn}");
            }
            amount += 1_000;
        }
        assert_eq!(ends_at, scheduled + TimeDelta::hours(1), "the cap was reached");
        house.set(ends_at);
        assert_eq!(code(&house.bid(&ann, lamp, 50_000).await), Some(Code::AuctionEnded));
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1);
        let order = records::order(&house.db, lamp).await.unwrap();
        assert_eq!((order.buyer_id, order.price), (ben.user.id, 15_000));
    }

    async fn who_loses_the_lead_is_told_and_nobody_else(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let (seller, ann, ben) = three(&house).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.bid(&ann, lamp, 10_000).await;
        house.bid_up_to(&ben, lamp, 11_000, 30_000).await;
        house.bid(&ann, lamp, 12_000).await;
        house.bid_up_to(&ben, lamp, 20_000, 40_000).await;
        house.bid(&ann, lamp, 12_000).await;
        assert_eq!(records::notes(&house.db, &ann).await, [(Told::Outbid, lamp)]);
        assert_eq!(records::notes(&house.db, &ben).await, []);
        house.bid(&ann, lamp, 41_000).await;
        assert_eq!(records::notes(&house.db, &ben).await, [(Told::Outbid, lamp)]);
        assert_eq!(records::notes(&house.db, &seller).await, []);
    }
}
