//! Refusals: what a person did that the rules do not allow, as a code, the field that it is
//! about, and a sentence. A refusal changes nothing.

use std::borrow::Cow;

/// Why a request was refused. Each is a value of the API's `UserErrorCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The API's enum documents each.
pub enum Code {
    AuctionNotFound,
    AuctionNotOpen,
    AuctionEnded,
    SellerCannotBid,
    BidderBlocked,
    OutOfRegion,
    BidTooLow,
    BidOffUnit,
    InsufficientFunds,
    InvalidAmount,
    IdempotencyMismatch,
    InvalidIdempotencyKey,
    InvalidUsername,
    UsernameTaken,
    InvalidPassword,
    WrongCredentials,
    UserNotFound,
    CannotBlockSelf,
    TooManyBlocked,
    RegionNotFound,
    RegionRequired,
    RegionNotYours,
    CategoryNotFound,
    InvalidTitle,
    InvalidDescription,
    InvalidPrice,
    InvalidTime,
    InvalidSoftClose,
    TooManyAuctions,
    AuctionHasBids,
    BuyNowUnavailable,
    TooLateToCancel,
    NoBids,
    ReserveNotMet,
    InvalidReason,
    OrderNotFound,
    OrderStateForbids,
    TooEarly,
}

/// A refusal, ready for the person who caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub code: Code,
    /// Where: the path inside the input; empty when it is about no one field.
    pub field: &'static [&'static str],
    /// A sentence for people.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal that points at no field.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, field: &[], message: message.into() }
    }

    /// The same, pointing at a field.
    #[must_use]
    pub fn at(mut self, field: &'static [&'static str]) -> Self {
        self.field = field;
        self
    }
}

/// A refusal that points at a field, as the answer to a check.
///
/// # Errors
/// Always.
pub fn refuse<T>(
    code: Code,
    field: &'static [&'static str],
    message: &'static str,
) -> Result<T, Refusal> {
    Err(Refusal::new(code, message).at(field))
}
