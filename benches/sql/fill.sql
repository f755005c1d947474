-- A house with a past: :users people of whom one half sells and the other bids, :auctions open
-- auctions with :bids bids each. Set-wise, and as the engine itself would have left it: the audit
-- passes afterwards. Foreign keys and append-only triggers rest meanwhile.
BEGIN;
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = off;
-- Ids as the engine makes them: ordered by time, random in the end.
CREATE FUNCTION pg_temp.id(kind TEXT, n BIGINT) RETURNS UUID LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(kind || n), 1, 3)
    || '8' || substr(md5(kind || n), 4, 15))::uuid $$;
CREATE TEMPORARY TABLE person ON COMMIT DROP AS
  SELECT n, pg_temp.id('user', n) AS id FROM generate_series(0, :users - 1) n;
CREATE TEMPORARY TABLE lot ON COMMIT DROP AS
  SELECT n, pg_temp.id('auction', n) AS id, pg_temp.id('user', n % (:users / 2)) AS seller,
    date_trunc('second', now()) + interval '29 days' - n * interval '1 second' AS ends_at
  FROM generate_series(0, :auctions - 1) n;
CREATE TEMPORARY TABLE offer ON COMMIT DROP AS
  SELECT lot.n, lot.id AS lot, lot.ends_at, k, pg_temp.id('bid', lot.n * :bids + k) AS id,
    pg_temp.id('user', :users / 2 + (lot.n * 7919 + k) % (:users / 2)) AS bidder,
    now() - interval '1 hour' + (lot.n * :bids + k) * interval '1 millisecond' AS at
  FROM lot, generate_series(1, :bids) k;

INSERT INTO users (id, username, username_key, password_hash, is_admin, joined_at)
  SELECT id, 'neighbour' || n, 'neighbour' || n, 'nobody signs in', FALSE, now() FROM person;
INSERT INTO auctions (id, seller_id, title, description, search_text, condition, shipping_payer,
    scope, starting_price, current_price, bid_unit, bid_count, leader_id, leader_maximum,
    leader_bid_id, starts_at, ends_at, scheduled_ends_at, soft_close_window_seconds,
    soft_close_extension_seconds, soft_close_cap_seconds, status, sequence, created_at)
  SELECT lot.id, seller, 'Brass lamp ' || lot.n, '', 'brass lamp ' || lot.n || ' ', 'USED_A',
    'BUYER', 'NATIONAL', 1000, 999 + :bids, 1, :bids, bidder, 999 + :bids, offer.id,
    now() - interval '2 hours', lot.ends_at, lot.ends_at, 60, 60, 3600, 'OPEN', :bids + 1,
    now() - interval '2 hours'
  FROM lot JOIN offer ON offer.lot = lot.id AND k = :bids;
INSERT INTO bids (id, auction_id, bidder_id, amount, maximum, sequence, is_automatic, placed_at)
  SELECT id, lot, bidder, 999 + k, 999 + k, k + 1, FALSE, at FROM offer;
INSERT INTO auction_events (auction_id, sequence, kind, at, status, current_price, minimum_bid,
    bid_count, reserve_status, ends_at)
  SELECT id, 1, 'OPENED', now() - interval '2 hours', 'OPEN', 1000, 1000, 0, 'NONE', ends_at
  FROM lot;
INSERT INTO auction_events (auction_id, sequence, kind, at, bid_id, status, current_price,
    minimum_bid, bid_count, leader_id, reserve_status, ends_at)
  SELECT lot, k + 1, 'BID_PLACED', at, id, 'OPEN', 999 + k, 1000 + k, k, bidder, 'NONE', ends_at
  FROM offer;
INSERT INTO transfers (id, user_id, from_account, to_account, amount, kind, at)
  SELECT pg_temp.id('deposit', n), id, 'EXTERNAL', 'AVAILABLE', 1000000000000, 'DEPOSIT', now()
  FROM person;
INSERT INTO transfers (id, user_id, from_account, to_account, amount, kind, auction_id, bid_id, at)
  SELECT pg_temp.id('hold', n * :bids + k), bidder, 'AVAILABLE', 'LOCKED', 999 + k, 'HOLD', lot,
    id, at
  FROM offer;
INSERT INTO transfers (id, user_id, from_account, to_account, amount, kind, auction_id, bid_id, at)
  SELECT pg_temp.id('release', n * :bids + k), bidder, 'LOCKED', 'AVAILABLE', 999 + k, 'RELEASE',
    lot, id, at
  FROM offer WHERE k < :bids;
INSERT INTO wallets (user_id, available, locked)
  SELECT id, 1000000000000 - COALESCE(held, 0), COALESCE(held, 0)
  FROM person LEFT JOIN (
    SELECT bidder, SUM(999 + k) AS held FROM offer WHERE k = :bids GROUP BY bidder) led
  ON led.bidder = person.id;
COMMIT;
VACUUM ANALYZE;
