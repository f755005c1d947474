//! Lists of auctions: every filter and every order.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::open;
use crate::support::{api::Client, on_both};

/// The titles of the auctions that a filter lets through, in this order.
async fn titles(client: &Client, filter: Value, order: &str) -> Vec<String> {
    let query = "query($filter: AuctionFilter, $order: AuctionOrder!) {
        auctions(filter: $filter, orderBy: $order, first: 100) { nodes { title } } }";
    let reply = client.send(query, json!({ "filter": filter, "order": order })).await;
    reply.texts("/data/auctions/nodes", "/title")
}

async fn sorted(client: &Client, filter: Value) -> Vec<String> {
    let mut found = titles(client, filter, "NEWEST").await;
    found.sort();
    found
}

async fn list_titled(seller: &Client, title: &str, mut more: Value) -> String {
    more["title"] = json!(title);
    seller.list(more).await
}

on_both! {
    async fn words_are_found_in_any_script_whatever_their_case(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        for (title, description) in [
            ("달항아리 Moon Jar", "백자, 조선 후기."),
            ("황동 램프", "A BRASS lamp. 100% solid_brass \\o/"),
            ("Brass lamp 황동", "A moonlit one, 100 years old"),
            ("Лампа ÉCLAIR", "straße"),
        ] {
            list_titled(&seller, title, json!({ "description": description })).await;
        }
        let (jar, lamp, brass, lampa) = (
            "달항아리 Moon Jar", "황동 램프", "Brass lamp 황동", "Лампа ÉCLAIR",
        );
        for (query, found) in [
            ("달항아리", &[jar][..]),
            ("항아", &[jar]),
            ("조선", &[jar]),
            ("moon", &[brass, jar]),
            ("MOON jar", &[jar]),
            ("jar   moon", &[jar]),
            ("황동", &[brass, lamp]),
            ("황동 brass", &[brass, lamp]),
            ("BrAsS lAmP", &[brass, lamp]),
            ("황동 moon", &[brass]),
            ("moon 램프", &[]),
            ("100%", &[lamp]),
            ("%", &[lamp]),
            ("_", &[lamp]),
            ("solid_brass", &[lamp]),
            ("solid%brass", &[]),
            ("\\", &[lamp]),
            ("\\o/", &[lamp]),
            ("l_mp", &[]),
            ("'", &[]),
            ("\u{1103}\u{1161}\u{11af}", &[jar]),
            ("лампа", &[lampa]),
            ("ЛАМПА éclair", &[lampa]),
            ("STRASSE", &[]),
            ("", &[brass, jar, lamp, lampa]),
            ("  \n ", &[brass, jar, lamp, lampa]),
            ("nu\0l", &[]),
        ] {
            let mut expected = found.to_vec();
            expected.sort_unstable();
            assert_eq!(sorted(&client, json!({ "query": query })).await, expected, "{query:?}");
        }
        house.close().await.unwrap();
    }

    async fn a_region_shows_itself_what_is_inside_and_the_nation(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let jongno = client.sign_up("jongno", Some("11110101")).await;
        let mapo = client.sign_up("mapo", Some("11440")).await;
        let busan = client.sign_up("busan", Some("26110")).await;
        let nowhere = client.sign_up("nowhere", None).await;
        let regional = |region: &str| json!({ "scope": "REGIONAL", "region": region });
        list_titled(&jongno, "seoul", regional("reg_11")).await;
        list_titled(&jongno, "jongno", regional("reg_11110")).await;
        list_titled(&jongno, "cheongun", regional("reg_11110101")).await;
        list_titled(&mapo, "mapo", json!({ "scope": "REGIONAL" })).await;
        list_titled(&busan, "busan", json!({ "scope": "REGIONAL" })).await;
        list_titled(&busan, "national", json!({})).await;
        list_titled(&nowhere, "anywhere", json!({})).await;
        for (region, found) in [
            ("reg_11", &["cheongun", "jongno", "mapo", "seoul"][..]),
            ("reg_11110", &["cheongun", "jongno"]),
            ("reg_11110101", &["cheongun"]),
            ("reg_11110102", &[]),
            ("reg_11440", &["mapo"]),
            ("reg_26", &["busan"]),
            ("reg_27", &[]),
            ("reg_99", &[]),
        ] {
            let mut expected = found.to_vec();
            expected.extend(["anywhere", "national"]);
            expected.sort_unstable();
            assert_eq!(sorted(&client, json!({ "region": region })).await, expected, "{region}");
            let only = json!({ "region": region, "scope": "REGIONAL" });
            assert_eq!(sorted(&client, only).await, found, "{region}");
        }
        let national = sorted(&client, json!({ "scope": "NATIONAL" })).await;
        assert_eq!(national, ["anywhere", "national"]);
        house.close().await.unwrap();
    }

    async fn a_filters_ids_and_prices_are_checked(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", Some("11110101")).await;
        seller.list(json!({ "scope": "REGIONAL" })).await;
        let id = seller.id().await;
        for filter in [
            json!({ "region": "11110" }),
            json!({ "region": "reg_" }),
            json!({ "region": "reg_%" }),
            json!({ "region": "reg_1111_" }),
            json!({ "region": "reg_11\0" }),
            json!({ "region": id }),
            json!({ "category": "lighting" }),
            json!({ "category": "cat_\0" }),
            json!({ "category": "cat_nothing" }),
            json!({ "seller": "seller" }),
            json!({ "seller": format!("{id}0") }),
            json!({ "minPrice": "-1" }),
            json!({ "maxPrice": "만원" }),
            json!({ "minPrice": 1.5 }),
            json!({ "status": ["PAUSED"] }),
            json!({ "scope": "LOCAL" }),
            json!({ "query": "가".repeat(101) }),
            json!({ "nonsense": true }),
        ] {
            let query = "query($filter: AuctionFilter) { auctions(filter: $filter) {
                           nodes { title } } }";
            let reply = client.send(query, json!({ "filter": filter })).await;
            assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{filter}: {}", reply.text);
            assert!(reply.body["data"].is_null(), "{}", reply.text);
        }
        house.close().await.unwrap();
    }

    async fn the_other_filters_narrow_alone_and_together(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let other = client.sign_up("other", None).await;
        let later = (Utc::now() + TimeDelta::hours(5)).to_rfc3339();
        list_titled(&seller, "cheap", json!({ "startingPrice": 100 })).await;
        list_titled(&seller, "sofa", json!({ "category": "cat_chairs" })).await;
        list_titled(&seller, "shelf", json!({ "category": "cat_furniture" })).await;
        list_titled(&other, "phone", json!({ "category": "cat_phones", "startingPrice": 99_999 }))
            .await;
        list_titled(&other, "later", json!({ "startsAt": later })).await;
        let everything = ["cheap", "later", "phone", "shelf", "sofa"];
        for (filter, found) in [
            (json!({}), &everything[..]),
            (json!({ "status": ["OPEN"] }), &["cheap", "phone", "shelf", "sofa"]),
            (json!({ "status": ["SCHEDULED"] }), &["later"]),
            (json!({ "status": ["SCHEDULED", "OPEN"] }), &everything),
            (json!({ "status": ["SOLD", "UNSOLD", "CANCELLED"] }), &[]),
            (json!({ "category": "cat_furniture" }), &["shelf", "sofa"]),
            (json!({ "category": "cat_chairs" }), &["sofa"]),
            (json!({ "category": "cat_digital" }), &["phone"]),
            (json!({ "seller": other.id().await }), &["later", "phone"]),
            (json!({ "minPrice": 10_000 }), &["later", "phone", "shelf", "sofa"]),
            (json!({ "minPrice": "10001" }), &["phone"]),
            (json!({ "maxPrice": "100" }), &["cheap"]),
            (json!({ "minPrice": 101, "maxPrice": 10_000 }), &["later", "shelf", "sofa"]),
            (json!({ "seller": other.id().await, "status": ["OPEN"] }), &["phone"]),
            (json!({ "query": "o", "category": "cat_furniture", "maxPrice": 10_000 }), &["sofa"]),
        ] {
            assert_eq!(sorted(&client, filter.clone()).await, found, "{filter}");
        }
        let viewer = other.ask("{ viewer { selling { nodes { title } } } }").await;
        assert_eq!(viewer.texts("/data/viewer/selling/nodes", "/title"), ["later", "phone"]);
        house.close().await.unwrap();
    }

    async fn each_order_is_total(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let bidder = client.sign_up("bidder", None).await;
        bidder.deposit(1_000_000).await;
        for (title, price, hours, bids) in
            [("a", 500, 9, 1), ("b", 90_000, 3, 0), ("c", 7_000, 5, 2), ("d", 90_000, 3, 0)]
        {
            let ends_at = (Utc::now() + TimeDelta::hours(hours)).to_rfc3339();
            let more = json!({ "startingPrice": price, "endsAt": ends_at });
            let id = list_titled(&seller, title, more).await;
            for n in 0..bids {
                assert!(bidder.bid(&id, price + n * 500).await.refusals().is_empty());
            }
        }
        for (order, expected) in [
            ("NEWEST", ["d", "c", "b", "a"]),
            ("ENDING_SOON", ["b", "d", "c", "a"]),
            ("PRICE_ASC", ["a", "c", "b", "d"]),
            ("PRICE_DESC", ["d", "b", "c", "a"]),
            ("MOST_BIDS", ["c", "a", "d", "b"]),
        ] {
            assert_eq!(titles(&client, json!({}), order).await, expected, "{order}");
        }
        house.close().await.unwrap();
    }
}
