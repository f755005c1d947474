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
    let reach = topic.line().reach();
    topic.remember(older(&topic, 0, reach), false);
    assert_eq!(topic.line().reach(), 0);
    assert!(topic.used() > told);
}

#[test]
fn who_comes_back_from_far_loses_nothing_to_what_happens_meanwhile() {
    let topic = topic(700);
    assert_eq!(topic.line().reach(), 700 - 256);
    // While the log is read, more happens.
    let (after, reach) = (100, topic.reach_for(100));
    (701..=720).for_each(|sequence| tell(&topic, sequence));
    topic.remember(older(&topic, after, reach), true);
    assert_eq!(topic.line().reach(), after);
    // The time of the one who came is over; another finds all at hand, and more happens.
    topic.line().followers_until = None;
    assert_eq!(topic.reach_for(after), after);
    tell(&topic, 721);
    assert!(matches!(topic.after(after, 720), Step::Event(update) if update.sequence() == 101));
}
