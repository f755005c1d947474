//! Regions, and South Korea's divisions as the default tree.

use std::collections::HashMap;

use sea_orm_migration::prelude::*;
use serde::Deserialize;

use crate::sql;

/// The shipped tree; its source is credited in data/README.md.
const REGIONS: &str = include_str!("../../data/regions.csv");

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(Deserialize)]
struct Row {
    code: String,
    name: String,
    parent: Option<String>,
    depth: i32,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE regions (
               id TEXT NOT NULL PRIMARY KEY,
               name TEXT NOT NULL,
               full_name TEXT NOT NULL,
               parent_id TEXT REFERENCES regions (id),
               depth INTEGER NOT NULL CHECK (depth BETWEEN 1 AND 3),
               CHECK ((depth = 1) = (parent_id IS NULL)),
               CHECK (parent_id IS NULL OR substr(id, 1, length(parent_id)) = parent_id)
             ) {strict};
             CREATE INDEX regions_parent ON regions (parent_id);",
        )
        .await?;
        seed(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE regions").await
    }
}

async fn seed(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let rows = csv::Reader::from_reader(REGIONS.as_bytes())
        .into_deserialize()
        .collect::<Result<Vec<Row>, _>>()
        .map_err(|error| DbErr::Migration(format!("data/regions.csv: {error}")))?;
    let mut full_names: HashMap<String, String> = HashMap::new();
    for chunk in rows.chunks(sql::SEED_ROWS) {
        let mut insert = Query::insert();
        insert.into_table("regions").columns(["id", "name", "full_name", "parent_id", "depth"]);
        for row in chunk {
            let around = row.parent.as_ref().and_then(|code| full_names.get(code));
            let full_name = match around {
                Some(around) => format!("{around} {}", row.name),
                None => row.name.clone(),
            };
            full_names.insert(row.code.clone(), full_name.clone());
            insert
                .values([
                    row.code.as_str().into(),
                    row.name.as_str().into(),
                    full_name.into(),
                    row.parent.clone().into(),
                    row.depth.into(),
                ])
                .map_err(|error| DbErr::Migration(error.to_string()))?;
        }
        manager.execute(insert).await?;
    }
    Ok(())
}
