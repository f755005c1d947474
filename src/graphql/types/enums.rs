//! The API's names for the closed sets of values.

use async_graphql::Enum;

macro_rules! api_enum {
    (
        $(#[$doc:meta])*
        $name:ident from $remote:literal { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
        #[graphql(remote = $remote)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }
    };
}

api_enum!(
    /// The status of an auction. SCHEDULED becomes OPEN, and OPEN becomes SOLD, UNSOLD or
    /// CANCELLED; a scheduled auction may be CANCELLED too.
    AuctionStatus from "entity::enums::AuctionStatus" {
        /// Listed; bids are accepted from `startsAt`.
        Scheduled,
        /// Accepts bids until `endsAt`.
        Open,
        /// Ended with a winner.
        Sold,
        /// Ended without a winner: there was no bid, or the reserve price was not met.
        Unsold,
        /// Cancelled by its seller.
        Cancelled,
    }
);
api_enum!(
    /// Who may bid on an auction.
    AuctionScope from "entity::enums::AuctionScope" {
        /// Everyone may bid.
        National,
        /// Only users whose home region is the auction's region or inside it may bid.
        Regional,
    }
);
api_enum!(
    /// The condition of an item as stated by the seller.
    ItemCondition from "entity::enums::ItemCondition" {
        /// Unused.
        New,
        /// Used, like new.
        UsedS,
        /// Used, with slight signs of wear.
        UsedA,
        /// Used, with visible signs of wear.
        UsedB,
        /// Used, heavily worn or defective.
        UsedC,
    }
);
api_enum!(
    /// Who pays for shipping.
    ShippingPayer from "entity::enums::ShippingPayer" {
        /// The seller pays.
        Seller,
        /// The buyer pays.
        Buyer,
    }
);
api_enum!(
    /// What is public about a reserve price. The price itself is never shown.
    ReserveStatus from "entity::enums::ReserveStatus" {
        /// The auction has no reserve price.
        None,
        /// The current price has not reached the reserve price: the item would not be sold.
        NotMet,
        /// The current price has reached the reserve price.
        Met,
    }
);
api_enum!(
    /// The reason for a transfer.
    TransferKind from "entity::enums::TransferKind" {
        /// A deposit.
        Deposit,
        /// A withdrawal.
        Withdrawal,
        /// The leader's maximum was held.
        Hold,
        /// A hold was released, wholly or in part.
        Release,
        /// The winner's held money was moved to escrow.
        Capture,
        /// The seller was paid from escrow, minus the fee.
        Payout,
        /// The buyer was refunded from escrow.
        Refund,
        /// The marketplace's fee was taken from escrow.
        Fee,
    }
);

api_enum!(
    /// The status of an order.
    OrderStatus from "entity::enums::OrderStatus" {
        /// Sold; the price is in escrow and the seller still has the item. After 72 hours the buyer
        /// may cancel.
        AwaitingHandover,
        /// The seller marked the item as handed over. After 7 days the order completes
        /// automatically.
        HandedOver,
        /// One side opened a dispute; an admin decides it.
        Disputed,
        /// The seller was paid the price minus the fee.
        Completed,
        /// The buyer was refunded.
        Refunded,
    }
);
api_enum!(
    /// What a notification is about.
    NotificationKind from "entity::enums::NotificationKind" {
        /// The user was outbid.
        Outbid,
        /// The user won the auction.
        Won,
        /// The user's auction ended with a winner.
        Sold,
        /// The user's auction, or one in which the user led, ended without a winner.
        Unsold,
        /// An auction on which the user had bid was cancelled.
        AuctionCancelled,
        /// The seller marked the item as handed over.
        HandedOver,
        /// The order was completed and the seller was paid.
        OrderCompleted,
        /// The order was cancelled or decided for the buyer, who was refunded.
        OrderRefunded,
        /// The other side opened a dispute.
        DisputeOpened,
        /// An admin decided the dispute.
        DisputeResolved,
    }
);

/// An admin's decision of a dispute.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum DisputeOutcome {
    /// The seller is paid the price minus the fee.
    PaySeller,
    /// The buyer is refunded.
    RefundBuyer,
}

/// The order of a list of auctions. Auctions that are equal in it are ordered by age.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::engine::Sort")]
pub enum AuctionOrder {
    /// Most recently listed first.
    Newest,
    /// Earliest end first.
    EndingSoon,
    /// Lowest current price first.
    PriceAsc,
    /// Highest current price first.
    PriceDesc,
    /// Most bids first.
    MostBids,
}

/// A language of the marketplace.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}
