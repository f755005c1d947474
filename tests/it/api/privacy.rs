//! What nobody else sees: wallets, transfers, maxima, reserve prices.

use serde_json::{Value, json};

use super::open;
use crate::support::{
    api::{Client, Socket},
    on_both,
};

/// Every public field of an auction, its bids and what the viewer may see of it.
const AUCTION: &str = "id title description currentPrice minimumBid startingPrice bidUnit bidCount
    reserveStatus sequence status leader { id username } seller { id username }
    bids { nodes { id amount sequence isAutomatic placedAt bidder { username } auction { id } } }
    viewerPosition { isSeller isLeading highestBid maximum }";

async fn look(who: &Client, auction: &str) -> Value {
    let reply = who.ask(&format!("{{ auction(id: {auction:?}) {{ {AUCTION} }} }}")).await;
    reply.at("/data/auction").clone()
}

/// The fields of every type, and the arguments and inputs too, whose names hold one of these.
async fn names_in_the_schema(client: &Client, parts: &[&str]) -> Vec<String> {
    let query = "{ __schema { types { name kind fields { name } } } }";
    let reply = client.ask(query).await;
    let types = reply.at("/data/__schema/types").as_array().unwrap().clone();
    let mut found = Vec::new();
    for of in &types {
        for field in of["fields"].as_array().into_iter().flatten() {
            let name = field["name"].as_str().unwrap();
            if parts.iter().any(|part| name.to_lowercase().contains(part)) {
                found.push(format!("{}.{name}", of["name"].as_str().unwrap()));
            }
        }
    }
    found.sort();
    found
}

