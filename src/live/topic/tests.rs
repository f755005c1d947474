//! What a topic keeps for those who come back.

use entity::ids::UserId;

use super::*;
use crate::live::tests as fixtures;

/// A topic that was loaded at its first event, and was told of all up to `newest` since.
fn topic(newest: i64) -> Topic {
    let auction = AuctionId(uuid::Uuid::nil());
    let topic = Topic::new(auction, Arc::new(Memory::new(usize::MAX)));
    let listing = Arc::new(fixtures::listing(auction, UserId::new(), "Lamp"));
    topic.load(AuctionView { listing, state: fixtures::event(auction, 1, false).state });
    (2..=newest).for_each(|sequence| tell(&topic, sequence));
    topic
}

fn tell(topic: &Topic, sequence: i64) {
    let event = Arc::new(fixtures::event(topic.auction, sequence, false));
    topic.receive(AuctionNews { event, listing: None });
}

fn older(topic: &Topic, after: i64, until: i64) -> Vec<Arc<Update>> {
    (after + 1..=until).map(|n| fixtures::update(topic.auction, n, false)).collect()
}

#[test]
fn what_was_read_for_somebody_is_in_use() {
    let topic = topic(3);
    let told = topic.used();
    topic.remember(older(&topic, 0, topic.reach()), false);
    assert_eq!(topic.reach(), 0);
    assert!(topic.used() > told);
}
