//! `audit`: green on a sound house, and each of its checks seen to fail on a database that was
//! tampered with for it.

use chrono::TimeDelta;
use entity::{enums::TransferKind, order};
use neighborbid::{
    domain::order::Action,
    engine::{CreateAuction, Session, WalletMove},
    store::audit::CHECKS,
};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait,
    QueryFilter,
};

use crate::support::requests::{self, key_of, reason};
use crate::support::{TestDatabase, TestHouse, binary::run, house::money, on_both};

/// What is done to the database behind the house's back, and the check that must notice it.
/// `{ann}` and `{ben}` stand for people, `{contested}` and the like for auctions.
const TAMPERING: &[(&str, &[&str])] = &[
    (
        "each wallet equals the sum of its transfers",
        &[
            "UPDATE wallets SET available = available + CASE user_id WHEN {ann} THEN 1 ELSE -1 END
             WHERE user_id IN ({ann}, {ben})",
            "UPDATE wallets SET available = available - 1, locked = locked + 1
             WHERE user_id = {ann}",
            "DELETE FROM transfers WHERE kind = 'DEPOSIT' AND user_id = {ann}",
            "UPDATE transfers SET amount = amount + 1 WHERE kind = 'WITHDRAWAL'",
            "UPDATE transfers SET user_id = {ben} WHERE kind = 'DEPOSIT' AND user_id = {ann}",
        ],
    ),
    (
        "each user has a wallet",
        &["DELETE FROM wallets WHERE user_id = (SELECT id FROM users WHERE username = 'admin')"],
    ),
    (
        "no balance is negative",
        &[
            "UPDATE wallets SET available = -1 WHERE user_id = {ann}",
            "UPDATE wallets SET locked = -1 WHERE user_id = {ann}",
        ],
    ),
    (
        "money over all accounts sums to zero",
        &[
            "UPDATE wallets SET available = available + 1 WHERE user_id = {ann}",
            "UPDATE wallets SET locked = locked - 1 WHERE user_id = {ann}",
            "DELETE FROM wallets WHERE user_id = {ann}",
            "DELETE FROM transfers WHERE kind = 'WITHDRAWAL'",
        ],
    ),
    (
        "locked money equals the holds of the open auctions that its owner leads",
        &[
            "UPDATE auctions SET leader_maximum = leader_maximum + 1 WHERE id = {led}",
            "UPDATE auctions SET leader_id = {ben} WHERE id = {led}",
            "UPDATE auctions SET status = 'UNSOLD' WHERE id = {led}",
            "UPDATE auctions SET leader_id = NULL WHERE id = {contested}",
        ],
    ),
    (
        "every bid that was not its leader's raise has its hold",
        &[
            "DELETE FROM transfers WHERE kind = 'HOLD' AND user_id = {ann}",
            "UPDATE transfers SET user_id = {ben} WHERE kind = 'HOLD' AND auction_id = {led}",
        ],
    ),
    (
        "every bid that lost the lead has its release, and only a leader's money is held",
        &[
            "DELETE FROM transfers WHERE kind = 'RELEASE'",
            "UPDATE transfers SET amount = amount - 1 WHERE kind = 'RELEASE'",
            "UPDATE transfers SET amount = amount + 1 WHERE kind = 'HOLD' AND auction_id = {led}",
        ],
    ),
    (
        "each open lead is held by the bid that took it",
        &[
            "UPDATE auctions SET leader_maximum = leader_maximum - 1 WHERE id = {contested}",
            "UPDATE auctions SET leader_bid_id = (SELECT id FROM bids
               WHERE auction_id = {contested} AND sequence = 2) WHERE id = {contested}",
            "DELETE FROM transfers WHERE kind = 'HOLD' AND auction_id = {led}",
        ],
    ),
    (
        "sequences have no holes and end at the auction's",
        &[
            "DELETE FROM auction_events WHERE auction_id = {contested} AND sequence = 3",
            "DELETE FROM auction_events WHERE auction_id = {contested} AND sequence = 5",
            "UPDATE auction_events SET sequence = 7 \
             WHERE auction_id = {contested} AND sequence = 1",
            "UPDATE auctions SET sequence = sequence + 1 WHERE id = {listed}",
            "UPDATE auctions SET sequence = sequence - 1 WHERE id = {led}",
            "DELETE FROM auction_events WHERE auction_id = {led}",
        ],
    ),
    (
        "each bid is the event of its number",
        &[
            "UPDATE bids SET amount = amount + 1 WHERE auction_id = {contested} AND sequence = 3",
            "UPDATE bids SET sequence = sequence + 10 WHERE auction_id = {contested}",
            "UPDATE auction_events SET bid_id = (SELECT id FROM bids
               WHERE auction_id = {contested} AND sequence = 3)
             WHERE auction_id = {contested} AND sequence = 4",
            "DELETE FROM auction_events WHERE auction_id = {led} AND sequence = 2",
        ],
    ),
    (
        "each event of a bid has its bid",
        &[
            "DELETE FROM bids WHERE auction_id = {contested} AND is_automatic",
            "DELETE FROM bids WHERE auction_id = {contested} AND sequence = 2",
            "UPDATE bids SET sequence = 9 WHERE auction_id = {contested} AND sequence = 5",
            "UPDATE bids SET auction_id = {listed} WHERE auction_id = {led}",
        ],
    ),
    (
        "each event's leader follows from its bid and those around it",
        &[
            // The first bid's, one that took the lead, one that did not, and the answer to it.
            "UPDATE auction_events SET leader_id = {ben}
             WHERE auction_id = {contested} AND sequence = 2",
            "UPDATE auction_events SET leader_id = {ann}
             WHERE auction_id = {contested} AND sequence = 3",
            "UPDATE auction_events SET leader_id = {ann}
             WHERE auction_id = {contested} AND sequence = 4",
            "UPDATE auction_events SET leader_id = (SELECT id FROM users WHERE username = 'seller')
             WHERE auction_id = {contested} AND sequence = 4",
            "UPDATE auction_events SET leader_id = {ann}
             WHERE auction_id = {contested} AND sequence = 5",
            "UPDATE auction_events SET leader_id = {ben}
             WHERE auction_id = {sold} AND kind = 'SOLD'",
            "UPDATE auction_events SET leader_id = {ben}
             WHERE auction_id = {contested} AND sequence = 1",
        ],
    ),
    (
        "each event's minimum is the starting price, or the price and a step",
        &[
            "UPDATE auction_events SET minimum_bid = minimum_bid + 1
             WHERE auction_id = {contested} AND sequence = 1",
            "UPDATE auction_events SET minimum_bid = current_price
             WHERE auction_id = {contested} AND sequence = 3",
            "UPDATE auctions SET bid_unit = 250 WHERE id = {contested}",
        ],
    ),
    (
        "each bid reaches the minimum that was asked right before it",
        &[
            "UPDATE auction_events SET minimum_bid = 11001
             WHERE auction_id = {contested} AND sequence = 2",
            "UPDATE bids SET amount = 10499 WHERE auction_id = {contested} AND sequence = 3",
        ],
    ),
    (
        "the price never falls and the count of bids follows each bid",
        &[
            "UPDATE auction_events SET current_price = 1 WHERE sequence = 4",
            "UPDATE auction_events SET bid_count = bid_count + 1 WHERE sequence = 3",
            "UPDATE auction_events SET ends_at = at WHERE sequence = 3",
        ],
    ),
    (
        "each auction is as its newest event left it",
        &[
            "UPDATE auctions SET current_price = current_price + 1 WHERE id = {led}",
            "UPDATE auctions SET status = 'CANCELLED' WHERE id = {contested}",
            "UPDATE auctions SET bid_count = bid_count + 1 WHERE id = {led}",
            "UPDATE auctions SET ends_at = starts_at WHERE id = {led}",
            "UPDATE auctions SET leader_id = NULL WHERE id = {led}",
            "UPDATE auction_events SET leader_id = {ann} WHERE auction_id = {contested}
             AND sequence = 5",
        ],
    ),
    (
        "escrow equals the prices of the unsettled orders",
        &[
            "UPDATE orders SET status = 'COMPLETED' WHERE auction_id = {sold}",
            "UPDATE orders SET price = price + 1 WHERE auction_id = {sold}",
            "DELETE FROM transfers WHERE kind = 'CAPTURE' AND auction_id = {sold}",
            "DELETE FROM orders WHERE auction_id = {sold}",
        ],
    ),
    (
        "fees equal the fees of the completed orders",
        &[
            "UPDATE orders SET fee = fee + 1 WHERE auction_id = {paid}",
            "UPDATE transfers SET kind = 'FEE', to_account = 'FEES' WHERE kind = 'REFUND'",
        ],
    ),
    (
        "each order's price was captured, and paid or refunded as its status says",
        &[
            "UPDATE orders SET price = price - 1 WHERE auction_id = {paid}",
            "UPDATE orders SET status = 'REFUNDED' WHERE auction_id = {paid}",
            "UPDATE orders SET status = 'HANDED_OVER' WHERE auction_id = {refunded}",
            "DELETE FROM transfers WHERE kind = 'PAYOUT'",
            "DELETE FROM transfers WHERE kind = 'REFUND'",
        ],
    ),
    (
        "each sold auction has its order, and no other has one",
        &[
            "DELETE FROM orders WHERE auction_id = {refunded}",
            "UPDATE orders SET auction_id = {listed} WHERE auction_id = {refunded}",
            "UPDATE orders SET buyer_id = {ben} WHERE auction_id = {sold}",
            "UPDATE orders SET seller_id = {ben} WHERE auction_id = {sold}",
            "UPDATE auctions SET status = 'UNSOLD' WHERE id = {sold}",
        ],
    ),
    (
        "ended auctions hold nothing, and nothing follows their end",
        &[
            "DELETE FROM transfers WHERE kind = 'RELEASE' AND auction_id = {cancelled}",
            "UPDATE auctions SET status = 'CANCELLED' WHERE id = {led}",
            "UPDATE auction_events SET sequence = sequence + 1
             WHERE auction_id = {cancelled} AND kind = 'CANCELLED'",
            "UPDATE auction_events SET kind = 'EDITED'
             WHERE auction_id = {sold} AND kind = 'SOLD'",
        ],
    ),
];

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// A copy of a test's database, to be tampered with.
struct Copy {
    url: String,
    on_postgres: bool,
    /// The server, or the original file.
    from: DatabaseConnection,
}

