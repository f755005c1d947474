//! Somebody who can publish on NATS and is no node: what they make up, change, record and play
//! again is never shown, never in the way of what happened, and costs little.

use std::{collections::HashSet, time::Duration};

use async_nats::{Client, Message};
use chrono::Utc;
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    HANGS, Scene, Watching,
    cluster::{Nodes, until},
};
use crate::support::{database, nats::Nats};

const FORGED_PRICE: i64 = 99_999_999;

/// They see everything, and say what they like.
struct Forger {
    client: Client,
    ear: async_nats::Subscriber,
    /// What they said themselves.
    said: HashSet<Vec<u8>>,
}

impl Forger {
    async fn at(nats: &Nats) -> Self {
        let client = async_nats::connect(nats.url()).await.unwrap();
        let ear = client.subscribe("neighborbid.>").await.unwrap();
        client.flush().await.unwrap();
        Self { client, ear, said: HashSet::new() }
    }

    /// The next message of a node on a subject that begins so.
    async fn hears(&mut self, subject: &str) -> Message {
        let next = async {
            loop {
                let message = self.ear.next().await.unwrap();
                let is_own = self.said.contains(&*message.payload);
                if message.subject.starts_with(subject) && !is_own {
                    return message;
                }
            }
        };
        timeout(HANGS, next).await.expect("nothing is said")
    }

    async fn says(&mut self, subject: &str, message: Vec<u8>) {
        self.said.insert(message.clone());
        self.client.publish(subject.to_owned(), message.into()).await.unwrap();
    }

    /// Says it in all the ways that a node might believe.
    async fn forges(&mut self, subject: &str, heard: &Message, said: &Value) {
        let said = said.to_string().into_bytes();
        let head = &heard.payload[..body(heard)];
        let stranger = Uuid::now_v7();
        for head in [head, stranger.as_bytes(), &[0; 64], &[]] {
            self.says(subject, [head, &said].concat()).await;
        }
        self.client.flush().await.unwrap();
    }
}

/// Where the JSON of a message begins.
fn body(message: &Message) -> usize {
    let payload = &message.payload;
    let begins = |at: &usize| serde_json::from_slice::<Value>(&payload[*at..]).is_ok();
    (0..payload.len()).find(begins).expect("no JSON in it")
}

fn said(message: &Message) -> Value {
    serde_json::from_slice(&message.payload[body(message)..]).unwrap()
}

