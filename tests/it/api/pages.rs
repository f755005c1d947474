//! Pages: cursors in both directions stay right while rows are added, and wrong ones are refused.

use serde_json::{Value, json};

use super::open;
use crate::support::{
    api::{Client, Reply},
    on_both,
};

const ORDERS: [&str; 5] = ["NEWEST", "ENDING_SOON", "PRICE_ASC", "PRICE_DESC", "MOST_BIDS"];

async fn page(client: &Client, order: &str, arguments: Value) -> Reply {
    let query = "query($order: AuctionOrder!, $first: Int, $after: String, $last: Int,
                       $before: String) {
        list: auctions(orderBy: $order, first: $first, after: $after, last: $last,
                       before: $before) {
            edges { cursor node { title } } nodes { title }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let mut variables = arguments;
    variables["order"] = json!(order);
    client.send(query, variables).await
}

fn titles(page: &Reply) -> Vec<String> {
    let edges = page.texts("/data/list/edges", "/node/title");
    assert_eq!(edges, page.texts("/data/list/nodes", "/title"));
    let cursors = page.texts("/data/list/edges", "/cursor");
    let info = page.at("/data/list/pageInfo");
    assert_eq!(info["startCursor"].as_str(), cursors.first().map(String::as_str));
    assert_eq!(info["endCursor"].as_str(), cursors.last().map(String::as_str));
    edges
}

/// (whether a page precedes, whether a page follows)
fn around(page: &Reply) -> (bool, bool) {
    let info = page.at("/data/list/pageInfo");
    let [before, after] = ["hasPreviousPage", "hasNextPage"].map(|name| info[name].as_bool());
    (before.unwrap(), after.unwrap())
}

async fn list(seller: &Client, title: &str, price: i64) {
    seller.list(json!({ "title": title, "startingPrice": price })).await;
}

/// A field of all rows of a list, page by page; `PAGE` stands where its arguments go.
async fn walk(who: &Client, query: &str, at: &str, field: &str) -> Vec<String> {
    let arguments = format!(
        "(first: 2, after: $after) {{ nodes {{ {field} }} pageInfo {{ hasNextPage endCursor }} }}"
    );
    let query = format!("query($after: String) {{ {} }}", query.replace("PAGE", &arguments));
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let reply = who.send(&query, json!({ "after": after })).await;
        all.extend(reply.texts(&format!("{at}/nodes"), &format!("/{field}")));
        assert!(all.len() < 100, "{at} does not end: {all:?}");
        after = reply.at(&format!("{at}/pageInfo/endCursor")).clone();
        if reply.at(&format!("{at}/pageInfo/hasNextPage")) == false {
            return all;
        }
    }
}

/// A cursor of the order by end, for any time.
fn cursor_at(time: &str) -> String {
    let id = entity::ids::AuctionId::new().0;
    let place = json!({ "key": { "Time": time }, "id": id }).to_string();
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in place.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(LETTERS[bits >> (18 - 6 * place) & 63].into());
        }
    }
    text
}

