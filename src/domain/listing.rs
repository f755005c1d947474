//! The part of an auction that its seller wrote, and an auction as the public sees it whole.

use std::sync::Arc;

use entity::{
    Time,
    enums::{AuctionScope, ItemCondition, ShippingPayer},
    ids::{AuctionId, CategoryId, RegionId},
};
use serde::{Deserialize, Serialize};

use super::{event::AuctionState, money::Money, user::User};

/// What bids do not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The auction's id.
    pub id: AuctionId,
    /// Who sells.
    pub seller: Arc<User>,
    /// One line.
    pub title: String,
    /// Plain text.
    pub description: String,
    /// What kind of goods.
    pub category: Option<CategoryId>,
    /// In which state they are.
    pub condition: ItemCondition,
    /// Who pays for shipping.
    pub shipping_payer: ShippingPayer,
    /// Who may bid.
    pub scope: AuctionScope,
    /// Where.
    pub region: Option<RegionId>,
    /// The least first bid.
    pub starting_price: Money,
    /// The seller's own step.
    pub bid_unit: Option<Money>,
    /// Who pays it has bought.
    pub buy_now_price: Option<Money>,
    /// From when bids count.
    pub starts_at: Time,
}

impl Listing {
    /// What words are looked for in: title and description, in lower case of any script.
    #[must_use]
    pub fn search_text(&self) -> String {
        format!("{} {}", self.title, self.description).to_lowercase()
    }
}

/// An auction as the public sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuctionView {
    /// What its seller wrote.
    pub listing: Arc<Listing>,
    /// What events change.
    pub state: AuctionState,
}
