//! A person's notifications by time: by which a node finds those that nobody announced. Their ids
//! bear the time of the node that made them, which is not the database's.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = "CREATE INDEX notifications_time ON notifications (user_id, at);";
        sql::run(manager, index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP INDEX notifications_time;").await
    }
}
