//! The secret by which the nodes on one database know each other's messages. The database draws
//! it, so that it is in no statement.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let random = match manager.get_database_backend() {
            DbBackend::Postgres => {
                "replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')"
            }
            _ => "lower(hex(randomblob(32)))",
        };
        let statements = format!(
            "CREATE TABLE bus_secret (
               id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
               secret TEXT NOT NULL CHECK (length(secret) >= 16)
             ) {{strict}};
             INSERT INTO bus_secret (id, secret) VALUES (1, {random});"
        );
        sql::run(manager, &statements).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE bus_secret").await
    }
}
