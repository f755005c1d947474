//! Who signs out on one node is signed out on the others within a second: by the bus, and by the
//! database while there is none.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{HANGS, Watching, cluster::Nodes};
use crate::support::{
    client::{Api, Lost, Person, Socket},
    database,
    nats::Nats,
};

/// A second is promised; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(3);

const OWN: &str = "subscription { viewerUpdated { wallet { available } } }";
const PUBLIC: &str = "subscription { auctionsUpdated { sequence } }";

async fn is_closed_with_4403(mut watching: Watching) {
    loop {
        match timeout(HANGS, watching.socket.next(&watching.id)).await.expect("it goes on") {
            // The other node does not know yet, and tells again what the log says.
            Ok(Some(_)) => {}
            Err(Lost::Broken(why)) if why.contains("4403") => return,
            end => panic!("{end:?}"),
        }
    }
}

/// Signs out here; what is open there ends, and nothing else.
async fn signs_out(here: &Api, there: &Api, who: &Person, other: &Person) {
    let watch = async |who| {
        let mut own = Watching::begin(there, Some(who), "viewerUpdated", OWN).await;
        own.next().await;
        own
    };
    let (own, mut others) = (watch(who).await, watch(other).await);
    let public = Watching::begin(there, Some(who), "auctionsUpdated", PUBLIC).await;
    let out = "mutation { signOut { signedOut } }";
    let done = here.run(Some(&who.token), out, json!({})).await.unwrap();
    assert_eq!(done["signOut"]["signedOut"], true);
    let answered = Instant::now();
    is_closed_with_4403(own).await;
    is_closed_with_4403(public).await;
    assert!(answered.elapsed() < SOON, "{:?}", answered.elapsed());
    let again = Socket::open(there.address, Some(&who.token)).await;
    assert!(matches!(again, Err(Lost::Broken(why)) if why.contains("4403")));
    here.deposit(other, 5).await;
    while others.next().await["wallet"]["available"] != "5" {}
}

async fn all_sign_out(nats: Nats, is_up: bool) {
    let db = database::postgres().await;
    let nodes = Nodes::start(&db, [nats.url(), nats.url()]);
    nodes.know_the_bus(is_up).await;
    let (one, two) = (nodes.api(0), nodes.api(1));
    for (here, there, name) in [(&one, &two, "ann"), (&two, &one, "ben")] {
        let who = here.sign_up(name, 0).await;
        let other = here.sign_up(&format!("{name}-s-friend"), 0).await;
        signs_out(here, there, &who, &other).await;
    }
    nodes.stop_all();
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_out_on_one_node_ends_what_is_open_on_another() {
    all_sign_out(Nats::running(), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_out_on_one_node_ends_what_is_open_on_another_without_a_bus() {
    all_sign_out(Nats::absent(), false).await;
}
