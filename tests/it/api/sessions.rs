//! Signing up, in and out.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::open;
use crate::support::{
    api::{Client, PASSWORD, lamp},
    on_both,
};

async fn sign_in(client: &Client, username: &str, password: &str) -> Vec<String> {
    let input = json!({ "username": username, "password": password });
    let reply = client.mutate("signIn", input, "session { token } user { username }").await;
    let refusals = reply.refusals();
    let [session, user] = ["session", "user"].map(|field| &reply.body["data"]["done"][field]);
    assert_eq!(session.is_null(), !refusals.is_empty(), "{}", reply.text);
    assert_eq!(user.is_null(), !refusals.is_empty(), "{}", reply.text);
    refusals
}

on_both! {
    async fn an_unfit_sign_up_is_refused_by_its_field_and_makes_nobody(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let long = "x".repeat(25);
        let (short_password, long_password) = ("1234567", "x".repeat(129));
        let username = "INVALID_USERNAME at username";
        let password = "INVALID_PASSWORD at password";
        let region = "REGION_NOT_FOUND at homeRegion";
        for (name, secret, home, refusal) in [
            ("m", PASSWORD, Value::Null, username),
            ("", PASSWORD, Value::Null, username),
            (&long, PASSWORD, Value::Null, username),
            ("with space", PASSWORD, Value::Null, username),
            ("new\nline", PASSWORD, Value::Null, username),
            ("nu\0l", PASSWORD, Value::Null, username),
            ("<script>", PASSWORD, Value::Null, username),
            ("🙂🙂", PASSWORD, Value::Null, username),
            ("minsu", short_password, Value::Null, password),
            ("minsu", "", Value::Null, password),
            ("minsu", &long_password, Value::Null, password),
            ("minsu", PASSWORD, json!("reg_99"), region),
            ("minsu", PASSWORD, json!("reg_"), region),
            ("minsu", PASSWORD, json!("reg_1\0"), region),
            ("minsu", PASSWORD, json!("11110"), region),
            ("minsu", PASSWORD, json!("cat_furniture"), region),
        ] {
            let input = json!({ "username": name, "password": secret, "homeRegion": home });
            let reply = client.mutate("signUp", input, "session { token } user { id }").await;
            assert_eq!(reply.refusals(), [refusal], "{name:?} {home}");
            assert!(reply.at("/data/done/session").is_null(), "{}", reply.text);
        }
        let found = client.ask("{ user(username: \"minsu\") { id } }").await;
        assert!(found.at("/data/user").is_null());
        house.close().await.unwrap();
    }

    async fn a_name_is_taken_whatever_its_case_or_keyboard(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        for (name, others) in [
            ("Mina", &["mina", "MINA", "mINA"][..]),
            ("Ünïcode", &["üNÏCODE", "U\u{308}ni\u{308}code"]),
            ("민수", &["\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}"]),
            ("Ωmega", &["ωMEGA"]),
        ] {
            let owner = client.sign_up(name, Some("11110101")).await;
            for other in others {
                let input = json!({ "username": other, "password": PASSWORD });
                let reply = client.mutate("signUp", input, "user { id }").await;
                assert_eq!(reply.refusals(), ["USERNAME_TAKEN at username"], "{other}");
                assert_eq!(sign_in(&client, other, PASSWORD).await, Vec::<String>::new());
                let query = "query($name: String!) { user(username: $name) {
                               id username homeRegion { code fullName parent { code } } } }";
                let found = client.send(query, json!({ "name": other })).await;
                assert_eq!(found.text_at("/data/user/username"), name);
                assert_eq!(found.text_at("/data/user/homeRegion/code"), "11110101");
                assert_eq!(found.text_at("/data/user/homeRegion/parent/code"), "11110");
            }
            let own = owner.ask("{ viewer { user { username } } }").await;
            assert_eq!(own.text_at("/data/viewer/user/username"), name);
        }
        house.close().await.unwrap();
    }

    async fn a_wrong_password_and_an_unknown_name_are_answered_alike(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        client.sign_up("mina", None).await;
        let long = "x".repeat(10_000);
        let mut answers = Vec::new();
        for (name, password) in [
            ("mina", "wrong horse battery"),
            ("mina", ""),
            ("mina", "correct horse batter"),
            ("mina", "Correct horse battery"),
            ("mina", "nul\0"),
            ("mina", &long),
            ("nobody", PASSWORD),
            ("", PASSWORD),
            ("nu\0l", PASSWORD),
            (&long, PASSWORD),
            ("mina' OR '1'='1", PASSWORD),
            ("min_", PASSWORD),
            ("%", PASSWORD),
        ] {
            assert_eq!(sign_in(&client, name, password).await, ["WRONG_CREDENTIALS"], "{name:?}");
            answers.push(client.heard().pop().unwrap());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(sign_in(&client, "MINA", PASSWORD).await, Vec::<String>::new());
        house.close().await.unwrap();
    }

    async fn a_password_is_the_same_from_every_keyboard(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let (composed, decomposed) = ("비밀번호ä1234", "비밀번호a\u{308}1234");
        let input = json!({ "username": "mina", "password": decomposed });
        let reply = client.mutate("signUp", input, "session { token }").await;
        assert!(reply.refusals().is_empty());
        for password in [composed, decomposed] {
            assert_eq!(sign_in(&client, "mina", password).await, Vec::<String>::new());
        }
        house.close().await.unwrap();
    }

    async fn a_token_is_dead_once_it_is_signed_out(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let first = client.sign_up("mina", None).await;
        let input = json!({ "username": "mina", "password": PASSWORD });
        let reply = client.mutate("signIn", input, "session { token expiresAt }").await;
        let second = client.with_token(reply.at("/data/done/session/token").as_str());
        let expires = reply.text_at("/data/done/session/expiresAt");
        let expires = chrono::DateTime::parse_from_rfc3339(&expires).unwrap();
        let days = (expires.to_utc() - chrono::Utc::now()).num_days();
        assert!((29..=30).contains(&days), "{expires}");

        let ask = "{ viewer { user { username } } }";
        let out = "mutation { signOut { signedOut } }";
        assert_eq!(first.ask(out).await.at("/data/signOut/signedOut"), true);
        for question in [ask, out] {
            let reply = first.ask(question).await;
            assert_eq!((reply.status, reply.code()), (401, Some("UNAUTHENTICATED")));
        }
        assert_eq!(second.ask(ask).await.text_at("/data/viewer/user/username"), "mina");
        assert_eq!(client.ask(out).await.at("/data/signOut/signedOut"), false);
        house.close().await.unwrap();
    }

    async fn what_is_no_living_token_is_refused_as_a_whole(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let token = client.sign_up("mina", None).await.token.unwrap();
        let flipped = token.replace(&token[..1], if token.starts_with('0') { "1" } else { "0" });
        let cut = token[..63].to_owned();
        for wrong in ["", "x", &"0".repeat(64), &flipped, &cut, &format!("{token}0"), "한글"] {
            let reply = client.with_token(Some(wrong)).ask("{ marketplace { currency } }").await;
            assert_eq!((reply.status, reply.code()), (401, Some("UNAUTHENTICATED")), "{wrong}");
            assert!(reply.body.get("data").is_none(), "{}", reply.text);
        }
        house.close().await.unwrap();
    }

    async fn signed_out_one_sees_and_does_nothing_of_ones_own(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let auction = seller.list(json!({})).await;
        let user = seller.id().await;
        assert!(client.ask("{ viewer { user { id } } }").await.at("/data/viewer").is_null());
        let query = format!("{{ auction(id: {auction:?}) {{ viewerPosition {{ isSeller }} }} }}");
        assert!(client.ask(&query).await.at("/data/auction/viewerPosition").is_null());
        let amount = json!({ "amount": 1, "idempotencyKey": "k" });
        for (field, input) in [
            ("depositToWallet", amount.clone()),
            ("withdrawFromWallet", amount),
            ("createAuction", lamp(json!({}))),
            ("updateAuction", json!({ "id": auction, "title": "mine" })),
            ("placeBid", json!({ "auctionId": auction, "amount": 10_000 })),
            ("blockBidder", json!({ "user": user })),
            ("unblockBidder", json!({ "user": user })),
            // What is wrong with the input is not told to those who are not signed in.
            ("createAuction", lamp(json!({ "title": "" }))),
            ("placeBid", json!({ "auctionId": "nothing", "amount": -1 })),
            ("depositToWallet", json!({ "amount": "0", "idempotencyKey": "" })),
        ] {
            let reply = client.mutate(field, input, "").await;
            assert_eq!(reply.code(), Some("UNAUTHENTICATED"), "{field}: {}", reply.text);
            assert!(reply.body["data"].is_null(), "{field}: {}", reply.text);
        }
        house.close().await.unwrap();
    }

    async fn too_many_sign_ins_from_an_address_are_rate_limited(db: &TestDatabase) {
        let (house, client) =
            open(db, &["--rate-limit", "on", "--sign-ins-per-minute", "3"]).await;
        let mina = client.sign_up("mina", None).await;
        let attempts = (0..20).map(async |n: u32| {
            let (field, name) = if n % 2 == 0 { ("signIn", "mina") } else { ("signUp", "mina") };
            let input = json!({ "username": name, "password": PASSWORD });
            client.mutate(field, input, "session { expiresAt }").await
        });
        let replies = join_all(attempts).await;
        let limited = replies.iter().filter(|reply| reply.code() == Some("RATE_LIMITED")).count();
        assert!((1..20).contains(&limited), "{limited} of 20");
        // Neither from elsewhere nor for who is signed in already.
        let elsewhere = client.from_here([127, 0, 0, 2]);
        assert_eq!(sign_in(&elsewhere, "mina", PASSWORD).await, Vec::<String>::new());
        assert!(mina.ask("{ viewer { user { id } } }").await.code().is_none());
        house.close().await.unwrap();
    }
}