/// The next event of an auction as somebody would like it.
fn next_event(heard: &Message) -> Value {
    let mut news = said(heard);
    let state = &mut news["event"]["state"];
    let next = state["sequence"].as_i64().unwrap() + 1;
    state["sequence"] = json!(next);
    state["price"] = json!(FORGED_PRICE);
    news["event"]["bid"]["sequence"] = json!(next);
    news
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_node_said_is_never_shown_and_the_real_bid_is() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let nodes = Nodes::start(&db, [nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let mut scene = Scene::set(&nodes).await;
    let mut forger = Forger::at(&nats).await;
    scene.round(HANGS).await;
    for _ in 0..5 {
        // The newest event, so that the forged one is the next.
        let mut auction = forger.hears("neighborbid.auction").await;
        while said(&auction)["event"]["state"]["price"] != scene.price {
            auction = forger.hears("neighborbid.auction").await;
        }
        let person = forger.hears("neighborbid.person").await;
        let forged = next_event(&auction);
        forger.forges(&auction.subject, &auction, &forged).await;
        let mut note = said(&person);
        note["notification"]["id"] = json!(Uuid::now_v7());
        forger.forges(&person.subject, &person, &note).await;
        // A whole message of a node, but not about this.
        forger.says(&auction.subject, person.payload.to_vec()).await;
        forger.says(&person.subject, auction.payload.to_vec()).await;
        forger.client.flush().await.unwrap();
        // The scene knows every update that is due, and takes no other.
        scene.round(HANGS).await;
    }
    let refused = nodes.number(1, "neighborbid_bus_refused_total{reason=\"forged\"}").await;
    assert!(refused >= 40.0, "{refused}");
    nodes.stop_all();
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_played_again_is_not_shown_again() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let nodes = Nodes::start(&db, [nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let mut scene = Scene::set(&nodes).await;
    let mut forger = Forger::at(&nats).await;
    scene.round(HANGS).await;
    let mut heard = Vec::new();
    while !heard.iter().any(|m: &Message| is_note(m)) {
        heard.push(forger.hears("neighborbid.").await);
    }
    scene.round(HANGS).await;

    // Somebody who comes later has not seen it, and is not told that it is new.
    let query = "subscription { viewerUpdated { notification { id } } }";
    let mut own =
        Watching::begin(&nodes.api(1), Some(&scene.people[0]), "viewerUpdated", query).await;
    assert_eq!(own.next().await["notification"], Value::Null);
    for _ in 0..20 {
        for message in &heard {
            forger.says(&message.subject, message.payload.to_vec()).await;
        }
    }
    forger.client.flush().await.unwrap();
    let told = timeout(Duration::from_secs(3), own.next()).await;
    assert!(told.is_err(), "{told:?}");
    for _ in 0..3 {
        scene.round(HANGS).await;
    }
    let replayed = "neighborbid_bus_refused_total{reason=\"replayed\"}";
    assert!(nodes.number(1, replayed).await >= 20.0);
    nodes.stop_all();
    db.finish().await;
}

fn is_note(message: &Message) -> bool {
    message.subject.starts_with("neighborbid.person") && !said(message)["notification"].is_null()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_forgeries_reads_no_log_and_fills_no_log_file() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let nodes = Nodes::start(&db, [nats.url(), nats.url()]);
    nodes.know_the_bus(true).await;
    let mut scene = Scene::set(&nodes).await;
    let mut forger = Forger::at(&nats).await;
    scene.round(HANGS).await;
    let auction = forger.hears("neighborbid.auction").await;
    let reads = async || nodes.number(1, "neighborbid_log_reads_total").await;
    let before = reads().await;
    for number in 0..20_000_u32 {
        let mut forged = auction.payload.to_vec();
        let at = number as usize % forged.len();
        forged[at] ^= 1;
        forger.says(&auction.subject, forged).await;
    }
    forger.client.flush().await.unwrap();
    scene.round(HANGS).await;
    assert!(reads().await - before <= 2.0, "{} reads", reads().await - before);
    let lines = nodes.lines_with(1, "no node of ours sealed");
    assert_eq!(lines, 1, "a line is due, and no more");
    nodes.stop_all();
    db.finish().await;
}

/// A message as a node with this secret sends it.
fn sealed(secret: &str, subject: &str, number: u64, sent: i64, said: &[u8]) -> Vec<u8> {
    let head = [&[7; 16][..], &number.to_be_bytes(), &sent.to_be_bytes(), said].concat();
    let mut seal = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    seal.update(b"neighborbid bus 1");
    seal.update(&(subject.len() as u64).to_be_bytes());
    seal.update(subject.as_bytes());
    seal.update(&head);
    [&seal.finalize().into_bytes()[..], &head].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_of_another_version_says_sends_this_one_to_the_log_unless_it_is_old() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let secret = "one that is long enough";
    let flags = ["--nats-url", &nats.url(), "--nats-secret", secret].map(str::to_owned).to_vec();
    let nodes = Nodes::start_with(&db, [flags.clone(), flags]);
    nodes.know_the_bus(true).await;
    let mut scene = Scene::set(&nodes).await;
    scene.round(HANGS).await;
    let mut forger = Forger::at(&nats).await;
    let subject = format!("neighborbid.auction.{}", scene.lamp);
    let number = async |name| nodes.number(1, name).await;
    let reads = "neighborbid_log_reads_total";
    let before = number(reads).await;
    let now = Utc::now().timestamp_millis();
    let says = |number, sent| sealed(secret, &subject, number, sent, b"{\"of\": \"tomorrow\"}");
    for message in [says(1, now - 120_000), says(2, now), says(2, now)] {
        forger.says(&subject, message).await;
    }
    forger.client.flush().await.unwrap();
    // The auction's topic and the list hear it, the old one and the one that comes twice.
    let refused = |reason| format!("neighborbid_bus_refused_total{{reason=\"{reason}\"}}");
    let (old, replayed) = (refused("old"), refused("replayed"));
    let is_judged = async || number(&old).await == 2.0 && number(&replayed).await == 2.0;
    until("they are judged", is_judged).await;
    until("the log is read", async || number(reads).await == before + 1.0).await;
    scene.round(HANGS).await;
    assert_eq!(number(reads).await, before + 1.0);
    nodes.stop_all();
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_another_secret_are_not_heard_and_the_log_still_tells() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let flags = |secret: &str| {
        ["--nats-url", &nats.url(), "--nats-secret", secret].map(str::to_owned).to_vec()
    };
    let secrets = ["one that is long enough", "another that is long enough"];
    let nodes = Nodes::start_with(&db, secrets.map(flags));
    nodes.know_the_bus(true).await;
    let mut scene = Scene::set_unheard(&nodes).await;
    for _ in 0..2 {
        scene.round(HANGS).await;
    }
    let refused = nodes.number(1, "neighborbid_bus_refused_total{reason=\"forged\"}").await;
    assert!(refused >= 4.0, "{refused}");
    nodes.stop_all();
    db.finish().await;
}
