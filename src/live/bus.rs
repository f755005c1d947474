//! The bus that carries committed events to the other nodes. The event log in the database is the
//! truth; the bus is a wake-up with the payload, and may lose, repeat or reorder.

use std::{fmt, sync::Arc};

use entity::{
    ids::{AuctionId, SessionId, UserId},
    notification,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::AbortHandle};
use uuid::Uuid;

use crate::domain::{event::Event, ledger::Balances, listing::Listing};

/// Something committed, on its way to those who watch.
#[derive(Debug, Clone)]
pub enum News {
    /// An event of an auction.
    Auction(AuctionNews),
    /// Something of one person.
    Person(PersonNews),
    /// A session that is dead now.
    SignedOut(SessionId),
}

/// Something of one person: seen by that person alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PersonNews {
    /// Whose.
    pub user: UserId,
    /// The wallet right after it changed. Watchers are shown the newest, read when they are told.
    pub wallet: Option<Balances>,
    /// A new notification.
    pub notification: Option<Arc<notification::Model>>,
}

/// A committed event of an auction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuctionNews {
    /// The event.
    pub event: Arc<Event>,
    /// The auction's words, when the event changed them. They stay on the node of the change:
    /// another one reads them.
    #[serde(skip)]
    pub listing: Option<Arc<Listing>>,
}

/// How many watch what on a node: what changed since its last report, and everything now and then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Which node.
    pub node: Uuid,
    /// Its own watchers.
    pub counts: Vec<(AuctionId, u32)>,
}

/// What a node may listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The events of one auction: [`AuctionNews`].
    Auction(AuctionId),
    /// The events of all auctions, for lists: [`AuctionNews`].
    Auctions,
    /// One person's own news: [`PersonNews`].
    Person(UserId),
    /// Sessions that are dead now: [`SessionId`].
    Sessions,
    /// The nodes' reports: [`Report`].
    Nodes,
}

/// What is done with a message: its bytes are the JSON of what its subject carries.
pub type Take = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Listening to a subject; dropped, it ends.
#[derive(Debug, Default)]
pub struct Listening(Option<AbortHandle>);

impl Listening {
    /// Until `task` is aborted.
    #[must_use]
    pub fn by(task: AbortHandle) -> Self {
        Self(Some(task))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// How the bus is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// What this node says comes back to it.
    pub is_up: bool,
    /// How often messages may have been lost since the start.
    pub losses: u64,
}

/// Carries news between nodes. Nothing here waits: it is called between a commit and its replies.
pub trait Bus: fmt::Debug + Send + Sync {
    /// This node, among the others.
    fn node(&self) -> Uuid;

    /// Hands news to the other nodes, in order.
    fn publish(&self, news: &[News]);

    /// Tells the other nodes who watches here.
    fn report(&self, report: &Report);

    /// Hands what the other nodes say about `subject` to `take`.
    fn listen(&self, subject: Subject, take: Take) -> Listening;

    /// How it is; `None` for a bus that cannot lose anything.
    fn health(&self) -> Option<watch::Receiver<Health>>;
}

/// The bus of a single node: there is nobody to tell.
#[derive(Debug, Default)]
pub struct NoBus;

impl Bus for NoBus {
    fn node(&self) -> Uuid {
        Uuid::nil()
    }

    fn publish(&self, _: &[News]) {}

    fn report(&self, _: &Report) {}

    fn listen(&self, _: Subject, _: Take) -> Listening {
        Listening::default()
    }

    fn health(&self) -> Option<watch::Receiver<Health>> {
        None
    }
}
