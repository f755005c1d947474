//! Orders: one a sold auction, its price in escrow until it is settled.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE orders (
               id {uuid} NOT NULL PRIMARY KEY,
               auction_id {uuid} NOT NULL UNIQUE REFERENCES auctions (id),
               buyer_id {uuid} NOT NULL REFERENCES users (id),
               seller_id {uuid} NOT NULL REFERENCES users (id),
               price {int64} NOT NULL CHECK (price BETWEEN 1 AND 1000000000000000),
               fee {int64} NOT NULL CHECK (fee BETWEEN 0 AND price),
               status TEXT NOT NULL CHECK (status IN
                 ('AWAITING_HANDOVER', 'HANDED_OVER', 'DISPUTED', 'COMPLETED', 'REFUNDED')),
               created_at {time} NOT NULL,
               updated_at {time} NOT NULL,
               completes_at {time},
               dispute_reason TEXT,
               resolution_note TEXT,
               CHECK (buyer_id <> seller_id),
               CHECK (updated_at >= created_at),
               CHECK ((completes_at IS NOT NULL) = (status = 'HANDED_OVER')),
               CHECK (status <> 'DISPUTED' OR dispute_reason IS NOT NULL)
             ) {strict};
             CREATE INDEX orders_buyer ON orders (buyer_id, id);
             CREATE INDEX orders_seller ON orders (seller_id, id);
             CREATE INDEX orders_completing ON orders (completes_at)
               WHERE status = 'HANDED_OVER';",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE orders").await
    }
}
