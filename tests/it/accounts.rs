//! Accounts: which names and passwords are fit, whose names are the same, and how much one account
//! may have.

mod upgrade;

use serde_json::{Value, json};

use crate::support::{
    TestDatabase,
    api::{Client, PASSWORD, house, lamp},
    on_both,
};

async fn open(db: &TestDatabase, flags: &[&str]) -> (neighborbid::app::House, Client) {
    let house = house(db, flags).await;
    let client = Client::of(house.address);
    (house, client)
}

async fn joins(client: &Client, name: &str, password: &str) -> Vec<String> {
    let input = json!({ "username": name, "password": password });
    client.mutate("signUp", input, "user { username }").await.refusals()
}

async fn signs_in(client: &Client, name: &str) -> Option<Client> {
    let input = json!({ "username": name, "password": PASSWORD });
    let reply = client.mutate("signIn", input, "session { token } user { username }").await;
    let token = reply.body.pointer("/data/done/session/token")?.as_str()?;
    Some(client.with_token(Some(token)))
}

on_both! {
    async fn nobody_has_a_name_that_is_invisible_or_reads_like_anothers(db: &TestDatabase) {
        let (house, client) = open(db, &["--reserved-usernames", "auctioneer,경매사"]).await;
        for name in ["emma", "민수", "paul"] {
            client.sign_up(name, None).await;
        }
        let [unfit, taken] = ["INVALID_USERNAME at username", "USERNAME_TAKEN at username"];
        for (name, refusal) in [
            ("emma\u{3164}", unfit),
            ("\u{3164}\u{3164}", unfit),
            ("\u{115f}\u{1160}", unfit),
            ("em\u{200b}ma", unfit),
            ("\u{202e}amme", unfit),
            ("emma\u{2800}", unfit),
            ("emma\u{feff}", unfit),
            ("민수\u{ffa0}", unfit),
            ("ｅｍｍａ", taken),
            ("еmma", taken),
            ("EММA", taken),
            ("pauI", taken),
            ("pau1", taken),
            ("\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}", taken),
            ("admin", taken),
            ("Аdmin", taken),
            ("neighbor.bid", taken),
            ("관리자", taken),
            ("Auctioneer", taken),
            ("경매사", taken),
        ] {
            assert_eq!(joins(&client, name, PASSWORD).await, [refusal], "{name:?}");
        }
        for name in ["EMMA", "ｅｍｍａ", "Ｅmma"] {
            let emma = signs_in(&client, name).await.unwrap();
            let viewer = emma.ask("{ viewer { user { username } } }").await;
            assert_eq!(viewer.text_at("/data/viewer/user/username"), "emma", "{name}");
        }
        for name in ["еmma", "emma\u{3164}", "pauI"] {
            assert!(signs_in(&client, name).await.is_none(), "{name}");
        }
        for name in ["Ｙuna", "유나", "emma2", "paula"] {
            assert_eq!(joins(&client, name, PASSWORD).await, [""; 0], "{name}");
            assert!(signs_in(&client, name).await.is_some(), "{name}");
        }
        house.close().await.unwrap();
    }

    async fn a_password_that_is_soon_guessed_is_refused_by_its_field(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        for (name, password) in [
            ("mina", "password"),
            ("mina", "12345678"),
            ("mina", "Passw0rd"),
            ("emmawatson", "emmawatson"),
            ("emmawatson", "EmmaWatson1"),
            ("민수", "민수민수민수민수"),
        ] {
            let refusals = joins(&client, name, password).await;
            assert_eq!(refusals, ["INVALID_PASSWORD at password"], "{password}");
        }
        // However long it is, it is judged at once.
        for password in ["@4aA$5sS0oO".repeat(11), "qwertyuiop".repeat(12)] {
            joins(&client, "mina", &password).await;
        }
        assert_eq!(joins(&client, "emma", "correct horse").await, [""; 0]);
        house.close().await.unwrap();
    }

    async fn one_session_more_than_an_account_may_have_ends_the_oldest(db: &TestDatabase) {
        let (house, client) = open(db, &["--sessions-per-account", "3"]).await;
        let mut sessions = vec![client.sign_up("mina", None).await];
        let lives = async |session: &Client| {
            let reply = session.ask("{ viewer { user { username } } }").await;
            reply.code() != Some("UNAUTHENTICATED") && !reply.at("/data/viewer").is_null()
        };
        for newest in 1..6 {
            sessions.push(signs_in(&client, "mina").await.unwrap());
            for (n, session) in sessions.iter().enumerate() {
                assert_eq!(lives(session).await, n + 3 > newest, "{n} of {newest}");
            }
        }
        house.close().await.unwrap();
    }

    async fn a_seller_lists_and_blocks_no_more_than_one_may(db: &TestDatabase) {
        let flags = ["--auctions-per-seller", "2", "--blocked-per-seller", "1"];
        let (house, client) = open(db, &flags).await;
        let seller = client.sign_up("seller", None).await;
        let starts_at = chrono::Utc::now() + chrono::TimeDelta::hours(1);
        let first = seller.list(json!({})).await;
        seller.list(json!({ "startsAt": starts_at.to_rfc3339() })).await;
        let list = async || seller.mutate("createAuction", lamp(json!({})), "auction { id }").await;
        assert_eq!(list().await.refusals(), ["TOO_MANY_AUCTIONS"]);
        let cancel = json!({ "id": first, "reason": "sold elsewhere" });
        assert_eq!(seller.mutate("cancelAuction", cancel, "").await.refusals(), [""; 0]);
        assert_eq!(list().await.refusals(), [""; 0], "what has ended does not count");

        let block = async |field: &str, user: &Value| {
            seller.mutate(field, json!({ "user": user }), "").await.refusals()
        };
        let ann = json!(client.sign_up("ann", None).await.id().await);
        let ben = json!(client.sign_up("ben", None).await.id().await);
        assert_eq!(block("blockBidder", &ann).await, [""; 0]);
        assert_eq!(block("blockBidder", &ann).await, [""; 0], "once more changes nothing");
        assert_eq!(block("blockBidder", &ben).await, ["TOO_MANY_BLOCKED at user"]);
        assert_eq!(block("unblockBidder", &ann).await, [""; 0]);
        assert_eq!(block("blockBidder", &ben).await, [""; 0]);
        house.close().await.unwrap();
    }

    async fn a_title_shows_something_and_turns_nothing(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let seller = client.sign_up("seller", None).await;
        let id = seller.list(json!({})).await;
        for title in ["\u{200b}", "\u{2800}", "\u{feff}", "\u{3164}", "a\u{202e}b", "a\u{2028}b"] {
            let listed = lamp(json!({ "title": title }));
            let reply = seller.mutate("createAuction", listed, "auction { id }").await;
            assert_eq!(reply.refusals(), ["INVALID_TITLE at title"], "{title:?}");
            let edit = json!({ "id": id, "title": title });
            let reply = seller.mutate("updateAuction", edit, "auction { id }").await;
            assert_eq!(reply.refusals(), ["INVALID_TITLE at title"], "{title:?}");
        }
        let reason = json!({ "id": id, "reason": "\u{200b}\u{2800}" });
        let reply = seller.mutate("cancelAuction", reason, "").await;
        assert_eq!(reply.refusals(), ["INVALID_REASON at reason"]);
        house.close().await.unwrap();
    }
}
