//! Rows that the database accepts, and what must not be changed in them. `{ann}` and the like
//! stand for what a [`Bench`](super::Bench) holds.

/// By what a row is refused.
#[derive(Debug, Clone, Copy)]
pub enum Refused {
    Check,
    Unique,
    Foreign,
    Missing,
    AppendOnly,
}

impl Refused {
    /// What the database says then.
    pub fn words(self, on_postgres: bool) -> &'static str {
        match (self, on_postgres) {
            (Self::Check, true) => "violates check constraint",
            (Self::Unique, true) => "violates unique constraint",
            (Self::Foreign, true) => "violates foreign key constraint",
            (Self::Missing, true) => "violates not-null constraint",
            (Self::Check, false) => "CHECK constraint failed",
            (Self::Unique, false) => "UNIQUE constraint failed",
            (Self::Foreign, false) => "FOREIGN KEY constraint failed",
            (Self::Missing, false) => "NOT NULL constraint failed",
            (Self::AppendOnly, _) => "is append-only",
        }
    }
}

/// Columns and their values in SQL.
pub type Columns = [(&'static str, &'static str)];

/// A table, a row that it accepts, and changes of that row.
pub struct Table {
    pub name: &'static str,
    pub row: &'static Columns,
    pub accepted: &'static [&'static Columns],
    pub refused: &'static [(Refused, &'static Columns)],
}

/// Each kind of transfer with the accounts that it joins.
pub const TRANSFERS: &[(&str, &str, &str)] = &[
    ("DEPOSIT", "EXTERNAL", "AVAILABLE"),
    ("WITHDRAWAL", "AVAILABLE", "EXTERNAL"),
    ("HOLD", "AVAILABLE", "LOCKED"),
    ("RELEASE", "LOCKED", "AVAILABLE"),
    ("CAPTURE", "LOCKED", "ESCROW"),
    ("PAYOUT", "ESCROW", "AVAILABLE"),
    ("REFUND", "ESCROW", "AVAILABLE"),
    ("FEE", "ESCROW", "FEES"),
];

use Refused::{Check, Foreign, Missing, Unique};

/// Above the largest amount.
const HUGE: &str = "1000000000000001";
const NOON: &str = "'2030-01-01T12:00:00+00:00'";
const ONE: &str = "'2030-01-01T13:00:00+00:00'";

pub const TABLES: &[Table] = &[
    REGIONS,
    CATEGORIES,
    USERS,
    SESSIONS,
    BLOCKED_BIDDERS,
    AUCTIONS,
    BIDS,
    AUCTION_EVENTS,
    WALLETS,
    TRANSFER_ROWS,
    IDEMPOTENCY_KEYS,
    ORDERS,
    NOTIFICATIONS,
];

const REGIONS: Table = Table {
    name: "regions",
    row: &[
        ("id", "'99'"),
        ("name", "'N'"),
        ("full_name", "'N'"),
        ("parent_id", "NULL"),
        ("depth", "1"),
    ],
    accepted: &[&[("id", "'11999'"), ("parent_id", "'11'"), ("depth", "2")]],
    refused: &[
        (Unique, &[("id", "'11'")]),
        (Check, &[("depth", "0")]),
        (Check, &[("depth", "4"), ("parent_id", "'11'"), ("id", "'119'")]),
        (Check, &[("depth", "2")]),
        (Check, &[("parent_id", "'11'"), ("id", "'11999'")]),
        (Check, &[("parent_id", "'11'"), ("depth", "2")]),
        (Foreign, &[("parent_id", "'9'"), ("depth", "2")]),
        (Missing, &[("name", "NULL")]),
    ],
};

const CATEGORIES: Table = Table {
    name: "categories",
    row: &[
        ("id", "'cat'"),
        ("parent_id", "NULL"),
        ("name_ko", "'k'"),
        ("name_en", "'e'"),
        ("position", "999"),
    ],
    accepted: &[&[("parent_id", "'furniture'")]],
    refused: &[
        (Unique, &[("id", "'furniture'")]),
        (Unique, &[("position", "1")]),
        (Foreign, &[("parent_id", "'nowhere'")]),
        (Missing, &[("name_ko", "NULL")]),
        (Missing, &[("name_en", "NULL")]),
    ],
};

