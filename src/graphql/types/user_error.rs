//! Expected refusals, as data.

use async_graphql::{Enum, SimpleObject};

use crate::domain::refusal::Refusal;

/// A reason why a mutation was refused. A refused mutation changes nothing.
#[derive(Debug, SimpleObject)]
pub struct UserError {
    /// The reason, for programs.
    code: UserErrorCode,
    /// The reason in English, for people.
    message: String,
    /// The path of the input field that the error is about. Null if it is not about a single field.
    field: Option<Vec<String>>,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        let field = refusal.field.iter().map(|part| (*part).to_owned()).collect();
        Self {
            code: refusal.code.into(),
            message: refusal.message.into_owned(),
            field: (!refusal.field.is_empty()).then_some(field),
        }
    }
}

/// A reason why a mutation was refused.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::domain::refusal::Code")]
pub enum UserErrorCode {
    /// There is no auction with this id.
    AuctionNotFound,
    /// The auction has not opened yet.
    AuctionNotOpen,
    /// The auction has ended.
    AuctionEnded,
    /// Sellers cannot bid on their own auctions.
    SellerCannotBid,
    /// The seller has blocked the bidder.
    BidderBlocked,
    /// The auction is regional and the bidder's home region is not inside its region.
    OutOfRegion,
    /// The amount is lower than `minimumBid`, or the leader's new maximum does not exceed the old
    /// one.
    BidTooLow,
    /// The amount or the maximum is not a whole multiple of the auction's `bidUnit`.
    BidOffUnit,
    /// The available balance does not cover the amount to be held or withdrawn.
    InsufficientFunds,
    /// Not a valid amount: zero, signed, with an exponent or too many fraction digits, more than
    /// 10^15 minor units; or a maximum lower than the amount.
    InvalidAmount,
    /// The idempotency key was used before with a different input.
    IdempotencyMismatch,
    /// An idempotency key must have 1 to 200 bytes.
    InvalidIdempotencyKey,
    /// A username must have 2 to 24 letters or digits of any script, underscores, hyphens or dots,
    /// and no invisible or blank characters.
    InvalidUsername,
    /// The username, or one that differs only in case or width or looks like it, belongs to
    /// somebody else or is reserved.
    UsernameTaken,
    /// A password must have 8 to 128 characters, must not be a common one and must not be made of
    /// the username.
    InvalidPassword,
    /// The username or the password is wrong.
    WrongCredentials,
    /// There is no such user.
    UserNotFound,
    /// Users cannot block themselves.
    CannotBlockSelf,
    /// The seller has reached the maximum number of blocked users.
    TooManyBlocked,
    /// There is no such region.
    RegionNotFound,
    /// A regional auction requires a region, and the seller has no home region.
    RegionRequired,
    /// The region is neither the seller's home region nor one that contains it.
    RegionNotYours,
    /// There is no such category.
    CategoryNotFound,
    /// A title must be one line of 1 to 100 characters with something visible in it and no
    /// bidirectional controls.
    InvalidTitle,
    /// A description must be plain text of at most 10,000 characters.
    InvalidDescription,
    /// The prices are inconsistent with each other or with the bid unit.
    InvalidPrice,
    /// The start or the end is out of range or not a valid time.
    InvalidTime,
    /// A soft-close setting is out of range.
    InvalidSoftClose,
    /// The seller has reached the maximum number of scheduled and open auctions.
    TooManyAuctions,
    /// The auction has bids and can no longer be edited.
    AuctionHasBids,
    /// The auction has no buy-now price, or the current price has passed it.
    BuyNowUnavailable,
    /// An auction with bids can be cancelled until 12 hours before its end.
    TooLateToCancel,
    /// The auction has no bids.
    NoBids,
    /// The reserve price is not met.
    ReserveNotMet,
    /// A reason or note must have 1 to 500 characters, at least one of them visible.
    InvalidReason,
    /// There is no order with this id of which the viewer is a side.
    OrderNotFound,
    /// The status of the order does not allow this.
    OrderStateForbids,
    /// The other side still has time to act.
    TooEarly,
}
