-- One bid under one lock: the auction, then two wallets in order of their ids; both balances, two
-- ledger rows in one statement, one bid, the auction. Nobody bids against themselves.
\set auction random(1, :auctions)
BEGIN;
SELECT price + 1 AS amount, price, leader FROM auction WHERE id = :auction FOR UPDATE \gset
\set other random(1, :bidders - 1)
\set bidder :other + (case when :other >= :leader then 1 else 0 end)
SELECT available, locked FROM wallet WHERE id IN (:leader, :bidder) ORDER BY id FOR UPDATE;
UPDATE wallet SET available = available + :price, locked = locked - :price WHERE id = :leader;
UPDATE wallet SET available = available - :amount, locked = locked + :amount WHERE id = :bidder;
INSERT INTO ledger (wallet, auction, kind, amount)
  VALUES (:leader, :auction, 'RELEASE', :price), (:bidder, :auction, 'HOLD', :amount);
INSERT INTO bid (auction, bidder, amount) VALUES (:auction, :bidder, :amount);
UPDATE auction SET price = :amount, leader = :bidder, bids = bids + 1 WHERE id = :auction;
COMMIT;
