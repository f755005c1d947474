//! People who watch an auction through a storm: some over one connection, some over a new one now
//! and then, beginning where they left off; and all of them when the house went away.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use entity::ids::AuctionId;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{
    books::Books,
    client::{Lost, Socket, Update},
    dice::Dice,
};

/// Where the house is; it may move.
pub type Where = watch::Receiver<SocketAddr>;

/// Where each auction ended, once it has.
pub type Ends = watch::Receiver<HashMap<AuctionId, i64>>;

/// Waits until the house is elsewhere than it was.
pub async fn moved(house: &mut Where) -> SocketAddr {
    let moved = timeout(Duration::from_secs(120), house.changed()).await;
    moved.expect("the house is gone for good").unwrap();
    *house.borrow_and_update()
}

/// What a watcher was given, one entry a connection: after which sequence, and what.
#[derive(Debug)]
pub struct Given {
    pub auction: AuctionId,
    pub connections: Vec<(Option<i64>, Vec<Update>)>,
}

impl Given {
    /// It is what happened, in order, without a hole, until the end.
    pub fn check(&self, books: &Books) {
        for (after, updates) in &self.connections {
            books.told(self.auction, *after, updates);
        }
        assert_eq!(self.last(), Some(books.newest(self.auction)));
    }

    /// The newest sequence given.
    pub fn last(&self) -> Option<i64> {
        let (after, updates) = self.connections.last()?;
        updates.last().map(|update| update.sequence).or(*after)
    }
}

/// A watcher.
#[derive(Debug)]
pub struct Watcher {
    pub house: Where,
    pub auction: AuctionId,
    /// Takes a new connection now and then.
    pub is_restless: bool,
    pub dice: Dice,
    pub ends: Ends,
}

/// Why a connection was left.
enum Left {
    /// Everything was seen.
    End,
    Restless,
    Lost,
}

impl Watcher {
    /// Watches until the end.
    pub fn start(self) -> JoinHandle<Given> {
        tokio::spawn(self.run())
    }

    async fn run(mut self) -> Given {
        let mut given = Given { auction: self.auction, connections: Vec::new() };
        loop {
            let address = *self.house.borrow_and_update();
            let after = given.last();
            let mut updates = Vec::new();
            let left = self.connection(address, after, &mut updates).await;
            given.connections.push((after, updates));
            match left {
                Ok(Left::End) => return given,
                Ok(Left::Restless) => {
                    tokio::time::sleep(Duration::from_millis(self.dice.roll(20))).await;
                }
                Ok(Left::Lost) | Err(Lost::Broken(_)) => {
                    moved(&mut self.house).await;
                }
                Err(Lost::Errors(errors)) => panic!("{errors:?}"),
            }
        }
    }

    async fn connection(
        &mut self,
        address: SocketAddr,
        after: Option<i64>,
        updates: &mut Vec<Update>,
    ) -> Result<Left, Lost> {
        let enough = match self.is_restless {
            true => self.dice.place(24),
            false => usize::MAX,
        };
        let mut socket = Socket::open(address, None).await?;
        let id = socket.watch(self.auction, after).await?;
        loop {
            let last = updates.last().map(|update| update.sequence).or(after);
            let end = self.ends.borrow_and_update().get(&self.auction).copied();
            if end.is_some() && last == end {
                return Ok(Left::End);
            }
            if updates.len() >= enough && end.is_none() {
                return Ok(Left::Restless);
            }
            tokio::select! {
                update = socket.update(&id) => match update? {
                    Some(update) => updates.push(update),
                    // A house that closes in order ends its streams.
                    None => return Ok(Left::Lost),
                },
                ended = self.ends.changed(), if end.is_none() => ended.unwrap(),
            }
        }
    }
}
