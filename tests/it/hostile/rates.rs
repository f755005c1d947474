//! Clients that ask too often: by alias, from many addresses, with many passwords. Each is told how
//! long to wait, and nobody else waits.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    TestDatabase,
    api::{Client, PASSWORD, Reply, house, lamp},
    on_both,
};

async fn open(db: &TestDatabase, flags: &[&str]) -> (neighborbid::app::House, Client) {
    let house = house(db, &[&["--rate-limit", "on"], flags].concat()).await;
    let client = Client::of(house.address);
    (house, client)
}

/// How many of the errors are RATE_LIMITED; each says how long to wait, and the answer does too.
fn limited(reply: &Reply) -> usize {
    let none = Vec::new();
    let errors = reply.body["errors"].as_array().unwrap_or(&none);
    let waits = errors.iter().filter(|error| error["extensions"]["code"] == "RATE_LIMITED");
    let waits: Vec<_> =
        waits.map(|e| e["extensions"]["retryAfterSeconds"].as_u64().unwrap()).collect();
    assert!(waits.iter().all(|wait| *wait >= 1), "{}", reply.text);
    if let Some(longest) = waits.iter().max() {
        let told = reply.headers["retry-after"].to_str().unwrap();
        assert_eq!(told.parse::<u64>(), Ok(*longest), "{}", reply.text);
    }
    waits.len()
}

async fn sign_in(client: &Client, name: &str, password: &str) -> Reply {
    let input = json!({ "username": name, "password": password });
    client.mutate("signIn", input, "session { token }").await
}

/// Whether somebody is signed in by it.
fn is_in(reply: &Reply) -> bool {
    reply.body.pointer("/data/done/session/token").is_some()
}

on_both! {
    async fn each_alias_of_a_mutation_counts(db: &TestDatabase) {
        let flags = ["--listings-per-minute", "4", "--mutations-per-minute", "6"];
        let (house, client) = open(db, &flags).await;
        let seller = client.sign_up("seller", None).await;
        let aliases = |field: &str, input: &Value, number: usize| {
            let input = input.as_object().unwrap().iter();
            let input: Vec<_> = input.map(|(name, value)| format!("{name}: {value}")).collect();
            let input = input.join(" ");
            let one = format!("{field}(input: {{ {input} }}) {{ userErrors {{ code }} }} ");
            let all: String = (0..number).map(|n| format!("a{n}: {one}")).collect();
            format!("mutation {{ {all} }}")
        };
        let listing = aliases("createAuction", &lamp(json!({})), 12);
        // What a null of one field is to the whole answer is not of interest here.
        let reply = seller.ask(&listing).await;
        assert!(limited(&reply) >= 1, "{}", reply.text);
        assert!(limited(&seller.ask(&listing).await) >= 1);
        let listed = client.ask("{ auctions(first: 50) { nodes { id } } }").await;
        let listed = listed.body["data"]["auctions"]["nodes"].as_array().map_or_else(
            Vec::new,
            Vec::clone,
        );
        assert!((4..12).contains(&listed.len()), "{listed:?}");
        // Another kind has a limit of its own, and so has everybody else.
        let other = client.sign_up("other", None).await;
        assert_eq!(limited(&other.ask(&aliases("createAuction", &lamp(json!({})), 2)).await), 0);
        let deposit = |n: usize| json!({ "amount": "1", "idempotencyKey": format!("k{n}") });
        let mut moved = 0;
        for n in 0..9 {
            let reply = seller.mutate("depositToWallet", deposit(n), "wallet { available }").await;
            moved += 1 - limited(&reply);
        }
        assert!((6..9).contains(&moved), "{moved} of 9");
        house.close().await.unwrap();
    }

    async fn wrong_passwords_from_one_network_stop_early_and_the_owner_signs_in(db: &TestDatabase) {
        let (house, client) = open(db, &["--trust-proxy"]).await;
        let emma = client.forwarded_for("203.0.113.1");
        emma.sign_up("emma", None).await;
        let guesses = (0..200).map(async |n: u32| {
            let from = format!("2001:db8:1:2::{n:x}");
            sign_in(&client.forwarded_for(&from), "emma", &format!("guess number {n}")).await
        });
        let replies = join_all(guesses).await;
        let judged = replies.iter().filter(|reply| limited(reply) == 0).count();
        // The next try waits twice as long each time: even ten minutes are not enough for more.
        assert!((1..=15).contains(&judged), "{judged} of 200");
        // The owner from home, and from wherever nobody has tried.
        for from in ["203.0.113.1", "198.51.100.7", "2001:db8:1:3::1"] {
            assert!(is_in(&sign_in(&client.forwarded_for(from), "Emma", PASSWORD).await), "{from}");
        }
        house.close().await.unwrap();
    }

    async fn wrong_passwords_from_many_networks_have_a_try_each(db: &TestDatabase) {
        let (house, client) = open(db, &["--trust-proxy"]).await;
        client.forwarded_for("203.0.113.1").sign_up("emma", None).await;
        let mut judged = 0;
        for network in 0..12 {
            for n in 0..4 {
                let from = client.forwarded_for(&format!("10.{network}.0.{n}"));
                let guess = async |password| sign_in(&from, "emma", password).await;
                let replies = join_all([guess("guess one"), guess("guess two")]).await;
                judged += replies.iter().filter(|reply| limited(reply) == 0).count();
            }
        }
        assert!(judged < 80, "{judged} of 96");
        let home = client.forwarded_for("203.0.113.1");
        assert!(is_in(&sign_in(&home, "emma", PASSWORD).await));
        house.close().await.unwrap();
    }

    async fn operations_are_counted_by_what_they_cost(db: &TestDatabase) {
        let flags = ["--points-per-minute", "600", "--network-points-per-minute", "2000"];
        let (house, client) = open(db, &flags).await;
        let here = |n: u8| client.from_here([127, 0, 0, n]);
        let mina = here(1).sign_up("mina", None).await;
        let page = "{ auctions(first: 50) { nodes { id title currentPrice } } }";
        let cheap = "{ marketplace { currency } }";
        let ask = async |who: &Client, text: &str, number: usize| {
            let mut answered = 0;
            for _ in 0..number {
                answered += usize::from(limited(&who.ask(text).await) == 0);
            }
            answered
        };
        let pages = ask(&mina, page, 20).await;
        assert!((1..10).contains(&pages), "{pages}");
        assert!(ask(&here(2), page, 40).await > pages, "a network has more than an account");
        assert!(ask(&here(2), page, 40).await < 20, "but not for ever");
        // Nobody else waits, and what costs little may be asked often.
        let other = here(3).sign_up("other", None).await;
        assert_eq!(ask(&other, cheap, 100).await, 100);
        house.close().await.unwrap();
    }
}
