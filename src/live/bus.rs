//! The bus that carries committed events to every node that has watchers. The event log in the
//! database is the truth; the bus is a wake-up with the payload, and may lose or repeat.

use std::{fmt, sync::Arc};

use entity::{ids::UserId, notification};

use super::{hub::Hub, lists::Lists, people::People};
use crate::domain::{event::Event, listing::Listing};

/// Something committed, on its way to those who watch.
#[derive(Debug, Clone)]
pub enum News {
    /// An event of an auction.
    Auction(AuctionNews),
    /// Something of one person.
    Person(PersonNews),
}

/// Something of one person: seen by that person alone.
#[derive(Debug, Clone)]
pub struct PersonNews {
    /// Whose.
    pub user: UserId,
    /// Whether the wallet's balances changed. They are read when told, so that the newest are.
    pub wallet_changed: bool,
    /// A new notification.
    pub notification: Option<Arc<notification::Model>>,
}

/// A committed event of an auction.
#[derive(Debug, Clone)]
pub struct AuctionNews {
    /// The event.
    pub event: Arc<Event>,
    /// The auction's words, when the event changed them.
    pub listing: Option<Arc<Listing>>,
}

/// Carries news. It must not wait: it is called between a commit and its replies.
pub trait Bus: fmt::Debug + Send + Sync {
    /// Hands news on, in order.
    fn publish(&self, news: Vec<News>);
}

/// Everything on this node that takes news.
#[derive(Debug, Clone)]
pub struct Rooms {
    /// Who watches an auction.
    pub hub: Arc<Hub>,
    /// Who watches a list.
    pub lists: Arc<Lists>,
    /// Who watches their own affairs.
    pub people: Arc<People>,
}

impl Rooms {
    /// Hands news to those whom they concern.
    pub fn receive(&self, news: News) {
        match news {
            News::Auction(news) => {
                self.lists.receive(&news);
                self.hub.receive(news);
            }
            News::Person(news) => self.people.receive(news),
        }
    }
}

/// The bus of a single process: straight to its rooms.
#[derive(Debug)]
pub struct LocalBus {
    rooms: Rooms,
}

impl LocalBus {
    /// A bus to `rooms`.
    #[must_use]
    pub fn new(rooms: Rooms) -> Self {
        Self { rooms }
    }
}

impl Bus for LocalBus {
    fn publish(&self, news: Vec<News>) {
        for news in news {
            self.rooms.receive(news);
        }
    }
}