const USERS: Table = Table {
    name: "users",
    row: &[
        ("id", "{new}"),
        ("username", "'Dan'"),
        ("username_key", "'dan'"),
        ("username_skeleton", "'dan'"),
        ("password_hash", "'none'"),
        ("home_region_id", "NULL"),
        ("is_admin", "{no}"),
        ("joined_at", NOON),
    ],
    accepted: &[
        &[("home_region_id", "'11110101'")],
        &[("is_admin", "{yes}")],
        &[("username", "'ann'")],
        &[("username_skeleton", "NULL")],
    ],
    refused: &[
        (Unique, &[("id", "{ann}")]),
        (Unique, &[("username_key", "'ann'")]),
        (Unique, &[("username_skeleton", "'ann'")]),
        (Foreign, &[("home_region_id", "'99'")]),
        (Missing, &[("username_key", "NULL")]),
        (Missing, &[("password_hash", "NULL")]),
        (Missing, &[("is_admin", "NULL")]),
    ],
};

const SESSIONS: Table = Table {
    name: "sessions",
    row: &[
        ("id", "{new}"),
        ("token_hash", "{token}"),
        ("user_id", "{ann}"),
        ("created_at", NOON),
        ("expires_at", ONE),
    ],
    accepted: &[],
    refused: &[
        (Check, &[("token_hash", "{short}")]),
        (Unique, &[("token_hash", "{other}")]),
        (Unique, &[("id", "{cho}")]),
        (Foreign, &[("user_id", "{nobody}")]),
        (Check, &[("expires_at", NOON)]),
        (Check, &[("created_at", ONE), ("expires_at", NOON)]),
        (Missing, &[("expires_at", "NULL")]),
    ],
};

const BLOCKED_BIDDERS: Table = Table {
    name: "blocked_bidders",
    row: &[("seller_id", "{seller}"), ("bidder_id", "{ann}"), ("created_at", NOON)],
    accepted: &[],
    refused: &[
        (Check, &[("bidder_id", "{seller}")]),
        (Foreign, &[("bidder_id", "{nobody}")]),
        (Foreign, &[("seller_id", "{nobody}")]),
        (Missing, &[("bidder_id", "NULL")]),
    ],
};

