//! Notes to people about what happened to them.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE notifications (
               id {uuid} NOT NULL PRIMARY KEY,
               user_id {uuid} NOT NULL REFERENCES users (id),
               kind TEXT NOT NULL CHECK (kind IN ('OUTBID', 'WON', 'SOLD', 'UNSOLD',
                 'AUCTION_CANCELLED', 'HANDED_OVER', 'ORDER_COMPLETED', 'ORDER_REFUNDED',
                 'DISPUTE_OPENED', 'DISPUTE_RESOLVED')),
               auction_id {uuid} NOT NULL REFERENCES auctions (id),
               at {time} NOT NULL,
               is_read {bool} NOT NULL
             ) {strict};
             CREATE INDEX notifications_user ON notifications (user_id, id);
             CREATE INDEX notifications_unread ON notifications (user_id, id) WHERE NOT is_read;",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE notifications").await
    }
}
