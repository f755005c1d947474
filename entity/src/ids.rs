//! Typed ids: one Rust type a table and one prefix a type in the API, so that swapped arguments
//! do not compile and a bid's id given for an auction's is told apart at once.

use std::{fmt, str::FromStr};

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text was not an id of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId {
    /// The prefix that ids of the wanted type carry, without its underscore.
    pub wanted: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an id of the form {}_…", self.wanted)
    }
}

impl std::error::Error for InvalidId {}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType,
            Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What its text form starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, ordered by the time of its making (UUID version 7).
            #[must_use]
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32)
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or(InvalidId { wanted: $prefix })
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

macro_rules! natural_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// What its text form starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|key| !key.is_empty() && key.len() <= 64)
                    .map(|key| Self(key.to_owned()))
                    .ok_or(InvalidId { wanted: $prefix })
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

uuid_id!(/// A person: seller, bidder or both.
    UserId, "usr");
uuid_id!(/// A signed-in session.
    SessionId, "ses");
uuid_id!(/// An auction of one thing.
    AuctionId, "auc");
uuid_id!(/// A recorded bid.
    BidId, "bid");
uuid_id!(/// A movement of money.
    TransferId, "trf");
uuid_id!(/// What a sale owes its two sides.
    OrderId, "ord");
uuid_id!(/// A note to one person.
    NotificationId, "ntf");
natural_id!(/// An administrative division, by its official code: a parent's code is a prefix.
    RegionId, "reg");
natural_id!(/// A category of goods, by its slug.
    CategoryId, "cat");

impl RegionId {
    /// Whether `self` is `outer` or lies inside it, at any depth.
    #[must_use]
    pub fn is_within(&self, outer: &RegionId) -> bool {
        self.0.starts_with(&outer.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_refuses_anothers() -> Result<(), InvalidId> {
        let id = AuctionId::new();
        assert_eq!(id.to_string().parse::<AuctionId>()?, id);
        assert!(id.to_string().parse::<BidId>().is_err());
        assert!("auc_".parse::<AuctionId>().is_err());
        assert!("auc_0".parse::<AuctionId>().is_err());
        Ok(())
    }

    #[test]
    fn ids_are_ordered_by_time() {
        let ids: Vec<_> = (0..1000).map(|_| BidId::new()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn a_region_lies_within_itself_and_its_ancestors() {
        let [seoul, jongno, busan] = ["11", "11110", "26"].map(|c| RegionId(c.to_owned()));
        assert!(jongno.is_within(&jongno) && jongno.is_within(&seoul));
        assert!(!seoul.is_within(&jongno) && !jongno.is_within(&busan));
    }
}