impl Copy {
    async fn of(db: &TestDatabase) -> Self {
        let on_postgres = db.is_postgres();
        if on_postgres {
            let (server, name) = db.url.rsplit_once('/').unwrap();
            let from = connect(&format!("{server}/postgres")).await;
            let make = format!("CREATE DATABASE {name}_tampered TEMPLATE {name}");
            from.execute_unprepared(&make).await.unwrap();
            let url = format!("{}_tampered", db.url);
            return Self { url, on_postgres, from };
        }
        let url = db.url.replace("?mode=rwc", ".tampered");
        let from = connect(&db.url).await;
        let file = url.trim_start_matches("sqlite://");
        let make = format!("VACUUM INTO '{file}'");
        from.execute_unprepared(&make).await.unwrap();
        Self { url, on_postgres, from }
    }

    /// Does to it what the database itself would refuse.
    async fn tamper(&self, sql: &str) {
        const POSTGRES: &str = "SET session_replication_role = replica;
            DO $$ DECLARE c record; BEGIN
              FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint
                WHERE contype = 'c' AND connamespace = 'public'::regnamespace LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname);
              END LOOP;
            END $$;";
        const SQLITE: &str = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
            DROP TRIGGER bids_no_UPDATE; DROP TRIGGER bids_no_DELETE;
            DROP TRIGGER auction_events_no_UPDATE; DROP TRIGGER auction_events_no_DELETE;
            DROP TRIGGER transfers_no_UPDATE; DROP TRIGGER transfers_no_DELETE;";
        let db = connect(&self.url).await;
        let unguard = if self.on_postgres { POSTGRES } else { SQLITE };
        db.execute_unprepared(unguard).await.unwrap();
        let done = db.execute_unprepared(sql).await.unwrap();
        assert!(done.rows_affected() > 0, "nothing to tamper with: {sql}");
        db.close().await.unwrap();
    }

    async fn remove(self) {
        if self.on_postgres {
            let name = self.url.rsplit_once('/').unwrap().1;
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            self.from.execute_unprepared(&drop).await.unwrap();
        } else {
            let file = self.url.trim_start_matches("sqlite://");
            for ending in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{file}{ending}"));
            }
        }
        self.from.close().await.unwrap();
    }
}

