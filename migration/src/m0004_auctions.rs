//! Auctions, their bids and their events. Each rule that one row can show is a CHECK.
//!
//! The vocabularies are those of the whole life of an auction. 10^15 is the largest amount.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, AUCTIONS).await?;
        sql::run(manager, BIDS_AND_EVENTS).await?;
        sql::append_only(manager, "bids").await?;
        sql::append_only(manager, "auction_events").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, "DROP TABLE auction_events; DROP TABLE bids; DROP TABLE auctions;")
            .await?;
        sql::forget_append_only(manager).await
    }
}

// `leader_bid_id` has no foreign key: the bid and the auction would need each other first.
const AUCTIONS: &str = "
CREATE TABLE auctions (
  id {uuid} NOT NULL PRIMARY KEY,
  seller_id {uuid} NOT NULL REFERENCES users (id),
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  category_id TEXT REFERENCES categories (id),
  condition TEXT NOT NULL CHECK (condition IN ('NEW', 'USED_S', 'USED_A', 'USED_B', 'USED_C')),
  shipping_payer TEXT NOT NULL CHECK (shipping_payer IN ('SELLER', 'BUYER')),
  scope TEXT NOT NULL CHECK (scope IN ('NATIONAL', 'REGIONAL')),
  region_id TEXT REFERENCES regions (id),
  starting_price {int64} NOT NULL CHECK (starting_price BETWEEN 1 AND 1000000000000000),
  current_price {int64} NOT NULL CHECK (current_price BETWEEN 1 AND 1000000000000000),
  bid_unit {int64} CHECK (bid_unit BETWEEN 1 AND 1000000000000000),
  reserve_price {int64} CHECK (reserve_price BETWEEN 1 AND 1000000000000000),
  bid_count INTEGER NOT NULL CHECK (bid_count >= 0),
  leader_id {uuid} REFERENCES users (id),
  leader_maximum {int64} CHECK (leader_maximum BETWEEN 1 AND 1000000000000000),
  leader_bid_id {uuid},
  starts_at {time} NOT NULL,
  ends_at {time} NOT NULL,
  scheduled_ends_at {time} NOT NULL,
  soft_close_window_seconds INTEGER NOT NULL CHECK (soft_close_window_seconds >= 0),
  soft_close_extension_seconds INTEGER NOT NULL CHECK (soft_close_extension_seconds >= 0),
  soft_close_cap_seconds INTEGER NOT NULL CHECK (soft_close_cap_seconds >= 0),
  status TEXT NOT NULL CHECK (status IN ('SCHEDULED', 'OPEN', 'SOLD', 'UNSOLD', 'CANCELLED')),
  sequence {int64} NOT NULL CHECK (sequence >= 0),
  created_at {time} NOT NULL,
  CHECK (scope = 'NATIONAL' OR region_id IS NOT NULL),
  CHECK (starts_at < scheduled_ends_at AND scheduled_ends_at <= ends_at),
  CHECK (current_price >= starting_price),
  CHECK (reserve_price IS NULL OR reserve_price >= starting_price),
  CHECK (bid_unit IS NULL OR starting_price % bid_unit = 0),
  CHECK (bid_unit IS NULL OR current_price % bid_unit = 0),
  CHECK (bid_unit IS NULL OR reserve_price % bid_unit = 0),
  CHECK ((leader_id IS NULL) = (bid_count = 0)),
  CHECK ((leader_id IS NULL) = (leader_maximum IS NULL)),
  CHECK ((leader_id IS NULL) = (leader_bid_id IS NULL)),
  CHECK (leader_maximum >= current_price),
  CHECK (leader_id <> seller_id),
  CHECK (bid_count = 0 OR status <> 'SCHEDULED'),
  CHECK (sequence >= bid_count)
) {strict};
CREATE INDEX auctions_seller ON auctions (seller_id, id);
CREATE INDEX auctions_opening ON auctions (starts_at) WHERE status = 'SCHEDULED';
CREATE INDEX auctions_closing ON auctions (ends_at) WHERE status = 'OPEN';
";

const BIDS_AND_EVENTS: &str = "
CREATE TABLE bids (
  id {uuid} NOT NULL PRIMARY KEY,
  auction_id {uuid} NOT NULL REFERENCES auctions (id),
  bidder_id {uuid} NOT NULL REFERENCES users (id),
  amount {int64} NOT NULL CHECK (amount BETWEEN 1 AND 1000000000000000),
  maximum {int64} NOT NULL CHECK (maximum BETWEEN amount AND 1000000000000000),
  sequence {int64} NOT NULL CHECK (sequence >= 1),
  is_automatic {bool} NOT NULL,
  placed_at {time} NOT NULL,
  UNIQUE (auction_id, sequence)
) {strict};
CREATE INDEX bids_bidder ON bids (bidder_id, id);
CREATE INDEX bids_bidder_auction ON bids (auction_id, bidder_id, amount);
CREATE TABLE auction_events (
  auction_id {uuid} NOT NULL REFERENCES auctions (id),
  sequence {int64} NOT NULL CHECK (sequence >= 1),
  kind TEXT NOT NULL
    CHECK (kind IN ('OPENED', 'EDITED', 'BID_PLACED', 'SOLD', 'UNSOLD', 'CANCELLED')),
  at {time} NOT NULL,
  bid_id {uuid} REFERENCES bids (id),
  status TEXT NOT NULL CHECK (status IN ('SCHEDULED', 'OPEN', 'SOLD', 'UNSOLD', 'CANCELLED')),
  current_price {int64} NOT NULL CHECK (current_price >= 1),
  minimum_bid {int64} NOT NULL CHECK (minimum_bid >= current_price),
  bid_count INTEGER NOT NULL CHECK (bid_count >= 0),
  leader_id {uuid} REFERENCES users (id),
  reserve_status TEXT NOT NULL CHECK (reserve_status IN ('NONE', 'NOT_MET', 'MET')),
  ends_at {time} NOT NULL,
  PRIMARY KEY (auction_id, sequence),
  CHECK ((kind = 'BID_PLACED') = (bid_id IS NOT NULL)),
  CHECK ((leader_id IS NULL) = (bid_count = 0))
) {strict};
";
