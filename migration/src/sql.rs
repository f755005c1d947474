//! The words in which SQLite and Postgres differ, and the helpers that more than one change uses.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Runs statements in which `{uuid}`, `{bytes}`, `{time}`, `{bool}`, `{int64}` and `{strict}`
/// stand for the database's own words.
pub async fn run(manager: &SchemaManager<'_>, statements: &str) -> Result<(), DbErr> {
    let words = match manager.get_database_backend() {
        DbBackend::Postgres => [
            ("{uuid}", "UUID"),
            ("{bytes}", "BYTEA"),
            ("{time}", "TIMESTAMPTZ"),
            ("{bool}", "BOOLEAN"),
            ("{int64}", "BIGINT"),
            ("{strict}", ""),
        ],
        _ => [
            ("{uuid}", "BLOB"),
            ("{bytes}", "BLOB"),
            ("{time}", "TEXT"),
            ("{bool}", "INTEGER"),
            ("{int64}", "INTEGER"),
            ("{strict}", "STRICT"),
        ],
    };
    let text =
        words.iter().fold(statements.to_owned(), |text, (mark, word)| text.replace(mark, word));
    manager.get_connection().execute_unprepared(&text).await?;
    Ok(())
}

/// Lets the database itself refuse to change or delete a row of `table`, ever.
pub async fn append_only(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let text = match manager.get_database_backend() {
        DbBackend::Postgres => format!(
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
             CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
               FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();"
        ),
        _ => ["UPDATE", "DELETE"]
            .map(|verb| {
                format!(
                    "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
                     BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
                )
            })
            .concat(),
    };
    manager.get_connection().execute_unprepared(&text).await?;
    Ok(())
}

/// Takes back what [`append_only`] left besides its triggers, once no table uses it.
pub async fn forget_append_only(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared("DROP FUNCTION refuse_change()").await?;
    }
    Ok(())
}

/// How many rows one INSERT of seed data carries: far below SQLite's 32,766 parameters.
pub const SEED_ROWS: usize = 1_000;
