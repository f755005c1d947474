//! The keys under which clients repeat a request safely.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE idempotency_keys (
               user_id {uuid} NOT NULL REFERENCES users (id),
               key TEXT NOT NULL,
               request TEXT NOT NULL,
               auction_id {uuid} REFERENCES auctions (id),
               sequence {int64},
               bid_id {uuid} REFERENCES bids (id),
               transfer_id {uuid} REFERENCES transfers (id),
               created_at {time} NOT NULL,
               PRIMARY KEY (user_id, key),
               CHECK ((bid_id IS NULL) = (auction_id IS NULL)),
               CHECK ((bid_id IS NULL) = (sequence IS NULL)),
               CHECK ((bid_id IS NULL) <> (transfer_id IS NULL))
             ) {strict};",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE idempotency_keys").await
    }
}
