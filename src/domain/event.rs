//! What everybody in the room is told: an auction's public state, and the events that change it.

use std::sync::Arc;

use entity::{
    Time,
    enums::{AuctionStatus, EventKind, ReserveStatus},
    ids::{AuctionId, BidId, UserId},
};
use serde::{Deserialize, Serialize};

use super::{
    auction::Auction,
    increments::IncrementTable,
    money::{Money, OutOfRange},
    user::User,
};

/// The part of an auction that events change, as the public may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionState {
    /// The newest event's number; 0 before the first.
    pub sequence: i64,
    /// Where it stands in its life.
    pub status: AuctionStatus,
    /// What the leader would pay now.
    pub price: Money,
    /// The least amount that a bid may name now.
    pub minimum_bid: Money,
    /// How many bids are recorded.
    pub bid_count: i32,
    /// Who leads.
    pub leader: Option<Arc<User>>,
    /// What the public may know of the reserve.
    pub reserve_status: ReserveStatus,
    /// Until when, soft close included.
    pub ends_at: Time,
}

/// A bid, as the public may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// Its id.
    pub id: BidId,
    /// On which auction.
    pub auction: AuctionId,
    /// Whose.
    pub bidder: Arc<User>,
    /// The price it set.
    pub amount: Money,
    /// Its event's number.
    pub sequence: i64,
    /// Made by the engine from a maximum.
    pub is_automatic: bool,
    /// When.
    pub placed_at: Time,
}

/// Something that happened to an auction, with the auction as it was right after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// To which auction.
    pub auction: AuctionId,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Time,
    /// The bid, when it was one.
    pub bid: Option<Arc<Bid>>,
    /// The auction right after it; its `sequence` is the event's number.
    pub state: AuctionState,
}

impl Event {
    /// Its number in its auction.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.state.sequence
    }

    /// Whether nothing can follow it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        is_final(self.state.status)
    }
}

/// Whether an auction of this status can have no further event.
#[must_use]
pub const fn is_final(status: AuctionStatus) -> bool {
    matches!(status, AuctionStatus::Sold | AuctionStatus::Unsold | AuctionStatus::Cancelled)
}

impl AuctionState {
    /// What the public may see of `auction`; `user` finds the leader by id.
    ///
    /// # Errors
    /// When the minimum bid leaves the range of money.
    pub fn of(
        auction: &Auction,
        table: &IncrementTable,
        user: impl FnOnce(UserId) -> Option<Arc<User>>,
    ) -> Result<Self, OutOfRange> {
        Ok(Self {
            sequence: auction.sequence,
            status: auction.status,
            price: auction.price,
            minimum_bid: auction.minimum_bid(table)?,
            bid_count: auction.bid_count,
            leader: auction.lead.and_then(|lead| user(lead.bidder)),
            reserve_status: auction.reserve_status(),
            ends_at: auction.ends_at,
        })
    }
}
