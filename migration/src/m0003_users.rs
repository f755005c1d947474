//! Users, their sessions, and whom a seller blocks.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            "CREATE TABLE users (
               id {uuid} NOT NULL PRIMARY KEY,
               username TEXT NOT NULL,
               username_key TEXT NOT NULL UNIQUE,
               password_hash TEXT NOT NULL,
               home_region_id TEXT REFERENCES regions (id),
               is_admin {bool} NOT NULL,
               joined_at {time} NOT NULL
             ) {strict};
             CREATE TABLE sessions (
               id {uuid} NOT NULL PRIMARY KEY,
               token_hash {bytes} NOT NULL UNIQUE CHECK (length(token_hash) = 32),
               user_id {uuid} NOT NULL REFERENCES users (id),
               created_at {time} NOT NULL,
               expires_at {time} NOT NULL,
               CHECK (expires_at > created_at)
             ) {strict};
             CREATE INDEX sessions_user ON sessions (user_id);
             CREATE INDEX sessions_expiry ON sessions (expires_at);
             CREATE TABLE blocked_bidders (
               seller_id {uuid} NOT NULL REFERENCES users (id),
               bidder_id {uuid} NOT NULL REFERENCES users (id),
               created_at {time} NOT NULL,
               PRIMARY KEY (seller_id, bidder_id),
               CHECK (seller_id <> bidder_id)
             ) {strict};",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE blocked_bidders; DROP TABLE sessions; DROP TABLE users;")
            .await
    }
}
