//! The closed sets of values that columns hold, as text, each guarded by a CHECK.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

macro_rules! text_enum {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize,
            Deserialize,
        )]
        #[sea_orm(rs_type = "String", db_type = "Text")]
        pub enum $name {
            $($(#[$vdoc])* #[sea_orm(string_value = $text)] #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The text that the database and the API use for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

text_enum!(
    /// Where an auction stands in its life. No move leads back.
    AuctionStatus {
        /// Listed, not open before `starts_at`.
        Scheduled = "SCHEDULED",
        /// Takes bids until `ends_at`.
        Open = "OPEN",
        /// Ended with a winner.
        Sold = "SOLD",
        /// Ended without one: no bid, or the reserve was not met.
        Unsold = "UNSOLD",
        /// Withdrawn by its seller.
        Cancelled = "CANCELLED",
    }
);
text_enum!(
    /// Who may bid.
    AuctionScope {
        /// Everyone.
        National = "NATIONAL",
        /// Those whose home region lies inside the auction's region.
        Regional = "REGIONAL",
    }
);
text_enum!(
    /// The state of the goods, as its seller states it.
    ItemCondition {
        /// Never used.
        New = "NEW",
        /// Used, as good as new.
        UsedS = "USED_S",
        /// Used, light traces.
        UsedA = "USED_A",
        /// Used, plain traces.
        UsedB = "USED_B",
        /// Used, worn or with a defect.
        UsedC = "USED_C",
    }
);
text_enum!(
    /// Who pays for shipping.
    ShippingPayer {
        /// The seller does.
        Seller = "SELLER",
        /// The buyer does.
        Buyer = "BUYER",
    }
);
text_enum!(
    /// What the public may know of a hidden reserve.
    ReserveStatus {
        /// The auction has none.
        None = "NONE",
        /// There is one, and the price has not reached it.
        NotMet = "NOT_MET",
        /// There is one, and the price has reached it.
        Met = "MET",
    }
);
text_enum!(
    /// What happened to an auction.
    EventKind {
        /// It began to take bids.
        Opened = "OPENED",
        /// Its words changed.
        Edited = "EDITED",
        /// A bid was recorded.
        BidPlaced = "BID_PLACED",
        /// It ended with a winner.
        Sold = "SOLD",
        /// It ended without one.
        Unsold = "UNSOLD",
        /// Its seller withdrew it.
        Cancelled = "CANCELLED",
    }
);
text_enum!(
    /// Why money moved. Each kind has one pair of accounts.
    TransferKind {
        /// external → available
        Deposit = "DEPOSIT",
        /// available → external
        Withdrawal = "WITHDRAWAL",
        /// available → locked: a leader's maximum
        Hold = "HOLD",
        /// locked → available
        Release = "RELEASE",
        /// locked → escrow: the winner pays
        Capture = "CAPTURE",
        /// escrow → available: the seller is paid
        Payout = "PAYOUT",
        /// escrow → available: the buyer gets the money back
        Refund = "REFUND",
        /// escrow → fees: the marketplace's share
        Fee = "FEE",
    }
);
text_enum!(
    /// Where money lies. AVAILABLE and LOCKED are a user's; the others are the marketplace's.
    Account {
        /// A user's own, free to spend.
        Available = "AVAILABLE",
        /// A user's own, held for the auctions that the user leads.
        Locked = "LOCKED",
        /// The marketplace's: paid for goods that are not yet received.
        Escrow = "ESCROW",
        /// The marketplace's own.
        Fees = "FEES",
        /// Outside the marketplace.
        External = "EXTERNAL",
    }
);
text_enum!(
    /// Where an order stands between the hammer and the money.
    OrderStatus {
        /// Sold; the seller still has the goods.
        AwaitingHandover = "AWAITING_HANDOVER",
        /// The seller says that the buyer has the goods.
        HandedOver = "HANDED_OVER",
        /// A side disagrees; an admin decides.
        Disputed = "DISPUTED",
        /// The seller is paid.
        Completed = "COMPLETED",
        /// The buyer has the money back.
        Refunded = "REFUNDED",
    }
);
text_enum!(
    /// What a notification tells its reader.
    NotificationKind {
        /// The lead is lost.
        Outbid = "OUTBID",
        /// The reader won.
        Won = "WON",
        /// The reader's auction sold.
        Sold = "SOLD",
        /// The reader's auction, or one that the reader led, ended without a winner.
        Unsold = "UNSOLD",
        /// An auction that the reader bid on was withdrawn.
        AuctionCancelled = "AUCTION_CANCELLED",
        /// The seller says that the reader has the goods.
        HandedOver = "HANDED_OVER",
        /// The seller is paid.
        OrderCompleted = "ORDER_COMPLETED",
        /// The buyer has the money back.
        OrderRefunded = "ORDER_REFUNDED",
        /// The other side disagrees.
        DisputeOpened = "DISPUTE_OPENED",
        /// An admin decided.
        DisputeResolved = "DISPUTE_RESOLVED",
    }
);
