//! The bus that carries committed events to every node that has watchers. The event log in the
//! database is the truth; the bus is a wake-up with the payload, and may lose or repeat.

use std::{fmt, sync::Arc};

use super::hub::Hub;
use crate::domain::{event::Event, listing::Listing};

/// A committed event, on its way to those who watch.
#[derive(Debug, Clone)]
pub struct News {
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

/// The bus of a single process: straight to its hub.
#[derive(Debug)]
pub struct LocalBus {
    hub: Arc<Hub>,
}

impl LocalBus {
    /// A bus to `hub`.
    #[must_use]
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }
}

impl Bus for LocalBus {
    fn publish(&self, news: Vec<News>) {
        for news in news {
            self.hub.receive(news);
        }
    }
}
