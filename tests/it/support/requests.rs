//! Requests in short, of values that are fit.

use entity::ids::{AuctionId, BidId, UserId};
pub use neighborbid::domain::request::BidRequest;
use neighborbid::domain::{
    money::Money,
    request::{IdempotencyKey, Offer},
    text::{Description, Reason, Title},
};

pub fn bid_request(
    bidder: UserId,
    auction: AuctionId,
    amount: Money,
    maximum: Option<Money>,
    key: Option<&str>,
) -> BidRequest {
    let offer = Offer::new(BidId::new(), amount, maximum).unwrap();
    BidRequest::bid(bidder, auction, offer, key.map(key_of))
}

pub fn key_of(key: &str) -> IdempotencyKey {
    IdempotencyKey::parse(key).unwrap()
}

pub fn title(text: &str) -> Title {
    Title::parse(text).unwrap()
}

pub fn description(text: &str) -> Description {
    Description::parse(text).unwrap()
}

pub fn reason(text: &str) -> Reason {
    Reason::parse(text).unwrap()
}
