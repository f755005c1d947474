//! Everything on this node that takes news, and the bus that takes them to the other nodes.

use std::sync::Arc;

use super::{
    bus::{Bus, News},
    hub::Hub,
    lists::Lists,
    people::People,
    presence::Presence,
    settings::LiveSettings,
};
use crate::{domain::increments::IncrementTable, store::connection::Db};

/// Everything on this node that takes news.
#[derive(Debug, Clone)]
pub struct Rooms {
    /// Who watches an auction.
    pub hub: Arc<Hub>,
    /// Who watches a list.
    pub lists: Arc<Lists>,
    /// Who watches their own account.
    pub people: Arc<People>,
    /// How many watch, on all nodes.
    pub presence: Arc<Presence>,
    /// The way to the other nodes.
    pub bus: Arc<dyn Bus>,
}

impl Rooms {
    /// Empty rooms that read from `db` and hear the other nodes by `bus`, where nobody is counted.
    #[must_use]
    pub fn open(db: &Db, table: &IncrementTable, bus: Arc<dyn Bus>) -> Self {
        Self::within(LiveSettings::unlimited(), db, table, bus)
    }

    /// Empty rooms within these bounds.
    #[must_use]
    pub fn within(
        settings: LiveSettings,
        db: &Db,
        table: &IncrementTable,
        bus: Arc<dyn Bus>,
    ) -> Self {
        let hub = Hub::new(db.clone(), table.clone(), Arc::clone(&bus), &settings);
        let lists = Lists::within(settings, db.clone(), table.clone(), Arc::clone(&bus));
        let people = People::new(db.clone(), Arc::clone(&bus), &settings);
        let presence = Presence::new(Arc::clone(&hub), Arc::clone(&bus), &settings);
        Self { hub, lists, people, presence, bus }
    }

    /// Tells everybody what was committed: first those who watch here, then the other nodes.
    pub fn publish(&self, news: Vec<News>) {
        self.bus.publish(&news);
        for news in news {
            match news {
                News::Auction(news) => {
                    self.lists.receive(&news);
                    self.hub.receive(news);
                }
                News::Person(news) => self.people.receive(news),
                News::SignedOut(_) => {}
            }
        }
    }
}
