//! Placing bids through the engine: saved, held, released, repeated, refused.

use chrono::TimeDelta;
use entity::enums::AuctionScope;
use neighborbid::{
    domain::refusal::Code,
    engine::{CreateAuction, Error, UpdateAuction},
    store::page::Page,
};

use crate::support::requests::{self, bid_request};
use crate::support::{
    TestHouse,
    house::{code, leader, money, price},
    on_both,
};

on_both! {
    async fn outbid_releases_the_former_leaders_hold(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let ben = house.person("ben", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let first = house.bid(&ann, lamp, 10_000).await;
        assert_eq!((code(&first), price(&first)), (None, 10_000));
        assert_eq!(leader(&first), Some(ann.user.id));
        assert_eq!(house.balances(&ann).await, (90_000, 10_000));
        let second = house.bid_up_to(&ben, lamp, 11_000, 20_000).await;
        assert_eq!((code(&second), price(&second)), (None, 11_000));
        assert_eq!(leader(&second), Some(ben.user.id));
        assert_eq!(house.balances(&ann).await, (100_000, 0));
        assert_eq!(house.balances(&ben).await, (80_000, 20_000));
    }

    async fn an_automatic_bid_answers_in_the_leaders_name(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let ben = house.person("ben", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.bid_up_to(&ann, lamp, 10_000, 30_000).await;
        let outcome = house.bid(&ben, lamp, 15_000).await;
        assert_eq!(
            (code(&outcome), price(&outcome), leader(&outcome)),
            (None, 16_000, Some(ann.user.id)),
        );
        assert_eq!(outcome.bid.as_ref().unwrap().amount, money(15_000));
        assert_eq!(house.balances(&ben).await, (100_000, 0));
        assert_eq!(house.balances(&ann).await, (70_000, 30_000));
        let page =
            Page { after: None, before: None, size: 10, backwards: false };
        let bids = house.engine.bids_of_auction(lamp, &page).await.unwrap();
        let seen: Vec<_> = bids
            .iter()
            .map(|b| (b.sequence, b.amount.minor(), b.is_automatic))
            .collect();
        assert_eq!(seen, [(4, 16_000, true), (3, 15_000, false), (2, 10_000, false)]);
    }

    async fn a_refusal_changes_nothing_and_shows_the_auction(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", Some("11110"), 100_000).await;
        let ann = house.person("ann", Some("11140"), 12_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        house.bid(&ann, lamp, 10_000).await;
        let poor = house.person("poor", None, 10_999).await;
        let blocked = house.person("blocked", None, 50_000).await;
        house.engine.set_blocked(seller.user.id, blocked.user.id, true).await.unwrap();
        for (who, amount, refusal) in [
            (&seller, 11_000, Code::SellerCannotBid),
            (&blocked, 11_000, Code::BidderBlocked),
            (&poor, 10_999, Code::BidTooLow),
            (&poor, 11_000, Code::InsufficientFunds),
        ] {
            let outcome = house.bid(who, lamp, amount).await;
            assert_eq!(code(&outcome), Some(refusal));
            assert!(outcome.bid.is_none());
            let state = outcome.auction.unwrap().1;
            assert_eq!(
                (state.price, state.minimum_bid, state.sequence),
                (money(10_000), money(11_000), 2),
            );
        }
        house.engine.set_blocked(seller.user.id, blocked.user.id, false).await.unwrap();
        assert_eq!(code(&house.bid(&blocked, lamp, 11_000).await), None);
        let unknown = house.bid(&ann, entity::ids::AuctionId::new(), 11_000).await;
        assert_eq!(code(&unknown), Some(Code::AuctionNotFound));
        assert!(unknown.auction.is_none());
    }

    async fn a_regional_auction_is_for_neighbours(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", Some("11110101"), 0).await;
        let wanted = CreateAuction {
            scope: AuctionScope::Regional,
            region: Some(crate::support::house::region("11110")),
            ..house.a_lamp()
        };
        let lamp = house.list(&seller, wanted).await;
        for (home, refusal) in [
            (Some("11110102"), None),
            (Some("11110"), Some(Code::OutOfRegion)),
            (Some("11140"), Some(Code::OutOfRegion)),
            (None, Some(Code::OutOfRegion)),
        ] {
            // The leader comes first; the district's own may bid too, but below the minimum here.
            let name = format!("from{}", home.unwrap_or("nowhere"));
            let who = house.person(&name, home, 50_000).await;
            let outcome = house.bid(&who, lamp, 10_000).await;
            let expected = if home == Some("11110") { Some(Code::BidTooLow) } else { refusal };
            assert_eq!(code(&outcome), expected, "{home:?}");
        }
    }

    async fn a_repeated_key_answers_the_first_time_again(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let ben = house.person("ben", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let ask = |amount| bid_request(ann.user.id, lamp, money(amount), None, Some("열쇠"));
        let refused = house.engine.place_bid(ask(9_000)).await.unwrap();
        assert_eq!(code(&refused), Some(Code::BidTooLow), "a refusal is not remembered");
        let first = house.engine.place_bid(ask(10_000)).await.unwrap();
        house.bid(&ben, lamp, 11_000).await;
        let again = house.engine.place_bid(ask(10_000)).await.unwrap();
        assert_eq!(again.bid, first.bid);
        assert_eq!(again.auction, first.auction, "as it was right after the first");
        let other = house.engine.place_bid(ask(12_000)).await.unwrap();
        assert_eq!(code(&other), Some(Code::IdempotencyMismatch));
        assert_eq!(house.balances(&ann).await, (100_000, 0));
        house.pass(TimeDelta::days(2));
        let late = house.engine.place_bid(ask(10_000)).await.unwrap();
        assert_eq!(late.bid, first.bid, "also after the end");
    }

    async fn a_raise_holds_the_difference_and_is_no_event(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let first = house.bid(&ann, lamp, 10_000).await;
        let raise = house.bid_up_to(&ann, lamp, 10_000, 25_000).await;
        assert_eq!((code(&raise), price(&raise)), (None, 10_000));
        assert_eq!(raise.bid, first.bid, "it answers with the bid that was raised");
        assert_eq!(raise.auction.unwrap().1.sequence, 2);
        assert_eq!(house.balances(&ann).await, (75_000, 25_000));
        let same = house.bid_up_to(&ann, lamp, 10_000, 25_000).await;
        assert_eq!(code(&same), Some(Code::BidTooLow));
        let both = house.bid_up_to(&ann, lamp, 12_000, 12_000).await;
        assert_eq!((code(&both), price(&both)), (None, 12_000));
        assert_eq!(house.balances(&ann).await, (75_000, 25_000));
    }

    async fn a_scheduled_auction_opens_when_its_time_comes(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let starts_at = house.now() + TimeDelta::hours(1);
        let later = CreateAuction { starts_at: Some(starts_at), ..house.a_lamp() };
        let (lamp, other) =
            (house.list(&seller, later.clone()).await, house.list(&seller, later).await);
        assert_eq!(code(&house.bid(&ann, lamp, 10_000).await), Some(Code::AuctionNotOpen));
        assert_eq!(house.engine.next_deadline().await.unwrap().0, Some(starts_at));
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 0);
        house.set(starts_at);
        // A bid in time finds it open, even though nobody opened it.
        let bid = house.bid(&ann, lamp, 10_000).await;
        assert_eq!((code(&bid), bid.auction.unwrap().1.sequence), (None, 2));
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 1, "the other one");
        assert_eq!(house.engine.turn_due_auctions().await.unwrap(), 0);
        let view = house.engine.auction(other).await.unwrap().unwrap();
        assert_eq!(
            (view.state.status, view.state.sequence),
            (entity::enums::AuctionStatus::Open, 1),
        );
    }

    async fn words_change_only_before_the_first_bid(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let lamp = house.list(&seller, house.a_lamp()).await;
        let words = |title: &str| UpdateAuction {
            id: lamp,
            title: Some(requests::title(title)),
            description: None,
            category: Some(entity::ids::CategoryId("lighting".to_owned())),
        };
        let edited = house.engine.update_auction(&seller, words("새 램프")).await.unwrap();
        assert_eq!((edited.listing.title.as_str(), edited.state.sequence), ("새 램프", 2));
        let foreign = house.engine.update_auction(&ann, words("mine")).await;
        assert!(matches!(foreign, Err(Error::Forbidden(_))));
        house.bid(&ann, lamp, 10_000).await;
        let late = house.engine.update_auction(&seller, words("too late")).await;
        assert!(matches!(late, Err(Error::Refused(r)) if r.code == Code::AuctionHasBids));
    }
}
