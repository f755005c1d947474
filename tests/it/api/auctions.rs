//! Listing, editing, bidding and blocking: what is refused, by which code and at which field.

use chrono::{TimeDelta, Utc};
use entity::ids::{AuctionId, UserId};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::open;
use crate::support::{
    api::{Client, lamp},
    on_both,
};

const WHOLE: &str = "auction { id title description condition shippingPayer scope
    region { code } category { slug } startingPrice currentPrice minimumBid bidUnit
    reserveStatus bidCount startsAt endsAt status sequence seller { username } leader { id } }";

fn after(time: TimeDelta) -> Value {
    json!((Utc::now() + time).to_rfc3339())
}

async fn create(who: &Client, changed: Value) -> Vec<String> {
    let reply = who.mutate("createAuction", lamp(changed), "auction { id }").await;
    let refusals = reply.refusals();
    assert_eq!(reply.at("/data/done/auction").is_null(), !refusals.is_empty());
    refusals
}

/// The sixtieth second of a minute, in so many days.
fn leap_second(days: i64) -> String {
    (chrono::Utc::now() + TimeDelta::days(days)).format("%FT%H:%M:60Z").to_string()
}

on_both! {
    async fn each_unfit_field_of_an_auction_is_refused_by_its_name(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", Some("11110101")).await;
        let (days, minutes, seconds) = (TimeDelta::days, TimeDelta::minutes, TimeDelta::seconds);
        let regional = |region: &str| json!({ "scope": "REGIONAL", "region": region });
        for (changed, refusal) in [
            (json!({ "title": "" }), "INVALID_TITLE at title"),
            (json!({ "title": " \t " }), "INVALID_TITLE at title"),
            (json!({ "title": "가".repeat(101) }), "INVALID_TITLE at title"),
            (json!({ "title": "two\nlines" }), "INVALID_TITLE at title"),
            (json!({ "title": "nu\0l" }), "INVALID_TITLE at title"),
            (json!({ "description": "가".repeat(10_001) }), "INVALID_DESCRIPTION at description"),
            (json!({ "description": "bell\u{7}" }), "INVALID_DESCRIPTION at description"),
            (json!({ "description": "nu\0l" }), "INVALID_DESCRIPTION at description"),
            (json!({ "category": "cat_nothing" }), "CATEGORY_NOT_FOUND at category"),
            (json!({ "category": "furniture" }), "CATEGORY_NOT_FOUND at category"),
            (json!({ "category": "" }), "CATEGORY_NOT_FOUND at category"),
            (regional("reg_99"), "REGION_NOT_FOUND at region"),
            (regional("11110"), "REGION_NOT_FOUND at region"),
            (regional("reg_1"), "REGION_NOT_FOUND at region"),
            (regional("reg_26"), "REGION_NOT_YOURS at region"),
            (regional("reg_11140"), "REGION_NOT_YOURS at region"),
            (regional("reg_11110102"), "REGION_NOT_YOURS at region"),
            (json!({ "region": "reg_26" }), "REGION_NOT_YOURS at region"),
            (json!({ "startingPrice": "0" }), "INVALID_AMOUNT at startingPrice"),
            (json!({ "startingPrice": "-5" }), "INVALID_AMOUNT at startingPrice"),
            (json!({ "startingPrice": "1.5" }), "INVALID_AMOUNT at startingPrice"),
            (json!({ "startingPrice": "만원" }), "INVALID_AMOUNT at startingPrice"),
            (json!({ "startingPrice": "1000000000000001" }), "INVALID_AMOUNT at startingPrice"),
            (json!({ "bidUnit": "0" }), "INVALID_AMOUNT at bidUnit"),
            (json!({ "bidUnit": "1e3" }), "INVALID_AMOUNT at bidUnit"),
            (json!({ "reservePrice": "0" }), "INVALID_AMOUNT at reservePrice"),
            (json!({ "bidUnit": "3000" }), "INVALID_PRICE at startingPrice"),
            (json!({ "reservePrice": "9999" }), "INVALID_PRICE at reservePrice"),
            (json!({ "bidUnit": 5000, "reservePrice": 12000 }), "INVALID_PRICE at reservePrice"),
            (json!({ "endsAt": after(seconds(50)) }), "INVALID_TIME at endsAt"),
            (json!({ "endsAt": after(days(-1)) }), "INVALID_TIME at endsAt"),
            (json!({ "endsAt": after(days(30) + minutes(1)) }), "INVALID_TIME at endsAt"),
            (json!({ "endsAt": "+262142-01-01T00:00:00Z" }), "INVALID_TIME at endsAt"),
            (json!({ "startsAt": after(days(1)) }), "INVALID_TIME at endsAt"),
            (json!({ "endsAt": leap_second(1) }), "INVALID_TIME at endsAt"),
            (json!({ "startsAt": leap_second(1), "endsAt": after(days(9)) }),
                "INVALID_TIME at startsAt"),
            (json!({ "startsAt": after(days(91)), "endsAt": after(days(92)) }),
                "INVALID_TIME at startsAt"),
            (json!({ "softCloseWindowSeconds": -1 }),
                "INVALID_SOFT_CLOSE at softCloseWindowSeconds"),
            (json!({ "softCloseWindowSeconds": 3_601 }),
                "INVALID_SOFT_CLOSE at softCloseWindowSeconds"),
            (json!({ "softCloseExtensionSeconds": 3_601 }),
                "INVALID_SOFT_CLOSE at softCloseExtensionSeconds"),
            (json!({ "softCloseExtensionSeconds": -2_147_483_648_i64 }),
                "INVALID_SOFT_CLOSE at softCloseExtensionSeconds"),
        ] {
            assert_eq!(create(&seller, changed.clone()).await, [refusal], "{changed}");
        }
        let homeless = client.sign_up("homeless", None).await;
        let regional = json!({ "scope": "REGIONAL" });
        assert_eq!(create(&homeless, regional).await, ["REGION_REQUIRED at region"]);
        let given = json!({ "scope": "REGIONAL", "region": "reg_11" });
        assert_eq!(create(&homeless, given).await, ["REGION_NOT_YOURS at region"]);
        let listed = client.ask("{ auctions { nodes { id } } }").await;
        assert_eq!(listed.at("/data/auctions/nodes"), &json!([]), "nothing was listed");
        house.close().await.unwrap();
    }

    async fn what_is_not_of_its_type_is_bad_input(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        for changed in [
            json!({ "title": null }),
            json!({ "title": 5 }),
            json!({ "condition": "OLD" }),
            json!({ "scope": "regional" }),
            json!({ "endsAt": "tomorrow" }),
            json!({ "endsAt": 1_900_000_000 }),
            json!({ "startingPrice": 10.5 }),
            json!({ "bidUnit": true }),
            json!({ "softCloseWindowSeconds": "60" }),
            json!({ "softCloseWindowSeconds": 2_147_483_648_i64 }),
            json!({ "nonsense": 1 }),
        ] {
            let reply = seller.mutate("createAuction", lamp(changed.clone()), WHOLE).await;
            assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{changed}: {}", reply.text);
        }
        house.close().await.unwrap();
    }

    async fn an_auction_is_as_its_seller_listed_it(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("판매자", Some("11110101")).await;
        let ends_at = Utc::now() + TimeDelta::days(29);
        let input = json!({
            "title": "  달항아리 Moon jar  ", "description": "line\r\nline\ttab ",
            "category": "cat_lighting", "condition": "USED_S", "shippingPayer": "SELLER",
            "scope": "REGIONAL", "region": "reg_11", "startingPrice": 15_000, "bidUnit": "5000",
            "reservePrice": "20000", "endsAt": ends_at.to_rfc3339(),
            "softCloseWindowSeconds": 0, "softCloseExtensionSeconds": 3_600,
        });
        let reply = seller.mutate("createAuction", input, WHOLE).await;
        let auction = reply.at("/data/done/auction");
        for (pointer, value) in [
            ("/title", json!("달항아리 Moon jar")),
            ("/description", json!("line\r\nline\ttab")),
            ("/category/slug", json!("lighting")),
            ("/condition", json!("USED_S")),
            ("/shippingPayer", json!("SELLER")),
            ("/scope", json!("REGIONAL")),
            ("/region/code", json!("11")),
            ("/startingPrice", json!("15000")),
            ("/currentPrice", json!("15000")),
            ("/minimumBid", json!("15000")),
            ("/bidUnit", json!("5000")),
            ("/reserveStatus", json!("NOT_MET")),
            ("/status", json!("OPEN")),
            ("/sequence", json!(1)),
            ("/bidCount", json!(0)),
            ("/leader", json!(null)),
            ("/seller/username", json!("판매자")),
        ] {
            assert_eq!(auction.pointer(pointer), Some(&value), "{pointer}");
        }
        let told = auction["endsAt"].as_str().unwrap().parse::<chrono::DateTime<Utc>>().unwrap();
        assert_eq!(told.timestamp_micros(), ends_at.timestamp_micros());
        let id = auction["id"].as_str().unwrap();
        let again = client.ask(&format!("{{ node(id: {id:?}) {{ ... on Auction {} }} }}",
            WHOLE.trim_start_matches("auction "))).await;
        assert_eq!(again.at("/data/node"), auction, "as it is read again");
        house.close().await.unwrap();
    }

    async fn only_its_seller_edits_an_auction_and_only_its_words(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let other = client.sign_up("other", None).await;
        let id = seller.list(json!({ "category": "cat_lighting" })).await;
        let edit = async |who: &Client, input: Value| {
            who.mutate("updateAuction", input, WHOLE).await
        };
        let reply = edit(&other, json!({ "id": id, "title": "mine" })).await;
        assert_eq!(reply.code(), Some("FORBIDDEN"), "{}", reply.text);
        let unknown = AuctionId::new().to_string();
        for (input, refusal) in [
            (json!({ "id": unknown, "title": "x" }), "AUCTION_NOT_FOUND at id"),
            (json!({ "id": "nothing", "title": "x" }), "AUCTION_NOT_FOUND at id"),
            (json!({ "id": id.replace("auc_", "bid_") }), "AUCTION_NOT_FOUND at id"),
            (json!({ "id": id, "title": " " }), "INVALID_TITLE at title"),
            (json!({ "id": id, "description": "\u{7}" }), "INVALID_DESCRIPTION at description"),
            (json!({ "id": id, "category": "cat_x" }), "CATEGORY_NOT_FOUND at category"),
            (json!({ "id": id, "category": "x" }), "CATEGORY_NOT_FOUND at category"),
        ] {
            let reply = edit(&seller, input.clone()).await;
            assert_eq!(reply.refusals(), [refusal], "{input}");
            assert!(reply.at("/data/done/auction").is_null());
        }
        let reply = edit(&seller, json!({ "id": id, "startingPrice": 1 })).await;
        assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{}", reply.text);
        let reply = edit(&seller, json!({ "id": id, "title": "새 램프" })).await;
        assert_eq!(reply.text_at("/data/done/auction/title"), "새 램프");
        assert_eq!(reply.text_at("/data/done/auction/description"), "A brass lamp.");
        assert_eq!(reply.text_at("/data/done/auction/category/slug"), "lighting");
        other.deposit(50_000).await;
        assert!(other.bid(&id, 10_000).await.refusals().is_empty());
        let reply = edit(&seller, json!({ "id": id, "title": "too late" })).await;
        assert_eq!(reply.refusals(), ["AUCTION_HAS_BIDS"]);
        house.close().await.unwrap();
    }

    async fn a_bid_on_no_auction_or_of_no_amount_is_refused(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let who = client.sign_up("bidder", None).await;
        who.deposit(50_000).await;
        let id = seller.list(json!({ "bidUnit": 5_000 })).await;
        let user = who.id().await;
        let long_key = "x".repeat(201);
        let unknown = AuctionId::new().to_string();
        for (input, refusal) in [
            (json!({ "auctionId": unknown, "amount": 1 }), "AUCTION_NOT_FOUND at auctionId"),
            (json!({ "auctionId": "", "amount": 1 }), "AUCTION_NOT_FOUND at auctionId"),
            (json!({ "auctionId": user, "amount": 1 }), "AUCTION_NOT_FOUND at auctionId"),
            (json!({ "auctionId": id, "amount": "-1" }), "INVALID_AMOUNT at amount"),
            (json!({ "auctionId": id, "amount": "0" }), "INVALID_AMOUNT at amount"),
            (json!({ "auctionId": id, "amount": "1.5" }), "INVALID_AMOUNT at amount"),
            (json!({ "auctionId": id, "amount": "1e3" }), "INVALID_AMOUNT at amount"),
            (json!({ "auctionId": id, "amount": "만원" }), "INVALID_AMOUNT at amount"),
            (json!({ "auctionId": id, "amount": "1000000000000001" }), "INVALID_AMOUNT at amount"),
            (json!({ "auctionId": id, "amount": 10_000, "maximum": "0" }),
                "INVALID_AMOUNT at maximum"),
            (json!({ "auctionId": id, "amount": 10_000, "maximum": 5_000 }),
                "INVALID_AMOUNT at maximum"),
            (json!({ "auctionId": id, "amount": 5_000 }), "BID_TOO_LOW at amount"),
            (json!({ "auctionId": id, "amount": 12_000 }), "BID_OFF_UNIT at amount"),
            (json!({ "auctionId": id, "amount": 10_000, "maximum": 12_000 }),
                "BID_OFF_UNIT at maximum"),
            (json!({ "auctionId": id, "amount": 55_000 }), "INSUFFICIENT_FUNDS at amount"),
            (json!({ "auctionId": id, "amount": 10_000, "maximum": 55_000 }),
                "INSUFFICIENT_FUNDS at maximum"),
            (json!({ "auctionId": id, "amount": 10_000, "idempotencyKey": "" }),
                "INVALID_IDEMPOTENCY_KEY at idempotencyKey"),
            (json!({ "auctionId": id, "amount": 10_000, "idempotencyKey": long_key }),
                "INVALID_IDEMPOTENCY_KEY at idempotencyKey"),
            (json!({ "auctionId": id, "amount": 10_000, "idempotencyKey": "a\0" }),
                "INVALID_IDEMPOTENCY_KEY at idempotencyKey"),
        ] {
            let selected = "bid { id } auction { id bidCount minimumBid title }";
            let reply = who.mutate("placeBid", input.clone(), selected).await;
            assert_eq!(reply.refusals(), [refusal], "{input}");
            assert!(reply.at("/data/done/bid").is_null());
            let shown = reply.at("/data/done/auction");
            if refusal.starts_with("AUCTION_NOT_FOUND") {
                assert!(shown.is_null(), "{}", reply.text);
            } else {
                assert_eq!(shown["bidCount"], 0);
                assert_eq!(shown["minimumBid"], "10000");
                assert_eq!(shown["title"], "황동 스탠드 램프");
            }
        }
        let own = seller.bid(&id, 10_000).await;
        assert_eq!(own.refusals(), ["SELLER_CANNOT_BID"]);
        house.close().await.unwrap();
    }

    async fn a_seller_blocks_and_unblocks_bidders(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let who = client.sign_up("bidder", None).await;
        who.deposit(50_000).await;
        let id = seller.list(json!({})).await;
        let unknown = UserId::new().to_string();
        for field in ["blockBidder", "unblockBidder"] {
            for (user, refusal) in [
                (seller.id().await, "CANNOT_BLOCK_SELF at user"),
                (unknown.clone(), "USER_NOT_FOUND at user"),
                ("bidder".to_owned(), "USER_NOT_FOUND at user"),
                (id.clone(), "USER_NOT_FOUND at user"),
            ] {
                let reply = seller.mutate(field, json!({ "user": user }), "user { id }").await;
                assert_eq!(reply.refusals(), [refusal], "{field} {user}");
                assert!(reply.at("/data/done/user").is_null());
            }
        }
        let input = json!({ "user": who.id().await });
        for (field, refusals) in [
            ("blockBidder", &["BIDDER_BLOCKED"][..]),
            ("blockBidder", &["BIDDER_BLOCKED"]),
            ("unblockBidder", &[]),
            ("unblockBidder", &["BID_TOO_LOW at amount"]),
            ("blockBidder", &["BIDDER_BLOCKED"]),
        ] {
            let reply = seller.mutate(field, input.clone(), "user { username }").await;
            assert_eq!(reply.text_at("/data/done/user/username"), "bidder");
            assert_eq!(who.bid(&id, 10_000).await.refusals(), refusals, "after {field}");
        }
        // The block is the seller's own; what stands, stands.
        let other = client.sign_up("other", None).await.list(json!({})).await;
        assert!(who.bid(&other, 10_000).await.refusals().is_empty());
        let query = format!("{{ auction(id: {id:?}) {{ leader {{ username }} }} }}");
        let shown = client.ask(&query).await;
        assert_eq!(shown.text_at("/data/auction/leader/username"), "bidder");
        house.close().await.unwrap();
    }

    async fn too_many_bids_of_a_user_are_rate_limited(db: &TestDatabase) {
        let flags = ["--rate-limit", "on", "--bids-per-second", "1"];
        let (house, client) = open(db, &flags).await;
        let seller = client.sign_up("seller", None).await;
        let who = client.sign_up("bidder", None).await;
        let other = client.sign_up("other", None).await;
        for bidder in [&who, &other] {
            bidder.deposit(50_000).await;
        }
        let id = seller.list(json!({})).await;
        let bids = join_all((0..30).map(|_| who.bid(&id, 10_000))).await;
        let limited = bids.iter().filter(|reply| reply.code() == Some("RATE_LIMITED")).count();
        assert!((1..30).contains(&limited), "{limited} of 30");
        for reply in bids.iter().filter(|reply| reply.code().is_some()) {
            assert!(reply.body["data"].is_null(), "{}", reply.text);
        }
        // Others are not held back, and money is not bidding.
        assert!(other.bid(&id, 11_000).await.refusals().is_empty());
        who.deposit(1).await;
        house.close().await.unwrap();
    }
}
