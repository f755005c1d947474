//! Transfers are found by their owner or their id. Only the audit asks for those of a bid, and it
//! reads them all: an index that each bid wrote twice served nobody.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP INDEX transfers_bid;").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "CREATE INDEX transfers_bid ON transfers (bid_id);").await
    }
}
