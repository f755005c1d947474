//! How nodes sign in to NATS, that those who may not are told so, and that no secret is in a log.

use std::time::{Duration, Instant};

use neighborbid::store::bus_secret;

use super::cluster::until;
use crate::support::{
    TestDatabase,
    api::Client,
    binary::{Server, run, run_in},
    database,
    nats::Nats,
    nats_keys::{Folder, Operator},
    on_both,
};

/// Everything there is to log, the NATS client's own lines too.
const ALL: [&str; 2] = ["--log", "trace,async_nats=trace,rustls=trace"];

const UP: &str = "neighborbid_bus_up 1\n";

fn node(db: &TestDatabase, flags: &[&str], variables: &[(&str, &str)]) -> Server {
    let flags = [&ALL[..], flags].concat();
    Server::starting(&db.url, &flags, variables).ready()
}

async fn is_up(node: &Server) -> bool {
    let (_, numbers) = Client::of(&node.admin).get("/metrics").await.unwrap();
    numbers.contains(UP)
}

/// The node's bus works, and nothing of this is in its log.
async fn signs_in(db: &TestDatabase, flags: &[&str], variables: &[(&str, &str)], secrets: &[&str]) {
    let node = node(db, flags, variables);
    until(&format!("{flags:?} signs in"), async || is_up(&node).await).await;
    let log = node.stop();
    assert!(log.contains("write operation: CONNECT"), "the client's own lines are missing");
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is in the log: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_signs_in_by_name_and_password_and_tells_them_to_no_log() {
    let db = database::sqlite().await;
    let config = r#"authorization { user: "bob", password: "s3cr@t/1" }"#;
    let nats = Nats::configured(config);
    let (url, address) = (nats.url(), nats.address);
    let in_url = format!("nats://bob:s3cr%40t%2F1@{address}");
    let secrets = ["s3cr@t", "s3cr%40t"];
    signs_in(&db, &["--nats-url", &in_url], &[], &secrets).await;
    let by_flags = ["--nats-user", "bob", "--nats-password", "s3cr@t/1"];
    let flags = [&["--nats-url", &url][..], &by_flags].concat();
    signs_in(&db, &flags, &[], &secrets).await;
    let variables = [("NATS_URL", &*url), ("NATS_USER", "bob"), ("NATS_PASSWORD", "s3cr@t/1")];
    signs_in(&db, &[], &variables, &secrets).await;
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_signs_in_by_token_and_tells_it_to_no_log() {
    let db = database::sqlite().await;
    let nats = Nats::configured(r#"authorization { token: "s3cr:t" }"#);
    let in_url = format!("nats://s3cr%3At@{}", nats.address);
    signs_in(&db, &["--nats-url", &in_url], &[], &["s3cr"]).await;
    let flags = ["--nats-url", &nats.url(), "--nats-token", "s3cr:t"];
    signs_in(&db, &flags, &[], &["s3cr"]).await;
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_signs_in_by_key_and_by_credentials_and_tells_them_to_no_log() {
    let db = database::sqlite().await;
    let folder = Folder::new("keys");
    let key = nkeys::KeyPair::new_user();
    let (id, seed) = (key.public_key(), key.seed().unwrap());
    let nats = Nats::configured(&format!("authorization {{ users: [ {{ nkey: {id} }} ] }}"));
    let url = nats.url();
    signs_in(&db, &["--nats-url", &url], &[("NATS_NKEY", &seed)], &[&seed]).await;
    let file = folder.write("node.nk", &format!("{seed}\n"));
    signs_in(&db, &["--nats-url", &url, "--nats-nkey", &file], &[], &[&seed]).await;

    let operator = Operator::new();
    let nats = Nats::configured(&operator.config);
    let file = folder.write("node.creds", &operator.credentials);
    let jwt = operator.credentials.lines().nth(1).unwrap();
    let flags = ["--nats-url", &nats.url(), "--nats-credentials", &file];
    signs_in(&db, &flags, &[], &[&operator.seed, jwt]).await;
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_and_nats_know_each_other_by_certificates() {
    let db = database::sqlite().await;
    let folder = Folder::new("certificates");
    folder.certify();
    let [ca, node_pem, node_key, server_pem, server_key] =
        ["ca.pem", "node.pem", "node.key", "server.pem", "server.key"].map(|f| folder.path(f));
    let nats = Nats::configured(&format!(
        "tls {{ cert_file: {server_pem:?}, key_file: {server_key:?}, ca_file: {ca:?}, \
         verify: true }}"
    ));
    let url = format!("tls://{}", nats.address);
    let own = ["--nats-certificate", &node_pem, "--nats-key", &node_key];
    let trusting = ["--nats-url", &url, "--nats-ca", &ca];
    let key = std::fs::read_to_string(&node_key).unwrap();
    let line_of_key = key.lines().nth(1).unwrap();
    signs_in(&db, &[&trusting[..], &own].concat(), &[], &[line_of_key]).await;

    // One that nobody vouches for is not spoken to, and one without a certificate is not heard.
    let stranger = Folder::new("stranger");
    stranger.certify();
    let other = stranger.path("ca.pem");
    let wary = ["--nats-url", &url, "--nats-ca", &other];
    let [wary, nameless] =
        [[&wary[..], &own].concat(), trusting.to_vec()].map(|flags| node(&db, &flags, &[]));
    for node in [wary, nameless] {
        until("the warning", async || node.lines_with("\"message\":\"NATS\"") > 0).await;
        assert!(!is_up(&node).await);
        node.stop();
    }
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_never_speaks_in_the_clear_where_tls_is_asked_for() {
    let db = database::sqlite().await;
    let nats = Nats::running();
    let url = format!("tls://bob:s3cret@{}", nats.address);
    let node = node(&db, &["--nats-url", &url], &[]);
    until("the warning", async || node.lines_with("\"message\":\"NATS\"") > 0).await;
    let log = node.stop();
    assert!(!log.contains("write operation: CONNECT"), "it signed in without TLS");
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_sign_in_is_told_once_and_tried_again_until_it_is_taken() {
    let db = database::sqlite().await;
    let mut nats = Nats::configured(r#"authorization { user: bob, password: "other" }"#);
    let url = format!("nats://bob:s3cret@{}", nats.address);
    // As operators run it: the client's own lines are not asked for.
    let node = Server::start(&db.url, &["--nats-url", &url]);
    let refused = || node.lines_with("NATS refused the sign-in");
    until("the warning", async || refused() > 0).await;
    let (_, ready) = Client::of(&node.admin).get("/readyz").await.unwrap();
    assert!(ready.contains("the bus is down"), "{ready}");
    // Long enough for many attempts.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(refused(), 1, "{}", node.log());
    assert!(node.lines_with("NATS") <= 2, "{}", node.log());

    nats.kill();
    nats.configure(r#"authorization { user: bob, password: "s3cret" }"#);
    nats.start();
    let mended = Instant::now();
    until("it is taken", async || is_up(&node).await).await;
    assert!(mended.elapsed() < Duration::from_secs(10), "{:?}", mended.elapsed());
    let log = node.stop();
    assert!(!log.contains("s3cret"), "{log}");
    db.finish().await;
}

on_both! {
    async fn the_secret_that_the_database_keeps_is_in_no_log(db: &TestDatabase) {
        let opened = db.open().await;
        let secret = bus_secret::read(&opened.read).await.unwrap();
        opened.close().await;
        assert!(secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit()), "{secret}");
        let nats = Nats::running();
        let flags = ["--nats-url", &nats.url(), "--log", "trace,async_nats=trace,sqlx=trace"];
        let node = Server::start(&db.url, &flags);
        until("it is up", async || is_up(&node).await).await;
        let log = node.stop();
        assert!(log.contains("write operation: CONNECT"), "not everything is logged");
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn every_database_has_a_secret_of_its_own() {
    let mut secrets = Vec::new();
    for on_postgres in [false, false, true, true] {
        let empty = database::empty(on_postgres).await;
        let db = empty.open().await;
        migration::up(&db.write).await.unwrap();
        secrets.push(bus_secret::read(&db.read).await.unwrap());
        db.close().await;
        empty.finish().await;
    }
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 4);
}

#[test]
fn help_shows_no_secret_of_the_environment() {
    let names = ["NATS_URL", "NATS_PASSWORD", "NATS_TOKEN", "NATS_NKEY", "NEIGHBORBID_NATS_SECRET"];
    let ended = run_in(&["serve", "--help"], &names.map(|name| (name, "s3cret")));
    assert!(names.iter().all(|name| ended.out.contains(name)), "{}", ended.out);
    assert!(!ended.out.contains("s3cret"), "{}", ended.out);
}

#[test]
fn settings_of_the_bus_that_contradict_themselves_are_one_line_without_secrets() {
    for (flags, due) in [
        (&["--nats-token", "s3cret"][..], "the bus: --nats-token needs --nats-url"),
        (
            &["--nats-url", "nats://bob:s3cret@h", "--nats-token", "s3cret"],
            "the bus: NATS is signed in to in one way: --nats-url's own and --nats-token are given",
        ),
        (
            &["--nats-url", "nats://h", "--nats-nkey", "SUs3cret"],
            "the bus: --nats-nkey is neither a user's seed (SU…) nor a file that holds one",
        ),
    ] {
        let listen = ["serve", "--listen", "127.0.0.1:0", "--database-url", "sqlite::memory:"];
        let ended = run(&[&listen[..], flags].concat());
        assert_eq!((ended.code, &*ended.err), (Some(1), &*format!("neighborbid: {due}\n")));
    }
    let ended = run(&["serve", "--nats-url", "nats://bob:s3cret/@h"]);
    assert_eq!((ended.code, ended.err.lines().count()), (Some(1), 1), "{}", ended.err);
    assert!(!ended.err.contains("s3cret"), "{}", ended.err);
}
