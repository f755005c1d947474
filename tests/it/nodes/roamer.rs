//! People who watch an auction to its end and go from node to node: some now and then by
//! themselves, all of them when their node goes away. They begin again where they left off.

use std::{net::SocketAddr, time::Duration};

use entity::ids::AuctionId;
use tokio::task::JoinHandle;

use super::cluster::Addresses;
use crate::support::{
    books::Books,
    client::{Lost, Socket, Update},
    dice::Dice,
    watcher::Given,
};

/// A watcher.
pub struct Roamer {
    pub nodes: Addresses,
    pub auction: AuctionId,
    /// Goes elsewhere now and then.
    pub is_restless: bool,
    pub dice: Dice,
}

/// What a watcher went through.
#[derive(Debug)]
pub struct Journey {
    pub given: Given,
    /// How those connections ended that a node ended.
    pub lost: Vec<String>,
}

fn is_final(update: &Update) -> bool {
    matches!(update.kind.as_str(), "SOLD" | "UNSOLD" | "CANCELLED")
}

impl Journey {
    /// What came is what is in the log, each event once, in order, and the final one as itself.
    pub fn check(&self, books: &Books) {
        self.given.check(books);
        let finals = self.given.connections.iter().flat_map(|(_, updates)| updates);
        assert_eq!(finals.filter(|update| is_final(update)).count(), 1);
    }
}

impl Roamer {
    /// Watches until the auction's end.
    pub fn start(self) -> JoinHandle<Journey> {
        tokio::spawn(self.run())
    }

    async fn run(mut self) -> Journey {
        let given = Given { auction: self.auction, connections: Vec::new() };
        let mut journey = Journey { given, lost: Vec::new() };
        loop {
            let node = any(&mut self.nodes, &mut self.dice).await;
            // A node that just went away is not yet known to be gone.
            if let Ok(socket) = Socket::open(node, None).await {
                let after = journey.given.last();
                let mut updates = Vec::new();
                let left = self.connection(socket, after, &mut updates).await;
                let is_over = updates.last().is_some_and(is_final);
                journey.given.connections.push((after, updates));
                match left {
                    _ if is_over => return journey,
                    Ok(()) => {}
                    Err(Lost::Broken(why)) => journey.lost.push(why),
                    Err(Lost::Errors(errors)) => panic!("{errors:?}"),
                }
            }
            tokio::time::sleep(Duration::from_millis(self.dice.roll(30))).await;
        }
    }

    async fn connection(
        &mut self,
        mut socket: Socket,
        after: Option<i64>,
        updates: &mut Vec<Update>,
    ) -> Result<(), Lost> {
        let enough = match self.is_restless {
            true => 1 + self.dice.place(40),
            false => usize::MAX,
        };
        let id = socket.watch(self.auction, after).await?;
        while updates.len() < enough {
            match socket.update(&id).await? {
                Some(update) => updates.push(update),
                None => {
                    let last = updates.last();
                    assert!(last.is_some_and(is_final), "completed before the end: {last:?}");
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// One of the nodes that run; waits while there is none.
pub async fn any(nodes: &mut Addresses, dice: &mut Dice) -> SocketAddr {
    let running = nodes.wait_for(|running| !running.is_empty()).await.unwrap();
    running[dice.place(running.len())]
}