/// A house with an auction that two people contest, one that is led, and one that is only listed.
async fn furnish(db: &TestDatabase) {
    let house = TestHouse::open(db).await;
    let seller = house.person("seller", None, 0).await;
    let ann = house.person("ann", None, 100_000).await;
    let ben = house.person("ben", None, 100_000).await;
    let titled = |title: &str| CreateAuction { title: requests::title(title), ..house.a_lamp() };
    let contested = house.list(&seller, titled("contested")).await;
    house.bid(&ann, contested, 10_000).await;
    house.bid_up_to(&ben, contested, 11_000, 20_000).await;
    house.bid(&ann, contested, 15_000).await;
    let led = house.list(&seller, titled("led")).await;
    house.bid(&ann, led, 10_000).await;
    house.bid_up_to(&ann, led, 12_000, 30_000).await;
    let listed =
        CreateAuction { starts_at: Some(house.now() + TimeDelta::hours(1)), ..titled("listed") };
    house.list(&seller, listed).await;
    let out = WalletMove {
        kind: TransferKind::Withdrawal,
        amount: money(5_000),
        idempotency_key: key_of("out"),
        user: None,
    };
    house.engine.move_money(&ben, out).await.unwrap();
    end_some(&house, &seller, &ann).await;
    house.db.close().await;
}

