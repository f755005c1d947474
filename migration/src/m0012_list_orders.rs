//! Lists in every order: for each status, the auctions by age, end, price and bids, so that a
//! page is the beginning of an index, however many auctions there are; and those of a category,
//! which may be few of many.
//!
//! That by end also says which open auction ends next: `auctions_closing` is not needed.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE INDEX auctions_by_age ON auctions (status, id);
             CREATE INDEX auctions_by_end ON auctions (status, ends_at, id);
             CREATE INDEX auctions_by_price ON auctions (status, current_price, id);
             CREATE INDEX auctions_by_bids ON auctions (status, bid_count, id);
             CREATE INDEX auctions_category ON auctions (category_id, id);
             DROP INDEX auctions_closing;",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE INDEX auctions_closing ON auctions (ends_at) WHERE status = 'OPEN';
             DROP INDEX auctions_category;
             DROP INDEX auctions_by_bids;
             DROP INDEX auctions_by_price;
             DROP INDEX auctions_by_end;
             DROP INDEX auctions_by_age;",
        )
        .await
    }
}
