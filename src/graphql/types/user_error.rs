//! Expected refusals, as data.

use async_graphql::{Enum, SimpleObject};

use crate::domain::refusal::Refusal;

/// Something in the input that the rules do not allow. Nothing was changed.
#[derive(Debug, SimpleObject)]
pub struct UserError {
    /// What is wrong, for programs.
    code: UserErrorCode,
    /// What is wrong, for people, in English.
    message: String,
    /// The path inside the input that it is about; null when it is about no one field.
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

/// Why a request was refused.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::domain::refusal::Code")]
pub enum UserErrorCode {
    /// There is no auction of that id.
    AuctionNotFound,
    /// The auction has not opened.
    AuctionNotOpen,
    /// The auction has ended.
    AuctionEnded,
    /// Sellers cannot bid on their own auctions.
    SellerCannotBid,
    /// The seller does not accept this bidder.
    BidderBlocked,
    /// The auction is regional and the bidder's home is elsewhere.
    OutOfRegion,
    /// The amount is below `minimumBid`; or the leader's new maximum does not exceed the old one.
    BidTooLow,
    /// The amount or the maximum is no whole multiple of the auction's `bidUnit`.
    BidOffUnit,
    /// The available balance does not cover what would be held or taken.
    InsufficientFunds,
    /// Not an amount: zero, a sign, an exponent, too many fraction digits, above 10^15 minor
    /// units; or a maximum below the amount.
    InvalidAmount,
    /// The idempotency key was used before with another input.
    IdempotencyMismatch,
    /// An idempotency key has 1 to 200 bytes.
    InvalidIdempotencyKey,
    /// A username has 2 to 24 letters or digits of any script, underscores, hyphens or dots, and
    /// nothing invisible or blank.
    InvalidUsername,
    /// Somebody has this username already, whatever its case and width, or one that a reader may
    /// take for it; or it is reserved.
    UsernameTaken,
    /// A password has 8 to 128 characters, is not among those that are guessed first, and is not
    /// made of the username.
    InvalidPassword,
    /// The username and the password do not belong together.
    WrongCredentials,
    /// There is no such user.
    UserNotFound,
    /// Nobody can block themselves.
    CannotBlockSelf,
    /// The seller blocks as many people as one may.
    TooManyBlocked,
    /// There is no such region.
    RegionNotFound,
    /// A regional auction needs a region, and the seller has no home region.
    RegionRequired,
    /// The region is neither the seller's home region nor one around it.
    RegionNotYours,
    /// There is no such category.
    CategoryNotFound,
    /// A title is one line of 1 to 100 characters with something visible in it, without
    /// bidirectional controls.
    InvalidTitle,
    /// A description is plain text of at most 10,000 characters.
    InvalidDescription,
    /// The prices do not fit each other or the bid unit.
    InvalidPrice,
    /// The start or the end is out of bounds.
    InvalidTime,
    /// A soft close's time is out of bounds.
    InvalidSoftClose,
    /// The seller has as many scheduled and open auctions as one may.
    TooManyAuctions,
    /// The auction has bids, so it can no longer be edited.
    AuctionHasBids,
    /// The auction has no buy-now price, or its price has passed it.
    BuyNowUnavailable,
    /// With bids, an auction may be withdrawn until 12 hours before its end.
    TooLateToCancel,
    /// Nobody has bid.
    NoBids,
    /// The price has not reached the reserve.
    ReserveNotMet,
    /// A reason or a note has 1 to 500 characters, something visible among them.
    InvalidReason,
    /// There is no order of that id in which the viewer is a side.
    OrderNotFound,
    /// The order is not in a state that allows this.
    OrderStateForbids,
    /// The other side still has time.
    TooEarly,
}
