//! Without NATS, be it down or never there, bids go on and everything is seen within two seconds,
//! by the log; operators are told; and when it is back, nobody need do anything.

use std::time::Duration;

use super::{Scene, cluster::Nodes};
use crate::support::{TestDatabase, database, nats::Nats, on_both};

/// What is promised, from the bid's reply on.
const SOON: Duration = Duration::from_secs(2);

async fn two_nodes(db: &TestDatabase, nats: &Nats, is_up: bool) -> (Nodes, Scene) {
    let nodes = Nodes::start(db, [nats.url(), nats.url()]);
    nodes.know_the_bus(is_up).await;
    let scene = Scene::set(&nodes).await;
    (nodes, scene)
}

/// From before the nodes notice on.
async fn goes_on_by_the_log(nodes: &Nodes, scene: &mut Scene) {
    for _ in 0..3 {
        scene.round(SOON).await;
    }
    nodes.know_the_bus(false).await;
    for _ in 0..3 {
        scene.round(SOON).await;
    }
}

async fn recovers_by_itself(db: TestDatabase, nodes: Nodes, mut scene: Scene) {
    nodes.know_the_bus(true).await;
    scene.by_the_bus(&nodes).await;
    nodes.stop_all();
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_open_and_serve_without_nats_and_use_it_once_it_is_there() {
    let db = database::postgres().await;
    let mut nats = Nats::absent();
    let (nodes, mut scene) = two_nodes(&db, &nats, false).await;
    goes_on_by_the_log(&nodes, &mut scene).await;
    nats.start();
    recovers_by_itself(db, nodes, scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_come_within_two_seconds_while_nats_is_dead() {
    let db = database::postgres().await;
    let mut nats = Nats::running();
    let (nodes, mut scene) = two_nodes(&db, &nats, true).await;
    nats.kill();
    goes_on_by_the_log(&nodes, &mut scene).await;
    nats.start();
    recovers_by_itself(db, nodes, scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_come_within_two_seconds_while_nats_stalls() {
    let db = database::postgres().await;
    let nats = Nats::running();
    let (nodes, mut scene) = two_nodes(&db, &nats, true).await;
    nats.pause();
    goes_on_by_the_log(&nodes, &mut scene).await;
    nats.resume();
    recovers_by_itself(db, nodes, scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_without_its_bus_commits_is_seen_by_those_who_have_theirs() {
    let db = database::postgres().await;
    let (nowhere, nats) = (Nats::absent(), Nats::running());
    let nodes = Nodes::start(&db, [nowhere.url(), nats.url()]);
    nodes.knows_its_bus(0, false).await;
    nodes.knows_its_bus(1, true).await;
    let mut scene = Scene::set(&nodes).await;
    for _ in 0..3 {
        scene.round(SOON).await;
    }
    nodes.stop_all();
    db.finish().await;
}

on_both! {
    async fn processes_that_were_given_no_bus_tell_each_others_watchers(db: &TestDatabase) {
        let nodes = Nodes::without_bus(db, 2);
        let mut scene = Scene::set(&nodes).await;
        for _ in 0..3 {
            scene.round(SOON).await;
        }
        nodes.stop_all();
    }
}