const AUCTIONS: Table = Table {
    name: "auctions",
    row: &[
        ("id", "{new}"),
        ("seller_id", "{seller}"),
        ("title", "'t'"),
        ("description", "''"),
        ("category_id", "NULL"),
        ("condition", "'NEW'"),
        ("shipping_payer", "'BUYER'"),
        ("scope", "'NATIONAL'"),
        ("region_id", "NULL"),
        ("starting_price", "10000"),
        ("current_price", "10000"),
        ("bid_unit", "NULL"),
        ("reserve_price", "NULL"),
        ("bid_count", "0"),
        ("leader_id", "NULL"),
        ("leader_maximum", "NULL"),
        ("leader_bid_id", "NULL"),
        ("starts_at", NOON),
        ("ends_at", ONE),
        ("scheduled_ends_at", ONE),
        ("soft_close_window_seconds", "60"),
        ("soft_close_extension_seconds", "60"),
        ("soft_close_cap_seconds", "3600"),
        ("status", "'OPEN'"),
        ("sequence", "1"),
        ("created_at", NOON),
        ("buy_now_price", "NULL"),
        ("cancel_reason", "NULL"),
    ],
    accepted: &[
        &[("buy_now_price", "10000")],
        &[("reserve_price", "15000"), ("buy_now_price", "15000")],
        &[("status", "'CANCELLED'"), ("cancel_reason", "'broken'")],
        &[
            ("leader_id", "{ann}"),
            ("leader_maximum", "20000"),
            ("leader_bid_id", "{bid}"),
            ("bid_count", "1"),
        ],
        &[("scope", "'REGIONAL'"), ("region_id", "'11110'")],
        &[("bid_unit", "5000"), ("reserve_price", "15000")],
        &[("status", "'SCHEDULED'"), ("sequence", "0")],
        &[("starting_price", "1000000000000000"), ("current_price", "1000000000000000")],
        &[
            ("leader_id", "{ann}"),
            ("leader_maximum", "10000"),
            ("leader_bid_id", "{bid}"),
            ("bid_count", "1"),
        ],
    ],
    refused: &[
        (Unique, &[("id", "{lamp}")]),
        (Foreign, &[("seller_id", "{nobody}")]),
        (Foreign, &[("category_id", "'nowhere'")]),
        (Foreign, &[("region_id", "'99'")]),
        (Check, &[("condition", "'OLD'")]),
        (Check, &[("condition", "'new'")]),
        (Check, &[("shipping_payer", "'NOBODY'")]),
        (Check, &[("scope", "'LOCAL'")]),
        (Check, &[("status", "'PAUSED'")]),
        (Check, &[("status", "'open'")]),
        (Check, &[("scope", "'REGIONAL'")]),
        (Check, &[("starting_price", "0"), ("current_price", "1")]),
        (Check, &[("starting_price", "-1")]),
        (Check, &[("starting_price", HUGE), ("current_price", HUGE)]),
        (Check, &[("current_price", HUGE)]),
        (Check, &[("current_price", "9999")]),
        (Check, &[("bid_unit", "0")]),
        (Check, &[("bid_unit", "-1")]),
        (Check, &[("bid_unit", HUGE)]),
        (Check, &[("bid_unit", "3000")]),
        (Check, &[("bid_unit", "5000"), ("current_price", "12000")]),
        (Check, &[("bid_unit", "5000"), ("reserve_price", "12000")]),
        (Check, &[("reserve_price", "0")]),
        (Check, &[("reserve_price", "9999")]),
        (Check, &[("reserve_price", HUGE)]),
        (Check, &[("bid_count", "-1")]),
        (Check, &[("bid_count", "1")]),
        (Check, &[("leader_id", "{ann}"), ("leader_maximum", "20000"), ("leader_bid_id", "{bid}")]),
        (Check, &[("leader_id", "{ann}"), ("leader_bid_id", "{bid}"), ("bid_count", "1")]),
        (Check, &[("leader_id", "{ann}"), ("leader_maximum", "20000"), ("bid_count", "1")]),
        (Check, &[("leader_maximum", "20000"), ("leader_bid_id", "{bid}"), ("bid_count", "1")]),
        (
            Check,
            &[
                ("leader_id", "{ann}"),
                ("leader_maximum", "9999"),
                ("leader_bid_id", "{bid}"),
                ("bid_count", "1"),
            ],
        ),
        (
            Check,
            &[
                ("leader_id", "{ann}"),
                ("leader_maximum", HUGE),
                ("leader_bid_id", "{bid}"),
                ("bid_count", "1"),
            ],
        ),
        (
            Check,
            &[
                ("leader_id", "{seller}"),
                ("leader_maximum", "20000"),
                ("leader_bid_id", "{bid}"),
                ("bid_count", "1"),
            ],
        ),
        (
            Foreign,
            &[
                ("leader_id", "{nobody}"),
                ("leader_maximum", "20000"),
                ("leader_bid_id", "{bid}"),
                ("bid_count", "1"),
            ],
        ),
        (
            Check,
            &[
                ("leader_id", "{ann}"),
                ("leader_maximum", "20000"),
                ("leader_bid_id", "{bid}"),
                ("bid_count", "1"),
                ("status", "'SCHEDULED'"),
            ],
        ),
        (
            Check,
            &[
                ("leader_id", "{ann}"),
                ("leader_maximum", "20000"),
                ("leader_bid_id", "{bid}"),
                ("bid_count", "1"),
                ("sequence", "0"),
            ],
        ),
        (Check, &[("sequence", "-1")]),
        (Check, &[("starts_at", ONE)]),
        (Check, &[("starts_at", ONE), ("ends_at", NOON), ("scheduled_ends_at", NOON)]),
        (Check, &[("ends_at", NOON)]),
        (Check, &[("buy_now_price", "0")]),
        (Check, &[("buy_now_price", "9999")]),
        (Check, &[("buy_now_price", HUGE)]),
        (Check, &[("bid_unit", "5000"), ("buy_now_price", "12000")]),
        (Check, &[("reserve_price", "15000"), ("buy_now_price", "14999")]),
        (Check, &[("cancel_reason", "'broken'")]),
        (Check, &[("soft_close_window_seconds", "-1")]),
        (Check, &[("soft_close_extension_seconds", "-1")]),
        (Check, &[("soft_close_cap_seconds", "-1")]),
        (Missing, &[("title", "NULL")]),
        (Missing, &[("starting_price", "NULL")]),
        (Missing, &[("current_price", "NULL")]),
        (Missing, &[("ends_at", "NULL")]),
        (Missing, &[("status", "NULL")]),
        (Missing, &[("sequence", "NULL")]),
        (Missing, &[("bid_count", "NULL")]),
    ],
};

