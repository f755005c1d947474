-- The tables of the baseline, as a careful backend would have them. No auction is without a
-- leader, and each one's first leader is another person where there are enough people.
CREATE TABLE auction (
  id INTEGER PRIMARY KEY,
  price BIGINT NOT NULL,
  leader INTEGER NOT NULL,
  bids INTEGER NOT NULL,
  status TEXT NOT NULL,
  ends_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE wallet (
  id INTEGER PRIMARY KEY,
  available BIGINT NOT NULL CHECK (available >= 0),
  locked BIGINT NOT NULL CHECK (locked >= 0)
);
CREATE TABLE bid (
  id BIGSERIAL PRIMARY KEY,
  auction INTEGER NOT NULL REFERENCES auction (id),
  bidder INTEGER NOT NULL REFERENCES wallet (id),
  amount BIGINT NOT NULL,
  at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE ledger (
  id BIGSERIAL PRIMARY KEY,
  wallet INTEGER NOT NULL REFERENCES wallet (id),
  auction INTEGER NOT NULL REFERENCES auction (id),
  kind TEXT NOT NULL,
  amount BIGINT NOT NULL CHECK (amount > 0),
  at TIMESTAMPTZ NOT NULL DEFAULT now()
);
INSERT INTO wallet SELECT n, 100000000000000, 0 FROM generate_series(1, :users) n;
INSERT INTO auction
  SELECT n, 1000, 1 + n % :users, 1, 'OPEN', now() + interval '29 days'
  FROM generate_series(1, :auctions) n;
INSERT INTO bid (auction, bidder, amount) SELECT id, leader, price FROM auction;
INSERT INTO ledger (wallet, auction, kind, amount) SELECT leader, id, 'HOLD', price FROM auction;
UPDATE wallet SET available = available - held, locked = held
  FROM (SELECT leader, SUM(price) AS held FROM auction GROUP BY leader) led WHERE leader = id;
CREATE INDEX bid_auction ON bid (auction, id);
CREATE INDEX ledger_wallet ON ledger (wallet, id);
VACUUM ANALYZE;
