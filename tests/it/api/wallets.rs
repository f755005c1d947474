//! Money in and out: amounts in every spelling, keys, and what is there.

use serde_json::{Value, json};

use super::open;
use crate::support::{
    api::{Client, Reply},
    on_both,
};

async fn deposit(who: &Client, amount: Value, key: &str) -> Reply {
    let input = json!({ "amount": amount, "idempotencyKey": key });
    who.mutate("depositToWallet", input, "wallet { available locked }").await
}

async fn withdraw(who: &Client, amount: Value, key: &str) -> Reply {
    let input = json!({ "amount": amount, "idempotencyKey": key });
    who.mutate("withdrawFromWallet", input, "wallet { available locked }").await
}

async fn available(who: &Client) -> String {
    let reply = who.ask("{ viewer { wallet { available } } }").await;
    reply.text_at("/data/viewer/wallet/available")
}

on_both! {
    async fn what_is_no_amount_is_refused_in_each_spelling(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let who = client.sign_up("mina", None).await;
        for amount in [
            "-1", "+1", "0", "000", "1.5", "1.0", "1.", ".5", "1e3", "1E3", "1000000000000001",
            "999999999999999999999999999999", "만원", "１００", "٣", "", " ", " 1", "1 ", "1,000",
            "1_000", "0x10", "NaN", "Infinity", "1\0",
        ] {
            for reply in [
                deposit(&who, json!(amount), "k").await,
                withdraw(&who, json!(amount), "k").await,
            ] {
                assert_eq!(reply.refusals(), ["INVALID_AMOUNT at amount"], "{amount:?}");
                assert!(reply.at("/data/done/wallet").is_null());
            }
        }
        let huge = json!(18_446_744_073_709_551_615_u64);
        for amount in [json!(0), json!(-1), json!(1_000_000_000_000_001_i64), huge] {
            let reply = deposit(&who, amount.clone(), "k").await;
            assert_eq!(reply.refusals(), ["INVALID_AMOUNT at amount"], "{amount}");
        }
        assert_eq!(available(&who).await, "0");
        house.close().await.unwrap();
    }

    async fn a_float_or_another_kind_of_value_is_bad_input(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let who = client.sign_up("mina", None).await;
        let long = "1".repeat(65);
        for amount in [
            json!(1.5), json!(5.0), json!(1e3), json!(1e300), json!(true), json!([1]),
            json!({ "amount": 1 }), json!(null), json!(long),
        ] {
            let reply = deposit(&who, amount.clone(), "k").await;
            assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{amount}: {}", reply.text);
        }
        for literal in ["1.5", "5.0", "1e3", "true", "WON", "[\"1\", \"2\"]", "null", "{a: 1}"] {
            let input = format!("{{amount: {literal}, idempotencyKey: \"k\"}}");
            let field = format!("depositToWallet(input: {input}) {{ __typename }}");
            let reply = who.ask(&format!("mutation {{ {field} }}")).await;
            assert_eq!(reply.code(), Some("BAD_USER_INPUT"), "{literal}: {}", reply.text);
        }
        assert_eq!(available(&who).await, "0");
        house.close().await.unwrap();
    }

    async fn an_amount_is_exact_as_text_or_integer(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let who = client.sign_up("mina", None).await;
        for (n, (amount, after)) in (0..).zip([
            (json!("1"), "1"),
            (json!(1), "2"),
            (json!("007"), "9"),
            (json!("999999999999991"), "1000000000000000"),
            (json!(1_000_000_000_000_000_i64), "2000000000000000"),
            (json!("1000000000000000"), "3000000000000000"),
        ]) {
            let reply = deposit(&who, amount, &format!("k{n}")).await;
            assert_eq!(reply.text_at("/data/done/wallet/available"), after);
        }
        let literal = "mutation { depositToWallet(input: {amount: 25, idempotencyKey: \"l\"}) {
                         wallet { available } } }";
        let reply = who.ask(literal).await;
        let after = reply.text_at("/data/depositToWallet/wallet/available");
        assert_eq!(after, "3000000000000025");
        house.close().await.unwrap();
    }

    async fn a_currency_with_fractions_keeps_every_digit(db: &TestDatabase) {
        let (house, client) =
            open(db, &["--currency", "USD", "--currency-digits", "2"]).await;
        let who = client.sign_up("mina", None).await;
        for (amount, after) in [("0.01", "0.01"), ("12.3", "12.31"), ("9999999999999", "")] {
            let reply = deposit(&who, json!(amount), amount).await;
            let available = reply.text_at("/data/done/wallet/available");
            assert!(available.starts_with(after) && available.contains('.'), "{available}");
        }
        for amount in ["0.001", "0.00", "10000000000000.01"] {
            let reply = deposit(&who, json!(amount), "k").await;
            assert_eq!(reply.refusals(), ["INVALID_AMOUNT at amount"], "{amount}");
        }
        assert_eq!(available(&who).await, "10000000000011.31");
        house.close().await.unwrap();
    }

    async fn under_one_key_money_moves_once(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let who = client.sign_up("mina", None).await;
        let mismatch = ["IDEMPOTENCY_MISMATCH at idempotencyKey"];
        for _ in 0..3 {
            let reply = deposit(&who, json!("5000"), "열쇠").await;
            assert_eq!(reply.text_at("/data/done/wallet/available"), "5000");
        }
        assert_eq!(deposit(&who, json!("5001"), "열쇠").await.refusals(), mismatch);
        assert_eq!(withdraw(&who, json!("5000"), "열쇠").await.refusals(), mismatch);
        // Keys are each user's own, and told apart by case.
        let other = client.sign_up("other", None).await;
        for (who, key) in [(&other, "열쇠"), (&other, "k"), (&other, "K")] {
            assert!(deposit(who, json!("1"), key).await.refusals().is_empty());
        }
        assert_eq!((available(&who).await, available(&other).await), ("5000".into(), "3".into()));
        house.close().await.unwrap();
    }

    async fn a_key_has_1_to_200_bytes_of_text(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let who = client.sign_up("mina", None).await;
        let refusal = ["INVALID_IDEMPOTENCY_KEY at idempotencyKey"];
        let [fits, too_long, hangul] = ["x".repeat(200), "x".repeat(201), "열".repeat(67)];
        for key in ["", &too_long, &hangul, "a\0b", "\0"] {
            assert_eq!(deposit(&who, json!(1), key).await.refusals(), refusal, "{key:?}");
            assert_eq!(withdraw(&who, json!(1), key).await.refusals(), refusal, "{key:?}");
        }
        for key in [&fits, &"열".repeat(66), " ", "'", "a b", "\n", "🙂"] {
            assert!(deposit(&who, json!(1), key).await.refusals().is_empty(), "{key:?}");
        }
        assert_eq!(available(&who).await, "7");
        house.close().await.unwrap();
    }

    async fn only_available_money_can_be_withdrawn(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let who = client.sign_up("mina", None).await;
        let insufficient = ["INSUFFICIENT_FUNDS at amount"];
        assert_eq!(withdraw(&who, json!(1), "w").await.refusals(), insufficient);
        who.deposit(15_000).await;
        let lamp = seller.list(json!({})).await;
        assert!(who.bid(&lamp, 10_000).await.refusals().is_empty());
        assert_eq!(withdraw(&who, json!(5_001), "w").await.refusals(), insufficient);
        let reply = withdraw(&who, json!(5_000), "w").await;
        assert_eq!(reply.at("/data/done/wallet"), &json!({ "available": "0", "locked": "10000" }));
        house.close().await.unwrap();
    }

    async fn nobody_moves_anothers_money_but_an_admin(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let who = client.sign_up("mina", None).await;
        let other = client.sign_up("other", None).await;
        let [own, foreign] = [who.id().await, other.id().await];
        let input = |user: &str| json!({ "amount": 1, "idempotencyKey": "k", "user": user });
        for field in ["depositToWallet", "withdrawFromWallet"] {
            let reply = who.mutate(field, input(&foreign), "wallet { available }").await;
            assert_eq!(reply.code(), Some("FORBIDDEN"), "{}", reply.text);
            assert!(reply.body["data"].is_null());
            let reply = who.mutate(field, input("nobody"), "wallet { available }").await;
            assert_eq!(reply.refusals(), ["USER_NOT_FOUND at user"]);
        }
        let reply = who.mutate("depositToWallet", input(&own), "wallet { available }").await;
        assert_eq!(reply.text_at("/data/done/wallet/available"), "1");

        let opened = db.open().await;
        assert!(neighborbid::store::users::grant_admin(&opened.write, "mina").await.unwrap());
        opened.close().await;
        let given = json!({ "amount": 7, "idempotencyKey": "given", "user": foreign });
        let reply = who.mutate("depositToWallet", given, "wallet { available }").await;
        assert_eq!(reply.text_at("/data/done/wallet/available"), "7");
        let unknown = entity::ids::UserId::new().to_string();
        let unknown = json!({ "amount": 7, "idempotencyKey": "unknown", "user": unknown });
        let reply = who.mutate("depositToWallet", unknown, "wallet { available }").await;
        assert_eq!(reply.refusals(), ["USER_NOT_FOUND at user"]);
        assert_eq!((available(&who).await, available(&other).await), ("1".into(), "7".into()));
        house.close().await.unwrap();
    }
}