const BIDS: Table = Table {
    name: "bids",
    row: &[
        ("id", "{new}"),
        ("auction_id", "{lamp}"),
        ("bidder_id", "{ben}"),
        ("amount", "11000"),
        ("maximum", "20000"),
        ("sequence", "3"),
        ("is_automatic", "{no}"),
        ("placed_at", NOON),
    ],
    accepted: &[&[("maximum", "11000")], &[("is_automatic", "{yes}")]],
    refused: &[
        (Unique, &[("id", "{bid}")]),
        (Unique, &[("sequence", "2")]),
        (Check, &[("sequence", "0")]),
        (Check, &[("amount", "0")]),
        (Check, &[("amount", "-1")]),
        (Check, &[("amount", HUGE), ("maximum", HUGE)]),
        (Check, &[("maximum", "10999")]),
        (Check, &[("maximum", HUGE)]),
        (Foreign, &[("auction_id", "{nobody}")]),
        (Foreign, &[("bidder_id", "{nobody}")]),
        (Missing, &[("amount", "NULL")]),
        (Missing, &[("maximum", "NULL")]),
        (Missing, &[("sequence", "NULL")]),
        (Missing, &[("placed_at", "NULL")]),
    ],
};

const AUCTION_EVENTS: Table = Table {
    name: "auction_events",
    row: &[
        ("auction_id", "{lamp}"),
        ("sequence", "3"),
        ("kind", "'BID_PLACED'"),
        ("at", NOON),
        ("bid_id", "{bid}"),
        ("status", "'OPEN'"),
        ("current_price", "11000"),
        ("minimum_bid", "12000"),
        ("bid_count", "2"),
        ("leader_id", "{ben}"),
        ("reserve_status", "'NONE'"),
        ("ends_at", ONE),
    ],
    accepted: &[
        &[("kind", "'EDITED'"), ("bid_id", "NULL")],
        &[("bid_count", "0"), ("leader_id", "NULL")],
    ],
    refused: &[
        (Unique, &[("sequence", "2")]),
        (Check, &[("sequence", "0")]),
        (Check, &[("kind", "'CHANGED'")]),
        (Check, &[("kind", "'EDITED'")]),
        (Check, &[("bid_id", "NULL")]),
        (Check, &[("status", "'PAUSED'")]),
        (Check, &[("current_price", "0")]),
        (Check, &[("minimum_bid", "10999")]),
        (Check, &[("bid_count", "-1")]),
        (Check, &[("bid_count", "0")]),
        (Check, &[("leader_id", "NULL")]),
        (Check, &[("reserve_status", "'ALMOST'")]),
        (Foreign, &[("auction_id", "{nobody}")]),
        (Foreign, &[("bid_id", "{nobody}")]),
        (Foreign, &[("leader_id", "{nobody}")]),
        (Missing, &[("at", "NULL")]),
        (Missing, &[("minimum_bid", "NULL")]),
        (Missing, &[("ends_at", "NULL")]),
    ],
};

const WALLETS: Table = Table {
    name: "wallets",
    row: &[("user_id", "{cho}"), ("available", "0"), ("locked", "0")],
    accepted: &[&[("available", "1"), ("locked", "1")]],
    refused: &[
        (Unique, &[("user_id", "{ann}")]),
        (Foreign, &[("user_id", "{nobody}")]),
        (Check, &[("available", "-1")]),
        (Check, &[("locked", "-1")]),
        (Missing, &[("available", "NULL")]),
        (Missing, &[("locked", "NULL")]),
    ],
};

const TRANSFER_ROWS: Table = Table {
    name: "transfers",
    row: &[
        ("id", "{new}"),
        ("user_id", "{ann}"),
        ("from_account", "'AVAILABLE'"),
        ("to_account", "'LOCKED'"),
        ("amount", "1"),
        ("kind", "'HOLD'"),
        ("auction_id", "{lamp}"),
        ("bid_id", "{bid}"),
        ("at", NOON),
    ],
    accepted: &[],
    refused: &[
        (Check, &[("amount", "0")]),
        (Check, &[("amount", "-1")]),
        (Check, &[("kind", "'GIFT'")]),
        (Check, &[("kind", "'hold'")]),
        (Check, &[("auction_id", "NULL")]),
        (Check, &[("bid_id", "NULL")]),
        (
            Check,
            &[("kind", "'DEPOSIT'"), ("from_account", "'EXTERNAL'"), ("to_account", "'AVAILABLE'")],
        ),
        (Foreign, &[("user_id", "{nobody}")]),
        (Foreign, &[("auction_id", "{nobody}")]),
        (Foreign, &[("bid_id", "{nobody}")]),
        (Missing, &[("amount", "NULL")]),
        (Missing, &[("at", "NULL")]),
    ],
};