on_both! {
    async fn a_maximum_is_seen_by_its_owner_alone(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let (ann, ben) = (client.sign_up("ann", None).await, client.sign_up("ben", None).await);
        for bidder in [&ann, &ben] {
            bidder.deposit(1_000_000).await;
        }
        let id = seller.list(json!({})).await;
        let input = json!({ "auctionId": id, "amount": 10_000, "maximum": 345_600 });
        let reply = ann.mutate("placeBid", input, "bid { id amount } auction { id }").await;
        assert!(reply.refusals().is_empty());
        let position = |seen: &Value| seen["viewerPosition"].clone();
        let own = look(&ann, &id).await;
        assert_eq!(position(&own), json!({
            "isSeller": false, "isLeading": true, "highestBid": "10000", "maximum": "345600",
        }));
        let before = client.heard().len();
        let foreign = look(&ben, &id).await;
        assert_eq!(position(&foreign), json!({
            "isSeller": false, "isLeading": false, "highestBid": null, "maximum": null,
        }));
        let sellers = look(&seller, &id).await;
        assert_eq!(position(&sellers), json!({
            "isSeller": true, "isLeading": false, "highestBid": null, "maximum": null,
        }));
        assert_eq!(position(&look(&client, &id).await), Value::Null);
        let mut socket = Socket::open(&ben).await;
        let watch = format!("auctionUpdated(auctionId: {id:?}) {{ kind auction {{ {AUCTION} }} }}");
        socket.begin("1", &format!("subscription {{ {watch} }}")).await;
        let snapshot = socket.next().await.unwrap().to_string();
        // A challenge below it, and one above.
        let below = ben.bid(&id, 50_000).await;
        assert!(below.refusals().is_empty());
        for _ in 0..2 {
            assert!(!socket.next().await.unwrap().to_string().contains("345600"));
        }
        assert_eq!(look(&client, &id).await["currentPrice"], "52000");
        for body in client.heard()[before..].iter().chain([&snapshot]) {
            assert!(!body.contains("345600"), "{body}");
        }
        assert!(ben.bid(&id, 400_000).await.refusals().is_empty());
        // Beaten, it was its owner's last bid, and is nobody's secret any more.
        let beaten = look(&ann, &id).await;
        assert_eq!(position(&beaten)["maximum"], Value::Null);
        assert_eq!(position(&beaten)["highestBid"], "345600");
        house.close().await.unwrap();
    }

    async fn a_reserve_price_is_in_no_reply_at_all(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let ann = client.sign_up("ann", None).await;
        ann.deposit(1_000_000).await;
        let input = json!({ "reservePrice": "76543" });
        let input = crate::support::api::lamp(input);
        let selected = format!("auction {{ {AUCTION} }}");
        let reply = seller.mutate("createAuction", input, &selected).await;
        let id = reply.text_at("/data/done/auction/id");
        let mut socket = Socket::open(&seller).await;
        let watch = format!("auctionUpdated(auctionId: {id:?}) {{ auction {{ {AUCTION} }} }}");
        socket.begin("1", &format!("subscription {{ {watch} }}")).await;
        let mut pushed = vec![socket.next().await.unwrap().to_string()];
        for (amount, status) in [(10_000, "NOT_MET"), (50_000, "NOT_MET")] {
            ann.bid(&id, amount).await;
            for who in [&client, &seller, &ann] {
                assert_eq!(look(who, &id).await["reserveStatus"], status);
            }
        }
        pushed.push(socket.next().await.unwrap().to_string());
        ann.ask("{ viewer { wallet { transfers { nodes { amount } } } bids { nodes { id } } } }")
            .await;
        seller.ask(&format!("{{ viewer {{ selling {{ nodes {{ {AUCTION} }} }} }} }}")).await;
        client.ask(&format!("{{ auctions {{ nodes {{ {AUCTION} }} }} }}")).await;
        client.ask("{ auctions(filter: {minPrice: 76544}) { nodes { id } } }").await;
        let words = json!({ "id": id, "title": "still" });
        seller.mutate("updateAuction", words, &selected).await;
        for body in client.heard().iter().chain(&pushed) {
            assert!(!body.contains("76543"), "{body}");
        }
        // Met by a maximum, the price is the reserve, and public as every price.
        let input = json!({ "auctionId": id, "amount": 60_000, "maximum": 100_000 });
        let met = ann.mutate("placeBid", input, "auction { currentPrice reserveStatus }").await;
        assert_eq!(met.text_at("/data/done/auction/currentPrice"), "76543");
        assert_eq!(met.text_at("/data/done/auction/reserveStatus"), "MET");
        house.close().await.unwrap();
    }

    async fn no_field_of_the_schema_could_tell_a_secret(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let found = names_in_the_schema(&client, &["reserve", "maximum", "password", "hash"]).await;
        assert_eq!(found, ["Auction.reserveStatus", "ViewerPosition.maximum"]);
        let tokens = names_in_the_schema(&client, &["token", "wallet", "transfers"]).await;
        assert_eq!(tokens, [
            "Mutation.depositToWallet", "Mutation.withdrawFromWallet", "Session.token",
            "Viewer.wallet", "ViewerUpdate.wallet", "Wallet.transfers", "WalletPayload.wallet",
        ]);
        house.close().await.unwrap();
    }

    async fn a_transfer_is_found_by_its_owner_alone(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let (ann, ben) = (client.sign_up("ann", None).await, client.sign_up("ben", None).await);
        ann.deposit(777).await;
        let own = ann.ask("{ viewer { wallet { transfers { nodes { id kind amount } } } } }").await;
        let id = own.text_at("/data/viewer/wallet/transfers/nodes/0/id");
        let query = format!("{{ node(id: {id:?}) {{ id ... on Transfer {{ amount }} }} }}");
        assert_eq!(ann.ask(&query).await.text_at("/data/node/amount"), "777");
        for who in [&ben, &client] {
            assert!(who.ask(&query).await.at("/data/node").is_null());
        }
        let empty = ben.ask("{ viewer { wallet { available transfers { nodes { id } } } } }").await;
        assert_eq!(empty.at("/data/viewer/wallet"), &json!({
            "available": "0", "transfers": { "nodes": [] },
        }));
        house.close().await.unwrap();
    }

    async fn a_node_is_found_by_its_own_id_only(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", Some("11110101")).await;
        let auction = seller.list(json!({ "category": "cat_lighting" })).await;
        let user = seller.id().await;
        for (id, kind) in [
            (auction.as_str(), "Auction"),
            (&user, "User"),
            ("reg_11110101", "Region"),
            ("cat_lighting", "Category"),
        ] {
            let reply = client.ask(&format!("{{ node(id: {id:?}) {{ __typename id }} }}")).await;
            assert_eq!(reply.at("/data/node"), &json!({ "__typename": kind, "id": id }));
        }
        let swapped = auction.replace("auc_", "usr_");
        let unknown = auction.replace(&auction[8..12], "0000");
        for id in [&swapped, &unknown, "", "auc_", "nonsense", "reg_99", "reg_", "cat_\0", "한글",
            "ses_00000000000000000000000000000000"]
        {
            let query = "query($id: ID!) { node(id: $id) { __typename } }";
            let reply = client.send(query, json!({ "id": id })).await;
            assert_eq!(reply.body, json!({ "data": { "node": null } }), "{id:?}");
        }
        let unknown = json!({ "id": unknown });
        let query = "query($id: ID!) { auction(id: $id) { id } }";
        assert!(client.send(query, unknown).await.at("/data/auction").is_null());
        for id in ["nonsense", "", &user, "auc_00"] {
            let reply = client.send(query, json!({ "id": id })).await;
            assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{}", reply.text);
        }
        house.close().await.unwrap();
    }
}
