//! Wallets and the ledger. The database itself refuses a negative balance, a transfer between
//! accounts that its kind does not join, and any change to a transfer.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE wallets (
               user_id {uuid} NOT NULL PRIMARY KEY REFERENCES users (id),
               available {int64} NOT NULL CHECK (available >= 0),
               locked {int64} NOT NULL CHECK (locked >= 0)
             ) {strict};
             CREATE TABLE transfers (
               id {uuid} NOT NULL PRIMARY KEY,
               user_id {uuid} NOT NULL REFERENCES users (id),
               from_account TEXT NOT NULL,
               to_account TEXT NOT NULL,
               amount {int64} NOT NULL CHECK (amount > 0),
               kind TEXT NOT NULL,
               auction_id {uuid} REFERENCES auctions (id),
               bid_id {uuid} REFERENCES bids (id),
               at {time} NOT NULL,
               CHECK (CASE kind
                 WHEN 'DEPOSIT' THEN from_account = 'EXTERNAL' AND to_account = 'AVAILABLE'
                 WHEN 'WITHDRAWAL' THEN from_account = 'AVAILABLE' AND to_account = 'EXTERNAL'
                 WHEN 'HOLD' THEN from_account = 'AVAILABLE' AND to_account = 'LOCKED'
                 WHEN 'RELEASE' THEN from_account = 'LOCKED' AND to_account = 'AVAILABLE'
                 WHEN 'CAPTURE' THEN from_account = 'LOCKED' AND to_account = 'ESCROW'
                 WHEN 'PAYOUT' THEN from_account = 'ESCROW' AND to_account = 'AVAILABLE'
                 WHEN 'REFUND' THEN from_account = 'ESCROW' AND to_account = 'AVAILABLE'
                 WHEN 'FEE' THEN from_account = 'ESCROW' AND to_account = 'FEES'
                 ELSE 1 = 0 END),
               CHECK ((kind IN ('DEPOSIT', 'WITHDRAWAL')) = (auction_id IS NULL)),
               CHECK (kind NOT IN ('HOLD', 'RELEASE', 'CAPTURE') OR bid_id IS NOT NULL)
             ) {strict};
             CREATE INDEX transfers_user ON transfers (user_id, id);
             CREATE INDEX transfers_bid ON transfers (bid_id);",
        )
        .await?;
        sql::append_only(manager, "transfers").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE transfers; DROP TABLE wallets;").await
    }
}
