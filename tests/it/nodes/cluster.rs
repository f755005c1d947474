//! The nodes of one house: real processes on one database, with NATS between them.

use std::{net::SocketAddr, time::Duration};

use tokio::sync::watch;

use crate::support::{TestDatabase, api::Client, binary::Server, client::Api};

/// Where nodes serve now.
pub type Addresses = watch::Receiver<Vec<SocketAddr>>;

/// The nodes.
pub struct Nodes {
    database_url: String,
    /// What each was told of NATS.
    bus: Vec<Vec<String>>,
    servers: Vec<Option<Server>>,
    tell: watch::Sender<Vec<SocketAddr>>,
}

impl Nodes {
    /// Starts as many as there are ways to NATS.
    pub fn start(database: &TestDatabase, bus: impl IntoIterator<Item = String>) -> Self {
        let flags = bus.into_iter().map(|url| vec!["--nats-url".to_owned(), url]);
        Self::start_with(database, flags)
    }

    /// Starts one for each of these, the flags that tell it of NATS.
    pub fn start_with(database: &TestDatabase, bus: impl IntoIterator<Item = Vec<String>>) -> Self {
        let bus: Vec<_> = bus.into_iter().collect();
        let servers = bus.iter().map(|_| None).collect();
        let database_url = database.url.clone();
        let mut nodes = Self { database_url, bus, servers, tell: watch::Sender::default() };
        (0..nodes.bus.len()).for_each(|node| nodes.start_again(node));
        nodes
    }

    /// Starts as many that know of each other by the database alone.
    pub fn without_bus(database: &TestDatabase, nodes: usize) -> Self {
        Self::start_with(database, (0..nodes).map(|_| Vec::new()))
    }

    pub fn start_again(&mut self, node: usize) {
        assert!(self.servers[node].is_none(), "it runs");
        let flags = [
            ["--payments", "simulated"],
            ["--rate-limit", "off"],
            ["--sockets-per-address", "1000"],
        ];
        let bus = self.bus[node].iter().map(String::as_str);
        let flags: Vec<_> = flags.concat().into_iter().chain(bus).collect();
        self.servers[node] = Some(Server::start(&self.database_url, &flags));
        self.tell();
    }

    fn tell(&self) {
        let running = (0..self.servers.len()).filter(|node| self.servers[*node].is_some());
        self.tell.send_replace(running.map(|node| self.address(node)).collect());
    }

    /// SIGKILL; returns when the process is gone.
    pub fn kill(&mut self, node: usize) {
        drop(self.servers[node].take().unwrap());
        self.tell();
    }

    /// SIGTERM; returns when the process has ended, and well.
    pub fn stop(&mut self, node: usize) {
        self.servers[node].take().unwrap().stop();
        self.tell();
    }

    /// Those that run all end well.
    pub fn stop_all(mut self) {
        for node in 0..self.servers.len() {
            if self.servers[node].is_some() {
                self.stop(node);
            }
        }
    }

    pub fn address(&self, node: usize) -> SocketAddr {
        self.servers[node].as_ref().unwrap().address.parse().unwrap()
    }

    pub fn addresses(&self) -> Addresses {
        self.tell.subscribe()
    }

    pub fn api(&self, node: usize) -> Api {
        Api::new(self.address(node))
    }

    /// How many lines of a node's log hold `words`.
    pub fn lines_with(&self, node: usize, words: &str) -> usize {
        self.servers[node].as_ref().unwrap().lines_with(words)
    }

    /// Who asks a node what only operators may know.
    fn operator(&self, node: usize) -> Client {
        Client::of(&self.servers[node].as_ref().unwrap().admin)
    }

    /// One of the numbers of a node's `/metrics`; 0 before it is counted.
    pub async fn number(&self, node: usize, name: &str) -> f64 {
        let (status, text) = self.operator(node).get("/metrics").await.unwrap();
        assert_eq!(status, 200);
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.map_or(0.0, |number| number.parse().unwrap())
    }

    /// What `/readyz` of a node says; it must say that the node serves.
    pub async fn readyz(&self, node: usize) -> String {
        let (status, text) = self.operator(node).get("/readyz").await.unwrap();
        assert_eq!(status, 200, "{text}");
        text
    }

    /// Waits until every node that runs knows that the bus works, or that it does not.
    pub async fn know_the_bus(&self, is_up: bool) {
        for node in (0..self.servers.len()).filter(|node| self.servers[*node].is_some()) {
            self.knows_its_bus(node, is_up).await;
        }
    }

    /// Waits until a node knows that its bus works, or that it does not.
    pub async fn knows_its_bus(&self, node: usize, is_up: bool) {
        let up = f64::from(u8::from(is_up));
        let what = format!("node {node} knows whether the bus is up: {is_up}");
        until(&what, async || self.number(node, "neighborbid_bus_up").await == up).await;
        let said = self.readyz(node).await;
        assert_eq!(said == "ready\n", is_up, "{said}");
        assert_eq!(said.contains("the bus is down"), !is_up, "{said}");
    }
}

/// Waits until `holds`; a guard ends a wait for what never comes.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}