const IDEMPOTENCY_KEYS: Table = Table {
    name: "idempotency_keys",
    row: &[
        ("user_id", "{ben}"),
        ("key", "'k'"),
        ("request", "'r'"),
        ("auction_id", "{lamp}"),
        ("sequence", "2"),
        ("bid_id", "{bid}"),
        ("transfer_id", "NULL"),
        ("created_at", NOON),
    ],
    accepted: &[],
    refused: &[
        (Unique, &[("key", "'first'")]),
        (Check, &[("auction_id", "NULL")]),
        (Check, &[("sequence", "NULL")]),
        (Check, &[("bid_id", "NULL")]),
        (Check, &[("auction_id", "NULL"), ("sequence", "NULL"), ("bid_id", "NULL")]),
        (Foreign, &[("user_id", "{nobody}")]),
        (Foreign, &[("bid_id", "{nobody}")]),
        (Foreign, &[("auction_id", "{nobody}")]),
        (Check, &[("transfer_id", "{nobody}")]),
        (
            Foreign,
            &[
                ("transfer_id", "{nobody}"),
                ("auction_id", "NULL"),
                ("sequence", "NULL"),
                ("bid_id", "NULL"),
            ],
        ),
        (Missing, &[("request", "NULL")]),
    ],
};

const ORDERS: Table = Table {
    name: "orders",
    row: &[
        ("id", "{new}"),
        ("auction_id", "{lamp}"),
        ("buyer_id", "{ann}"),
        ("seller_id", "{seller}"),
        ("price", "10000"),
        ("fee", "0"),
        ("status", "'AWAITING_HANDOVER'"),
        ("created_at", NOON),
        ("updated_at", NOON),
        ("completes_at", "NULL"),
        ("dispute_reason", "NULL"),
        ("resolution_note", "NULL"),
        ("decided_by", "NULL"),
    ],
    accepted: &[
        &[("status", "'HANDED_OVER'"), ("completes_at", ONE)],
        &[("status", "'DISPUTED'"), ("dispute_reason", "'r'")],
        &[("fee", "10000"), ("updated_at", ONE)],
        &[("decided_by", "{cho}")],
    ],
    refused: &[
        (Foreign, &[("auction_id", "{nobody}")]),
        (Foreign, &[("buyer_id", "{nobody}")]),
        (Foreign, &[("seller_id", "{nobody}")]),
        (Foreign, &[("decided_by", "{nobody}")]),
        (Check, &[("decided_by", "{ann}")]),
        (Check, &[("decided_by", "{seller}")]),
        (Check, &[("buyer_id", "{seller}")]),
        (Check, &[("price", "0")]),
        (Check, &[("price", HUGE)]),
        (Check, &[("fee", "-1")]),
        (Check, &[("fee", "10001")]),
        (Check, &[("status", "'LOST'")]),
        (Check, &[("status", "'HANDED_OVER'")]),
        (Check, &[("completes_at", ONE)]),
        (Check, &[("status", "'DISPUTED'")]),
        (Check, &[("created_at", ONE)]),
        (Missing, &[("price", "NULL")]),
        (Missing, &[("status", "NULL")]),
    ],
};

const NOTIFICATIONS: Table = Table {
    name: "notifications",
    row: &[
        ("id", "{new}"),
        ("user_id", "{ann}"),
        ("kind", "'OUTBID'"),
        ("auction_id", "{lamp}"),
        ("at", NOON),
        ("is_read", "{no}"),
    ],
    accepted: &[&[("is_read", "{yes}")]],
    refused: &[
        (Check, &[("kind", "'NEWS'")]),
        (Foreign, &[("user_id", "{nobody}")]),
        (Foreign, &[("auction_id", "{nobody}")]),
        (Missing, &[("is_read", "NULL")]),
    ],
};
