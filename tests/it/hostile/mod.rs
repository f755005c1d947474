//! Hostile clients: each kind of attack on a real server, with what it costs the server and what
//! its neighbours feel of it. Bounds are on CPU time, bytes and counts, never on the clock.

mod connections;
mod documents;
mod gibberish;
mod live;
mod rates;
mod reads;

use std::net::SocketAddr;

use crate::support::{
    attack::{Neighbour, Usage},
    binary::Server,
    database,
};

fn address(server: &Server) -> SocketAddr {
    server.address.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbours_bids_are_accepted_where_nobody_attacks() {
    let database = database::sqlite().await;
    // Only the limits of what a neighbour does are off.
    let server = Server::start(&database.url, &["--payments", "simulated", "--rate-limit", "off"]);
    let before = Usage::of(&server);
    let neighbour = Neighbour::begin(address(&server)).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    neighbour.end().await;
    assert!(before.cpu_since(&server) > std::time::Duration::ZERO);
    assert!(before.growth_since(&server) < 1 << 30);
    server.stop();
    database.finish().await;
}
