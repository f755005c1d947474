//! Buying at once, and withdrawing: a price that ends an auction, and the reason of a withdrawal.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "ALTER TABLE auctions ADD COLUMN buy_now_price {int64}
               CHECK (buy_now_price BETWEEN 1 AND 1000000000000000)
               CHECK (current_price <= buy_now_price)
               CHECK (bid_unit IS NULL OR buy_now_price % bid_unit = 0)
               CHECK (reserve_price IS NULL OR reserve_price <= buy_now_price);
             ALTER TABLE auctions ADD COLUMN cancel_reason TEXT
               CHECK (cancel_reason IS NULL OR status = 'CANCELLED');",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "ALTER TABLE auctions DROP COLUMN cancel_reason;
             ALTER TABLE auctions DROP COLUMN buy_now_price;",
        )
        .await
    }
}