on_both! {
    async fn a_cursor_that_somebody_made_up_does_no_harm(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        list(&seller, "a", 1).await;
        for (time, found) in [
            ("2020-01-01T00:00:00Z", &["a"][..]),
            ("2120-01-01T00:00:00Z", &[]),
            ("-262143-01-01T00:00:00Z", &["a"]),
            ("-0001-01-01T00:00:00Z", &["a"]),
            ("+10000-01-01T00:00:00Z", &[]),
            ("+262142-12-31T23:59:59.999999999Z", &[]),
        ] {
            let after = json!({ "after": cursor_at(time) });
            let reply = page(&client, "ENDING_SOON", after).await;
            match reply.code() {
                None => assert_eq!(titles(&reply), found, "{time}"),
                code => assert_eq!(code, Some("BAD_USER_INPUT"), "{time}: {}", reply.text),
            }
        }
        house.close().await.unwrap();
    }

    async fn pages_forwards_and_backwards_are_the_list(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        for (title, price) in [("a", 3), ("b", 1), ("c", 2), ("d", 1), ("e", 2), ("f", 9), ("g", 1)]
        {
            list(&seller, title, price).await;
        }
        for order in ORDERS {
            let whole = titles(&page(&client, order, json!({ "first": 100 })).await);
            assert_eq!(whole.len(), 7);
            assert_eq!(titles(&page(&client, order, json!({})).await), whole);
            for size in [1, 2, 3, 7] {
                let (mut forwards, mut after) = (Vec::new(), Value::Null);
                loop {
                    let next = page(&client, order, json!({ "first": size, "after": after })).await;
                    assert_eq!(around(&next).0, !after.is_null());
                    forwards.extend(titles(&next));
                    assert!(forwards.len() <= whole.len(), "{order} by {size}: {forwards:?}");
                    after = next.at("/data/list/pageInfo/endCursor").clone();
                    if !around(&next).1 {
                        break;
                    }
                }
                assert_eq!(forwards, whole, "{order} by {size}");
                let (mut backwards, mut before) = (Vec::new(), Value::Null);
                loop {
                    let arguments = json!({ "last": size, "before": before });
                    let next = page(&client, order, arguments).await;
                    assert_eq!(around(&next).1, !before.is_null());
                    backwards.splice(0..0, titles(&next));
                    assert!(backwards.len() <= whole.len(), "{order} by {size}: {backwards:?}");
                    before = next.at("/data/list/pageInfo/startCursor").clone();
                    if !around(&next).0 {
                        break;
                    }
                }
                assert_eq!(backwards, whole, "{order} backwards by {size}");
            }
            // Between two cursors.
            let cursors = page(&client, order, json!({})).await;
            let cursors = cursors.texts("/data/list/edges", "/cursor");
            let between = json!({ "after": cursors[1], "before": cursors[5], "first": 2 });
            assert_eq!(titles(&page(&client, order, between).await), whole[2..4]);
            let between = json!({ "after": cursors[1], "before": cursors[5], "last": 2 });
            assert_eq!(titles(&page(&client, order, between).await), whole[3..5]);
            let nothing = json!({ "after": cursors[6] });
            assert_eq!(titles(&page(&client, order, nothing).await), Vec::<String>::new());
        }
        house.close().await.unwrap();
    }

    async fn cursors_stay_right_while_auctions_are_added_and_prices_move(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        for n in 0..6 {
            list(&seller, &format!("{n}"), 1_000 * (n + 1)).await;
        }
        let first = page(&client, "NEWEST", json!({ "first": 3 })).await;
        assert_eq!(titles(&first), ["5", "4", "3"]);
        let cheap = page(&client, "PRICE_ASC", json!({ "first": 3 })).await;
        assert_eq!(titles(&cheap), ["0", "1", "2"]);
        list(&seller, "new", 2_500).await;
        let bidder = client.sign_up("bidder", None).await;
        bidder.deposit(100_000).await;
        let zero = client.ask("{ auctions(last: 1) { nodes { id } } }").await;
        let zero = zero.text_at("/data/auctions/nodes/0/id");
        for amount in [1_000, 4_500] {
            assert!(bidder.bid(&zero, amount).await.refusals().is_empty());
        }
        let after = first.at("/data/list/pageInfo/endCursor");
        let rest = page(&client, "NEWEST", json!({ "first": 10, "after": after })).await;
        assert_eq!(titles(&rest), ["2", "1", "0"], "nothing twice, nothing missing");
        let before = first.at("/data/list/pageInfo/startCursor");
        let newer = page(&client, "NEWEST", json!({ "last": 10, "before": before })).await;
        assert_eq!(titles(&newer), ["new"]);
        let after = cheap.at("/data/list/pageInfo/endCursor");
        let dearer = page(&client, "PRICE_ASC", json!({ "first": 10, "after": after })).await;
        assert_eq!(titles(&dearer), ["3", "0", "4", "5"], "the place holds, not the row");
        house.close().await.unwrap();
    }

    async fn bids_and_transfers_page_newest_first(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let who = client.sign_up("bidder", None).await;
        who.deposit(500_000).await;
        let id = seller.list(json!({})).await;
        for n in 0..5 {
            assert!(who.bid(&id, 10_000 + n * 1_000).await.refusals().is_empty());
        }
        let bids = ["14000", "13000", "12000", "11000", "10000"];
        let of_auction = format!("auction(id: {id:?}) {{ bids PAGE }}");
        assert_eq!(walk(&who, &of_auction, "/data/auction/bids", "amount").await, bids);
        let own = "viewer { bids PAGE }";
        assert_eq!(walk(&who, own, "/data/viewer/bids", "amount").await, bids);
        // A raise holds the difference only.
        let transfers = "viewer { wallet { transfers PAGE } }";
        let at = "/data/viewer/wallet/transfers";
        let amounts = ["1000", "1000", "1000", "1000", "10000", "500000"];
        assert_eq!(walk(&who, transfers, at, "amount").await, amounts);
        let directions = ["LOCK", "LOCK", "LOCK", "LOCK", "LOCK", "IN"];
        assert_eq!(walk(&who, transfers, at, "direction").await, directions);
        house.close().await.unwrap();
    }

    async fn wrong_pages_and_cursors_are_bad_input(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        list(&seller, "a", 1).await;
        for order in ORDERS {
            for arguments in [
                json!({ "first": 0 }),
                json!({ "first": -1 }),
                json!({ "first": 101 }),
                json!({ "last": 0 }),
                json!({ "last": 101 }),
                json!({ "first": 1, "last": 1 }),
                json!({ "first": "1" }),
                json!({ "after": "" }),
                json!({ "after": "nonsense" }),
                json!({ "before": "bm9uc2Vuc2U" }),
                json!({ "before": "한글" }),
                json!({ "after": "e30" }),
                json!({ "after": 5 }),
            ] {
                let reply = page(&client, order, arguments.clone()).await;
                assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{arguments}: {}", reply.text);
            }
            let own = page(&client, order, json!({})).await;
            let cursor = own.at("/data/list/pageInfo/endCursor").clone();
            for other in ORDERS {
                let by = |order: &str| ["PRICE_ASC", "PRICE_DESC", "MOST_BIDS"].contains(&order);
                let reply = page(&client, other, json!({ "after": cursor })).await;
                let fits = other == order || by(other) && by(order);
                assert_eq!(reply.code().is_none(), fits, "{order} in {other}: {}", reply.text);
            }
        }
        house.close().await.unwrap();
    }
}
