//! A bid as its bidder asks for it, from the edge to its judge: an invalid one cannot be built.

use std::ops::Deref;

use entity::ids::{AuctionId, BidId, UserId};

use super::{
    money::Money,
    refusal::{Code, Refusal},
};

/// A client's name for a request, under which a repetition counts once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// How many bytes a key has at most.
    pub const MAX_BYTES: usize = 200;

    /// Reads a key.
    ///
    /// # Errors
    /// A refusal of one that is empty, too long, or holds a NUL.
    pub fn parse(key: impl Into<String>) -> Result<Self, Refusal> {
        let key = key.into();
        if key.is_empty() || key.len() > Self::MAX_BYTES || key.contains('\0') {
            let message = "An idempotency key has 1 to 200 bytes of text.";
            return Err(Refusal::new(Code::InvalidIdempotencyKey, message).at(&["idempotencyKey"]));
        }
        Ok(Self(key))
    }
}

impl Deref for IdempotencyKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// What a bidder offers: a price, and perhaps a higher maximum that the engine may bid up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    id: BidId,
    amount: Money,
    maximum: Option<Money>,
}

impl Offer {
    /// An offer, with the id that its bid gets when it is recorded.
    ///
    /// # Errors
    /// A refusal when the maximum is below the amount.
    pub fn new(id: BidId, amount: Money, maximum: Option<Money>) -> Result<Self, Refusal> {
        if maximum.is_some_and(|maximum| maximum < amount) {
            let message = "The maximum must be at least the amount.";
            return Err(Refusal::new(Code::InvalidAmount, message).at(&["maximum"]));
        }
        Ok(Self { id, amount, maximum })
    }

    /// The offer to pay exactly this price.
    #[must_use]
    pub fn exactly(id: BidId, amount: Money) -> Self {
        Self { id, amount, maximum: None }
    }

    /// The id that the bid gets when it is recorded.
    #[must_use]
    pub fn id(&self) -> BidId {
        self.id
    }

    /// The price that the bidder names.
    #[must_use]
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Up to what the engine may bid in the bidder's name; by default the amount.
    #[must_use]
    pub fn maximum(&self) -> Money {
        self.maximum.unwrap_or(self.amount)
    }

    /// Where the maximum stands in the input: a bidder who named none is told about the amount.
    #[must_use]
    pub fn maximum_field(&self) -> &'static [&'static str] {
        if self.maximum.is_some() { &["maximum"] } else { &["amount"] }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To bid.
    Bid(Offer),
    /// To pay the buy-now price at once, recorded as the bid of this id.
    BuyNow(BidId),
}

impl Ask {
    /// Where the auction's id stands in the input.
    #[must_use]
    pub fn id_field(&self) -> &'static [&'static str] {
        match self {
            Self::Bid(_) => &["auctionId"],
            Self::BuyNow(_) => &["id"],
        }
    }
}

/// A request to bid on an auction or to buy it at once.
#[derive(Debug, Clone)]
pub struct BidRequest {
    /// Who bids.
    pub bidder: UserId,
    /// On what.
    pub auction: AuctionId,
    /// How.
    pub ask: Ask,
    /// Under this key the same request counts once.
    pub key: Option<IdempotencyKey>,
}

impl BidRequest {
    /// A bid.
    #[must_use]
    pub fn bid(
        bidder: UserId,
        auction: AuctionId,
        offer: Offer,
        key: Option<IdempotencyKey>,
    ) -> Self {
        Self { bidder, auction, ask: Ask::Bid(offer), key }
    }

    /// A purchase at the buy-now price.
    #[must_use]
    pub fn buy_now(bidder: UserId, auction: AuctionId) -> Self {
        Self { bidder, auction, ask: Ask::BuyNow(BidId::new()), key: None }
    }

    /// What is asked, in a canonical form: the same key with another one is refused.
    #[must_use]
    pub fn request(&self) -> String {
        match &self.ask {
            Ask::Bid(offer) => {
                let (amount, maximum) = (offer.amount().minor(), offer.maximum().minor());
                format!("bid {} {amount} {maximum}", self.auction)
            }
            Ask::BuyNow(_) => format!("buy {}", self.auction),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_key_has_1_to_200_bytes_without_nul() {
        for (key, fits) in [
            ("", false),
            ("k", true),
            (&"k".repeat(200), true),
            (&"k".repeat(201), false),
            (&"열".repeat(67), false),
            ("a\0b", false),
        ] {
            assert_eq!(IdempotencyKey::parse(key).is_ok(), fits, "{} bytes", key.len());
        }
    }

    #[test]
    fn a_maximum_is_no_less_than_the_amount_and_by_default_the_same() {
        let money = |minor| Money::from_minor(minor).unwrap();
        let refusal = Offer::new(BidId::new(), money(10), Some(money(9))).unwrap_err();
        assert_eq!((refusal.code, refusal.field), (Code::InvalidAmount, &["maximum"][..]));
        let plain = Offer::new(BidId::new(), money(10), None).unwrap();
        assert_eq!((plain.maximum(), plain.maximum_field()), (money(10), &["amount"][..]));
        let named = Offer::new(BidId::new(), money(10), Some(money(10))).unwrap();
        assert_eq!((named.maximum(), named.maximum_field()), (money(10), &["maximum"][..]));
    }
}
