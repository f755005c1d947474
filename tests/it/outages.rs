//! A database that goes away in the midst of a storm and comes back, and a node that is stopped
//! and goes on later: nothing that was acknowledged is lost, nothing is done twice, the others go
//! on, and nobody need do anything.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;

use crate::support::{
    bidder,
    binary::{self, Server},
    books::Books,
    database::{self, TestDatabase},
    postgres,
    rough::{Storm, until_readyz},
};

const FLAGS: [&str; 4] = ["--payments", "simulated", "--rate-limit", "off"];

fn address(server: &Server) -> SocketAddr {
    server.address.parse().unwrap()
}

async fn everything_is_there(database: &TestDatabase, notes: &[bidder::Note]) {
    let audit = binary::run(&["audit", "--database-url", &database.url]);
    assert_eq!(audit.code, Some(0), "{}{}", audit.out, audit.err);
    let books = Books::read(database).await;
    books.check();
    let tally = bidder::compare(notes, &books);
    assert!(tally.accepted > 50, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_goes_on_where_a_crash_of_the_database_cut_it() {
    let mut postgres = postgres::Own::start();
    let database = database::on_server(&postgres.url).await;
    // Far longer than the longest absence, however slow the machine: so everybody is told what
    // became of their bids.
    let flags = [&FLAGS[..], &["--commit-lookup-seconds", "900"]].concat();
    let server = Server::start(&database.url, &flags);
    let storm = Storm::begin(&[address(&server)]).await;
    for away in [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(30)] {
        storm.more(200, 0).await;
        postgres.crash();
        if away > Duration::ZERO {
            let why = until_readyz(&server, 503).await;
            assert!(why.contains("does not answer"), "{why}");
            storm.more(0, 20).await;
            tokio::time::sleep(away).await;
        }
        postgres.start_again();
        storm.more(200, 0).await;
        until_readyz(&server, 200).await;
    }
    let notes = storm.end().await;
    let log = server.stop();
    everything_is_there(&database, &notes).await;
    let errors = log.lines().filter(|line| line.contains("\"level\":\"ERROR\"")).count();
    assert!(errors < 60, "an outage fills the log: {errors} errors");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_stopped_in_a_storm_holds_nobody_up_and_harms_nothing_when_it_goes_on() {
    let database = database::postgres().await;
    let nodes = [Server::start(&database.url, &FLAGS), Server::start(&database.url, &FLAGS)];
    let storm = Storm::begin(&[address(&nodes[0]), address(&nodes[1])]).await;
    storm.more_of(0, 100).await;
    storm.more_of(1, 100).await;
    for _ in 0..3 {
        nodes[1].signal("STOP");
        // All the while, and not only after it.
        for _ in 0..4 {
            storm.more_of(0, 50).await;
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
        storm.more_of(0, 50).await;
        nodes[1].signal("CONT");
        storm.more_of(1, 50).await;
    }
    let read = storm.api.run(None, "{ auctions(first: 3) { nodes { id } } }", json!({})).await;
    assert_eq!(read.unwrap()["auctions"]["nodes"].as_array().unwrap().len(), 3);
    let silent = storm.longest_silence(0);
    eprintln!("the other node was silent for {silent:?}, {} turned away", storm.turned_away());
    let notes = storm.end().await;
    for node in nodes {
        node.stop();
    }
    everything_is_there(&database, &notes).await;
    database.finish().await;
}
