//! What the marketplace's money is counted in: recorded at the first start, and never changed.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE marketplace (
               id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
               currency TEXT NOT NULL CHECK (length(currency) = 3),
               currency_digits INTEGER NOT NULL CHECK (currency_digits BETWEEN 0 AND 4)
             ) {strict};",
        )
        .await?;
        sql::append_only(manager, "marketplace").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE marketplace").await
    }
}