/// Auctions of each end: one that waits for its handover, one paid, one refunded, one cancelled.
async fn end_some(house: &TestHouse, seller: &Session, buyer: &Session) {
    let admin = house.admin("admin").await;
    for title in ["sold", "paid", "refunded", "cancelled"] {
        let titled = CreateAuction { title: requests::title(title), ..house.a_lamp() };
        let auction = house.list(seller, titled).await;
        house.bid_up_to(buyer, auction, 10_000, 12_000).await;
        if title == "cancelled" {
            house.engine.cancel_auction(seller, auction, reason("broken")).await.unwrap();
            continue;
        }
        house.engine.end_auction_early(seller, auction).await.unwrap();
        let order = order::Entity::find().filter(order::Column::AuctionId.eq(auction));
        let order = order.one(&house.db.read).await.unwrap().unwrap().id;
        let steps: &[_] = match title {
            "paid" => &[(seller, Action::HandOver), (buyer, Action::ConfirmReceipt)],
            "refunded" => &[(buyer, Action::Dispute), (&admin, Action::RefundBuyer)],
            _ => &[],
        };
        for (who, action) in steps {
            let words = (title == "refunded").then(|| reason("a scratch"));
            house.engine.act_on_order(who, order, *action, words).await.unwrap();
        }
    }
}

/// Puts ids in the places of names.
fn with_ids(sql: &str) -> String {
    let user = |name| format!("(SELECT id FROM users WHERE username = '{name}')");
    let auction = |name| format!("(SELECT id FROM auctions WHERE title = '{name}')");
    let with_users = sql.replace("{ann}", &user("ann")).replace("{ben}", &user("ben"));
    let titles = ["contested", "led", "listed", "sold", "paid", "refunded", "cancelled"];
    titles
        .iter()
        .fold(with_users, |sql, title| sql.replace(&format!("{{{title}}}"), &auction(title)))
}

on_both! {
    async fn audit_prints_a_line_a_check_with_its_count(db: &TestDatabase) {
        furnish(db).await;
        let ended = run(&["audit", "--database-url", &db.url]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
        let mut lines = ended.out.lines();
        for check in CHECKS {
            let line = lines.next().unwrap();
            assert!(line.starts_with("ok ") && line.contains(check.name), "{line}");
            assert!(line.ends_with(" checked)") && !line.contains("(0 checked)"), "{line}");
        }
        assert_eq!(lines.next(), None);
        for line in [
            "each wallet equals the sum of its transfers (4 checked)",
            "sequences have no holes and end at the auction's (7 checked)",
            "each bid is the event of its number (10 checked)",
            "each open lead is held by the bid that took it (2 checked)",
            "fees equal the fees of the completed orders (1 checked)",
        ] {
            assert!(ended.out.contains(line), "{}", ended.out);
        }
    }

    async fn it_outlasts_the_statement_timeout(db: &TestDatabase) {
        furnish(db).await;
        let holder = connect(&db.url).await;
        if db.is_postgres() {
            holder.execute_unprepared("BEGIN; LOCK TABLE wallets").await.unwrap();
        }
        let url = db.url.clone();
        let audit = tokio::task::spawn_blocking(move || {
            run(&["audit", "--database-url", &url, "--statement-timeout-seconds", "1"])
        });
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(audit.is_finished(), !db.is_postgres(), "only Postgres locks out readers");
        holder.close().await.unwrap();
        let ended = audit.await.unwrap();
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    }

    async fn each_check_fails_on_a_database_that_was_tampered_with_for_it(db: &TestDatabase) {
        furnish(db).await;
        let mut unseen = Vec::new();
        for (check, tampering) in TAMPERING {
            for sql in *tampering {
                let copy = Copy::of(db).await;
                copy.tamper(&with_ids(sql)).await;
                let ended = run(&["audit", "--database-url", &copy.url]);
                let broken = format!("BROKEN  {check} (");
                if ended.code != Some(1) || !ended.out.contains(&broken) {
                    unseen.push(format!("{sql}\n{}{}", ended.out, ended.err));
                }
                copy.remove().await;
            }
        }
        assert!(unseen.is_empty(), "the audit does not see:\n{}", unseen.join("\n"));
    }
}

#[test]
fn every_check_has_been_seen_to_fail() {
    let seen = |name: &&str| TAMPERING.iter().any(|(check, _)| check == name);
    let unseen: Vec<_> = CHECKS.iter().map(|check| check.name).filter(|name| !seen(name)).collect();
    assert!(unseen.is_empty(), "nobody has tampered for {unseen:?}");
}
