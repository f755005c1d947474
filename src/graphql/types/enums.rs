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
    /// Where an auction stands in its life. No move leads back.
    AuctionStatus from "entity::enums::AuctionStatus" {
        /// Listed; takes no bids before `startsAt`.
        Scheduled,
        /// Takes bids until `endsAt`.
        Open,
        /// Ended with a winner.
        Sold,
        /// Ended without one: no bid, or the reserve was not met.
        Unsold,
        /// Withdrawn by its seller.
        Cancelled,
    }
);
api_enum!(
    /// Who may bid on an auction.
    AuctionScope from "entity::enums::AuctionScope" {
        /// Everyone.
        National,
        /// Those whose home region lies inside the auction's region.
        Regional,
    }
);
api_enum!(
    /// The state of the goods, as their seller states it.
    ItemCondition from "entity::enums::ItemCondition" {
        /// Never used.
        New,
        /// Used, as good as new.
        UsedS,
        /// Used, light traces.
        UsedA,
        /// Used, plain traces.
        UsedB,
        /// Used, worn or with a defect.
        UsedC,
    }
);
api_enum!(
    /// Who pays for shipping.
    ShippingPayer from "entity::enums::ShippingPayer" {
        /// The seller does.
        Seller,
        /// The buyer does.
        Buyer,
    }
);
api_enum!(
    /// What the public may know of a hidden reserve price; its number is never told.
    ReserveStatus from "entity::enums::ReserveStatus" {
        /// The auction has none.
        None,
        /// There is one, and the price has not reached it: nothing is sold yet.
        NotMet,
        /// There is one, and the price has reached it.
        Met,
    }
);
api_enum!(
    /// Why money moved.
    TransferKind from "entity::enums::TransferKind" {
        /// Money came into the house.
        Deposit,
        /// Money left the house.
        Withdrawal,
        /// A leader's maximum was locked.
        Hold,
        /// Locked money became available again.
        Release,
        /// A winner's locked money went into escrow.
        Capture,
        /// A sale's price came from escrow, but for the fee.
        Payout,
        /// An order's price came back from escrow.
        Refund,
        /// The house's share of a sale.
        Fee,
    }
);

api_enum!(
    /// Where an order stands between the hammer and the money.
    OrderStatus from "entity::enums::OrderStatus" {
        /// Sold; the price is in escrow and the seller has the goods. After 72 hours the buyer
        /// may cancel.
        AwaitingHandover,
        /// The seller says that the buyer has the goods. After 7 days it completes by itself.
        HandedOver,
        /// A side disagrees; an admin decides.
        Disputed,
        /// The seller is paid, but for the fee.
        Completed,
        /// The buyer has the money back.
        Refunded,
    }
);
api_enum!(
    /// What a notification tells its reader.
    NotificationKind from "entity::enums::NotificationKind" {
        /// The lead is lost.
        Outbid,
        /// The reader won.
        Won,
        /// The reader's auction sold.
        Sold,
        /// The reader's auction, or one that the reader led, ended without a winner.
        Unsold,
        /// An auction that the reader bid on was withdrawn.
        AuctionCancelled,
        /// The seller says that the reader has the goods.
        HandedOver,
        /// The seller is paid.
        OrderCompleted,
        /// The buyer has the money back.
        OrderRefunded,
        /// The other side disagrees.
        DisputeOpened,
        /// An admin decided.
        DisputeResolved,
    }
);

/// How an admin decides a dispute.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum DisputeOutcome {
    /// The seller is paid, but for the fee.
    PaySeller,
    /// The buyer gets the money back.
    RefundBuyer,
}

/// The order of a list of auctions. Ties are parted by age.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::engine::Sort")]
pub enum AuctionOrder {
    /// The newest first.
    Newest,
    /// The next to end first.
    EndingSoon,
    /// The cheapest first.
    PriceAsc,
    /// The dearest first.
    PriceDesc,
    /// The most bid on first.
    MostBids,
}

/// A language that the house speaks.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}
