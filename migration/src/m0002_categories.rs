//! Categories, and a tree of second-hand goods.

use sea_orm_migration::prelude::*;
use serde::Deserialize;

use crate::sql;

const CATEGORIES: &str = include_str!("../../data/categories.csv");

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(Deserialize)]
struct Row {
    slug: String,
    parent: Option<String>,
    name_ko: String,
    name_en: String,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE categories (
               id TEXT NOT NULL PRIMARY KEY,
               parent_id TEXT REFERENCES categories (id),
               name_ko TEXT NOT NULL,
               name_en TEXT NOT NULL,
               position INTEGER NOT NULL UNIQUE
             ) {strict};",
        )
        .await?;
        let rows = csv::Reader::from_reader(CATEGORIES.as_bytes())
            .into_deserialize()
            .collect::<Result<Vec<Row>, _>>()
            .map_err(|error| DbErr::Migration(format!("data/categories.csv: {error}")))?;
        let mut insert = Query::insert();
        insert.into_table("categories").columns([
            "id",
            "parent_id",
            "name_ko",
            "name_en",
            "position",
        ]);
        for (position, row) in (1..).zip(rows) {
            insert
                .values([
                    row.slug.into(),
                    row.parent.into(),
                    row.name_ko.into(),
                    row.name_en.into(),
                    Expr::value::<i32>(position),
                ])
                .map_err(|error| DbErr::Migration(error.to_string()))?;
        }
        manager.execute(insert).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE categories").await
    }
}
