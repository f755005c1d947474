//! The audit's questions: each counts what it looked at and what breaks an invariant.

use sea_orm::{ConnectionTrait, DbErr, Statement};

/// An invariant, as a query for (checked, broken).
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What must hold.
    pub name: &'static str,
    /// SELECTs `checked` and `broken`, each a BIGINT.
    sql: &'static str,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What must hold.
    pub name: &'static str,
    /// How many things were looked at.
    pub checked: i64,
    /// How many of them break it.
    pub broken: i64,
}

/// Every invariant. They are meant to be run in one transaction, on one snapshot.
pub const CHECKS: &[Check] = &[
    Check {
        name: "each wallet equals the sum of its transfers",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN
                w.available = COALESCE(t.available, 0) AND w.locked = COALESCE(t.locked, 0)
                THEN 0 ELSE 1 END), 0) AS broken
              FROM wallets w LEFT JOIN (
                SELECT user_id,
                  SUM(CASE WHEN to_account = 'AVAILABLE' THEN amount ELSE 0 END)
                  - SUM(CASE WHEN from_account = 'AVAILABLE' THEN amount ELSE 0 END) AS available,
                  SUM(CASE WHEN to_account = 'LOCKED' THEN amount ELSE 0 END)
                  - SUM(CASE WHEN from_account = 'LOCKED' THEN amount ELSE 0 END) AS locked
                FROM transfers GROUP BY user_id) t ON t.user_id = w.user_id",
    },
    Check {
        name: "each user has a wallet",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN w.user_id IS NULL
                THEN 1 ELSE 0 END), 0) AS broken
              FROM users u LEFT JOIN wallets w ON w.user_id = u.id",
    },
    Check {
        name: "no balance is negative",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN available < 0 OR locked < 0
                THEN 1 ELSE 0 END), 0) AS broken FROM wallets",
    },
    Check {
        name: "money over all accounts sums to zero",
        sql: "SELECT (SELECT COUNT(*) FROM transfers) AS checked, CASE WHEN
                (SELECT COALESCE(SUM(available + locked), 0) FROM wallets)
                + (SELECT COALESCE(SUM(CASE WHEN to_account IN ('ESCROW', 'FEES', 'EXTERNAL')
                    THEN amount ELSE 0 END), 0) FROM transfers)
                - (SELECT COALESCE(SUM(CASE WHEN from_account IN ('ESCROW', 'FEES', 'EXTERNAL')
                    THEN amount ELSE 0 END), 0) FROM transfers)
                = 0 THEN 0 ELSE 1 END AS broken",
    },
    Check {
        name: "locked money equals the holds of the open auctions that its owner leads",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN w.locked = COALESCE(a.held, 0)
                THEN 0 ELSE 1 END), 0) AS broken
              FROM wallets w LEFT JOIN (
                SELECT leader_id, SUM(CASE WHEN buy_now_price < leader_maximum THEN buy_now_price
                  ELSE leader_maximum END) AS held FROM auctions
                WHERE status = 'OPEN' AND leader_id IS NOT NULL GROUP BY leader_id) a
              ON a.leader_id = w.user_id",
    },
    Check {
        name: "every bid that was not its leader's raise has its hold",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE
                WHEN t.bid_id IS NOT NULL OR e.leader_id = b.bidder_id
                THEN 0 ELSE 1 END), 0) AS broken
              FROM bids b
              LEFT JOIN (SELECT DISTINCT bid_id, user_id FROM transfers WHERE kind = 'HOLD') t
              ON t.bid_id = b.id AND t.user_id = b.bidder_id
              LEFT JOIN auction_events e
              ON e.auction_id = b.auction_id AND e.sequence = b.sequence - 1
              WHERE NOT b.is_automatic",
    },
    Check {
        name: "every bid that lost the lead has its release, and only a leader's money is held",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN
                h.held = COALESCE(CASE WHEN a.buy_now_price < a.leader_maximum
                  THEN a.buy_now_price ELSE a.leader_maximum END, 0)
                THEN 0 ELSE 1 END), 0) AS broken
              FROM (SELECT bid_id, SUM(CASE kind WHEN 'HOLD' THEN amount ELSE -amount END) AS held
                FROM transfers WHERE kind IN ('HOLD', 'RELEASE', 'CAPTURE') GROUP BY bid_id) h
              LEFT JOIN auctions a ON a.leader_bid_id = h.bid_id AND a.status = 'OPEN'",
    },
    Check {
        name: "each open lead is held by the bid that took it",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN t.held =
                CASE WHEN a.buy_now_price < a.leader_maximum
                THEN a.buy_now_price ELSE a.leader_maximum END
                THEN 0 ELSE 1 END), 0) AS broken
              FROM auctions a LEFT JOIN (SELECT bid_id, auction_id, user_id,
                SUM(CASE kind WHEN 'HOLD' THEN amount ELSE -amount END) AS held
                FROM transfers WHERE bid_id IS NOT NULL GROUP BY bid_id, auction_id, user_id) t
              ON t.bid_id = a.leader_bid_id AND t.auction_id = a.id AND t.user_id = a.leader_id
              WHERE a.status = 'OPEN' AND a.leader_id IS NOT NULL",
    },
    Check {
        name: "sequences have no holes and end at the auction's",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN
                a.sequence = COALESCE(e.newest, 0) AND a.sequence = COALESCE(e.events, 0)
                THEN 0 ELSE 1 END), 0) AS broken
              FROM auctions a LEFT JOIN (
                SELECT auction_id, MAX(sequence) AS newest, COUNT(*) AS events
                FROM auction_events GROUP BY auction_id) e ON e.auction_id = a.id",
    },
    Check {
        name: "each bid is the event of its number",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN e.bid_id = b.id
                AND e.current_price = b.amount THEN 0 ELSE 1 END), 0) AS broken
              FROM bids b LEFT JOIN auction_events e
              ON e.auction_id = b.auction_id AND e.sequence = b.sequence",
    },
    Check {
        name: "each event of a bid has its bid",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN b.id = e.bid_id
                THEN 0 ELSE 1 END), 0) AS broken
              FROM auction_events e LEFT JOIN bids b
              ON b.auction_id = e.auction_id AND b.sequence = e.sequence
              WHERE e.kind = 'BID_PLACED'",
    },
    // The engine bids only for the leader; a bid that does not take the lead is answered at once
    // by a bid in the leader's name.
    Check {
        name: "each event's leader follows from its bid and those around it",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN CASE
                WHEN e.kind <> 'BID_PLACED' THEN e.leader_id IS NOT DISTINCT FROM p.leader_id
                WHEN b.is_automatic
                  THEN e.leader_id = b.bidder_id AND e.leader_id = p.leader_id
                WHEN e.leader_id = b.bidder_id THEN 1 = 1
                ELSE e.leader_id = p.leader_id AND n.is_automatic AND n.bidder_id = e.leader_id
                END THEN 0 ELSE 1 END), 0) AS broken
              FROM auction_events e
              LEFT JOIN auction_events p
              ON p.auction_id = e.auction_id AND p.sequence = e.sequence - 1
              LEFT JOIN bids b ON b.auction_id = e.auction_id AND b.sequence = e.sequence
              LEFT JOIN bids n ON n.auction_id = e.auction_id AND n.sequence = e.sequence + 1",
    },
    // The tiers are a setting that the database does not know: without a unit of its own, a
    // minimum is only known to exceed the price.
    Check {
        name: "each event's minimum is the starting price, or the price and a step",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN CASE
                WHEN e.bid_count = 0 THEN e.minimum_bid = a.starting_price
                WHEN e.minimum_bid = COALESCE(a.buy_now_price,
                  1000000000000000 - 1000000000000000 % COALESCE(a.bid_unit, 1))
                  THEN e.current_price + COALESCE(a.bid_unit, 1) >= e.minimum_bid
                    OR a.bid_unit IS NULL
                WHEN a.bid_unit IS NOT NULL THEN e.minimum_bid = e.current_price + a.bid_unit
                ELSE e.minimum_bid > e.current_price
                END THEN 0 ELSE 1 END), 0) AS broken
              FROM auction_events e JOIN auctions a ON a.id = e.auction_id",
    },
    // Where an automatic bid stands before it, the bid was judged by the event before that one.
    Check {
        name: "each bid reaches the minimum that was asked right before it",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN b.amount >= p.minimum_bid
                OR b.amount = a.buy_now_price THEN 0 ELSE 1 END), 0) AS broken
              FROM bids b JOIN auctions a ON a.id = b.auction_id
              JOIN auction_events p ON p.auction_id = b.auction_id AND p.sequence = b.sequence - 1
              LEFT JOIN bids o ON o.auction_id = b.auction_id AND o.sequence = b.sequence - 1
              WHERE NOT b.is_automatic AND (o.id IS NULL OR NOT o.is_automatic)",
    },
    Check {
        name: "the price never falls and the count of bids follows each bid",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN
                e.current_price >= p.current_price AND e.ends_at >= p.ends_at AND e.bid_count =
                p.bid_count + CASE WHEN e.kind = 'BID_PLACED' THEN 1 ELSE 0 END
                THEN 0 ELSE 1 END), 0) AS broken
              FROM auction_events e JOIN auction_events p
              ON p.auction_id = e.auction_id AND p.sequence = e.sequence - 1",
    },
    Check {
        name: "each auction is as its newest event left it",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN e.status = a.status
                AND e.current_price = a.current_price AND e.bid_count = a.bid_count
                AND (e.leader_id = a.leader_id OR (e.leader_id IS NULL AND a.leader_id IS NULL))
                AND e.ends_at = a.ends_at THEN 0 ELSE 1 END), 0) AS broken
              FROM auctions a JOIN auction_events e
              ON e.auction_id = a.id AND e.sequence = a.sequence",
    },
    Check {
        name: "escrow equals the prices of the unsettled orders",
        sql: "SELECT (SELECT COUNT(*) FROM orders) AS checked, CASE WHEN
                (SELECT COALESCE(SUM(CASE WHEN to_account = 'ESCROW' THEN amount
                   WHEN from_account = 'ESCROW' THEN -amount ELSE 0 END), 0) FROM transfers)
                = (SELECT COALESCE(SUM(price), 0) FROM orders
                   WHERE status NOT IN ('COMPLETED', 'REFUNDED')) THEN 0 ELSE 1 END AS broken",
    },
    Check {
        name: "fees equal the fees of the completed orders",
        sql: "SELECT (SELECT COUNT(*) FROM orders WHERE status = 'COMPLETED') AS checked, CASE WHEN
                (SELECT COALESCE(SUM(amount), 0) FROM transfers WHERE to_account = 'FEES')
                = (SELECT COALESCE(SUM(fee), 0) FROM orders WHERE status = 'COMPLETED')
                THEN 0 ELSE 1 END AS broken",
    },
    Check {
        name: "each order's price was captured, and paid or refunded as its status says",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN
                o.price = COALESCE(t.captured, 0)
                AND COALESCE(t.paid, 0) = CASE o.status WHEN 'COMPLETED' THEN o.price ELSE 0 END
                AND COALESCE(t.refunded, 0) = CASE o.status WHEN 'REFUNDED' THEN o.price ELSE 0 END
                THEN 0 ELSE 1 END), 0) AS broken
              FROM orders o LEFT JOIN (
                SELECT auction_id, SUM(CASE WHEN kind = 'CAPTURE' THEN amount END) AS captured,
                  SUM(CASE WHEN kind IN ('PAYOUT', 'FEE') THEN amount END) AS paid,
                  SUM(CASE WHEN kind = 'REFUND' THEN amount END) AS refunded
                FROM transfers GROUP BY auction_id) t ON t.auction_id = o.auction_id",
    },
    Check {
        name: "each sold auction has its order, and no other has one",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE
                WHEN a.status = 'SOLD' AND o.price = a.current_price
                  AND o.buyer_id = a.leader_id AND o.seller_id = a.seller_id THEN 0
                WHEN a.status <> 'SOLD' AND o.id IS NULL THEN 0 ELSE 1 END), 0) AS broken
              FROM auctions a LEFT JOIN orders o ON o.auction_id = a.id",
    },
    Check {
        name: "ended auctions hold nothing, and nothing follows their end",
        sql: "SELECT COUNT(*) AS checked, COALESCE(SUM(CASE WHEN e.sequence = a.sequence
                AND COALESCE(t.held, 0) = 0 THEN 0 ELSE 1 END), 0) AS broken
              FROM auctions a LEFT JOIN auction_events e
              ON e.auction_id = a.id AND e.kind IN ('SOLD', 'UNSOLD', 'CANCELLED')
              LEFT JOIN (SELECT auction_id,
                SUM(CASE kind WHEN 'HOLD' THEN amount ELSE -amount END) AS held
                FROM transfers WHERE kind IN ('HOLD', 'RELEASE', 'CAPTURE') GROUP BY auction_id) t
              ON t.auction_id = a.id
              WHERE a.status IN ('SOLD', 'UNSOLD', 'CANCELLED')",
    },
];

impl Check {
    /// Asks the database.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn run(&self, db: &impl ConnectionTrait) -> Result<Finding, DbErr> {
        let sql = format!(
            "SELECT CAST(checked AS BIGINT) AS checked, CAST(broken AS BIGINT) AS broken \
             FROM ({}) AS found",
            self.sql
        );
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| super::corrupt("an audit without answer"))?;
        Ok(Finding {
            name: self.name,
            checked: row.try_get("", "checked")?,
            broken: row.try_get("", "broken")?,
        })
    }
}
