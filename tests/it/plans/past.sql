-- What a grown house has besides its open auctions: :ended auctions of every other status, a
-- quarter of them sold, with their orders; sessions, notes, keys and blocks. It follows the bench's
-- fill.sql in the same session, and the audit passes after it too.
BEGIN;
SET LOCAL session_replication_role = replica;
CREATE TEMPORARY TABLE past ON COMMIT DROP AS
  SELECT n, pg_temp.id('past', n - 1000000) AS id, pg_temp.id('last', n) AS bid,
    pg_temp.id('user', n % (:users / 2)) AS seller,
    pg_temp.id('user', :users / 2 + n % (:users / 2)) AS buyer,
    CASE WHEN n % 20 = 19 THEN 'SCHEDULED' WHEN n % 4 = 0 THEN 'SOLD'
      WHEN n % 4 = 1 THEN 'CANCELLED' ELSE 'UNSOLD' END AS status,
    now() - interval '40 days' + n * interval '1 minute' AS at
  FROM generate_series(0, :ended - 1) n;
UPDATE past SET at = now() + (n + 1) * interval '1 minute' WHERE status = 'SCHEDULED';

INSERT INTO auctions (id, seller_id, title, description, search_text, category_id, condition,
    shipping_payer, scope, region_id, starting_price, current_price, bid_count, leader_id,
    leader_maximum, leader_bid_id, starts_at, ends_at, scheduled_ends_at,
    soft_close_window_seconds, soft_close_extension_seconds, soft_close_cap_seconds, status,
    sequence, created_at)
  SELECT id, seller, 'Oak chair ' || n, '', 'oak chair ' || n || ' ', 'cameras', 'USED_A',
    'BUYER', CASE n % 2 WHEN 0 THEN 'NATIONAL' ELSE 'REGIONAL' END, '11110', 1000, 1000,
    CASE status WHEN 'SOLD' THEN 1 ELSE 0 END, CASE status WHEN 'SOLD' THEN buyer END,
    CASE status WHEN 'SOLD' THEN 1000 END, CASE status WHEN 'SOLD' THEN bid END,
    at, at + interval '1 hour', at + interval '1 hour', 60, 60, 3600, status,
    CASE status WHEN 'SOLD' THEN 3 WHEN 'SCHEDULED' THEN 0 ELSE 2 END, at
  FROM past;
INSERT INTO bids (id, auction_id, bidder_id, amount, maximum, sequence, is_automatic, placed_at)
  SELECT bid, id, buyer, 1000, 1000, 2, FALSE, at FROM past WHERE status = 'SOLD';
INSERT INTO auction_events (auction_id, sequence, kind, at, bid_id, status, current_price,
    minimum_bid, bid_count, leader_id, reserve_status, ends_at)
  SELECT id, 1, 'OPENED', at, NULL::uuid, 'OPEN', 1000, 1000, 0, NULL::uuid, 'NONE',
    at + interval '1 hour'
  FROM past WHERE status <> 'SCHEDULED'
  UNION ALL SELECT id, 2, 'BID_PLACED', at, bid, 'OPEN', 1000, 1500, 1, buyer, 'NONE',
    at + interval '1 hour'
  FROM past WHERE status = 'SOLD'
  UNION ALL SELECT id, 3, 'SOLD', at, NULL, 'SOLD', 1000, 1500, 1, buyer, 'NONE',
    at + interval '1 hour'
  FROM past WHERE status = 'SOLD'
  UNION ALL SELECT id, 2, status, at, NULL, status, 1000, 1000, 0, NULL, 'NONE',
    at + interval '1 hour'
  FROM past WHERE status IN ('UNSOLD', 'CANCELLED');
INSERT INTO transfers (id, user_id, from_account, to_account, amount, kind, auction_id, bid_id, at)
  SELECT pg_temp.id('past hold', n), buyer, 'AVAILABLE', 'LOCKED', 1000, 'HOLD', id, bid, at
  FROM past WHERE status = 'SOLD'
  UNION ALL SELECT pg_temp.id('capture', n), buyer, 'LOCKED', 'ESCROW', 1000, 'CAPTURE', id, bid, at
  FROM past WHERE status = 'SOLD';
INSERT INTO orders (id, auction_id, buyer_id, seller_id, price, fee, status, created_at,
    updated_at, completes_at)
  SELECT pg_temp.id('order', n), id, buyer, seller, 1000, 0,
    CASE n % 40 WHEN 0 THEN 'HANDED_OVER' ELSE 'AWAITING_HANDOVER' END, at, at,
    CASE n % 40 WHEN 0 THEN now() + (n + 1) * interval '1 minute' END
  FROM past WHERE status = 'SOLD';
UPDATE wallets SET available = available - 1000 * bought
  FROM (SELECT buyer, COUNT(*) AS bought FROM past WHERE status = 'SOLD' GROUP BY buyer) AS b
  WHERE user_id = buyer;
INSERT INTO sessions (id, token_hash, user_id, created_at, expires_at)
  SELECT pg_temp.id('session', n), decode(md5('a' || n) || md5('b' || n), 'hex'),
    pg_temp.id('user', n % :users), now(), now() + interval '30 days'
  FROM generate_series(0, 2 * :users - 1) n;
INSERT INTO notifications (id, user_id, kind, auction_id, at, is_read)
  SELECT pg_temp.id('note', n), pg_temp.id('user', n % :users), 'OUTBID', pg_temp.id('auction', 0),
    now(), n >= :users
  FROM generate_series(0, 5 * :users - 1) n;
INSERT INTO idempotency_keys (user_id, key, request, auction_id, sequence, bid_id, created_at)
  SELECT bidder_id, 'key of ' || id, 'a bid', auction_id, sequence, id, placed_at
  FROM bids WHERE sequence % 3 = 0;
INSERT INTO blocked_bidders (seller_id, bidder_id, created_at)
  SELECT pg_temp.id('user', n), pg_temp.id('user', n + :users / 2), now()
  FROM generate_series(0, :users / 2 - 1) n;
COMMIT;
