//! Auctions and events that tests make up.

use std::sync::Arc;

use chrono::DateTime;
use entity::{
    enums::{AuctionScope, AuctionStatus, EventKind, ItemCondition, ReserveStatus, ShippingPayer},
    ids::{AuctionId, UserId},
};

use super::update::Update;
use crate::domain::{
    event::{AuctionState, Event},
    listing::Listing,
    money::Money,
    user::User,
};

pub(super) fn money(minor: i64) -> Money {
    Money::from_minor(minor).unwrap()
}

/// A national auction without a category.
pub(super) fn listing(id: AuctionId, seller: UserId, title: &str) -> Listing {
    let epoch = DateTime::from_timestamp(0, 0).unwrap();
    let username = "seller".to_owned();
    let seller = User { id: seller, username, home_region: None, joined_at: epoch };
    Listing {
        id,
        seller: Arc::new(seller),
        title: title.to_owned(),
        description: String::new(),
        category: None,
        condition: ItemCondition::UsedA,
        shipping_payer: ShippingPayer::Buyer,
        scope: AuctionScope::National,
        region: None,
        starting_price: money(1),
        bid_unit: None,
        buy_now_price: None,
        starts_at: epoch,
    }
}

/// A bid on an auction, or its end.
pub(super) fn update(auction: AuctionId, sequence: i64, is_final: bool) -> Arc<Update> {
    let listing = listing(auction, UserId::new(), "Lamp");
    Arc::new(Update::of_event(&event(auction, sequence, is_final), &Arc::new(listing)))
}

/// The same, as the log has it.
pub(super) fn event(auction: AuctionId, sequence: i64, is_final: bool) -> Event {
    let (kind, status) = match is_final {
        true => (EventKind::Sold, AuctionStatus::Sold),
        false => (EventKind::BidPlaced, AuctionStatus::Open),
    };
    let state = AuctionState {
        sequence,
        status,
        price: money(sequence),
        minimum_bid: money(sequence + 1),
        bid_count: 0,
        leader: None,
        reserve_status: ReserveStatus::None,
        ends_at: DateTime::from_timestamp(0, 0).unwrap(),
    };
    Event { auction, kind, at: state.ends_at, bid: None, state }
}
