//! What a list's words are looked for in: an auction's title and description in lower case, of
//! any script (SQLite's own LOWER knows Latin alone).

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "ALTER TABLE auctions ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
             UPDATE auctions SET search_text = LOWER(title || ' ' || description);",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "ALTER TABLE auctions DROP COLUMN search_text").await
    }
}
