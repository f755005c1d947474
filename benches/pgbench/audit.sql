-- Fails when what the baseline did is not what it should have done.
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM wallet JOIN (
      SELECT wallet, SUM(CASE kind WHEN 'HOLD' THEN amount ELSE -amount END) AS held
      FROM ledger GROUP BY wallet) l ON l.wallet = wallet.id WHERE held <> locked)
    OR EXISTS (SELECT 1 FROM auction WHERE bids <> (
      SELECT COUNT(*) FROM bid WHERE bid.auction = auction.id))
    OR EXISTS (SELECT 1 FROM wallet WHERE available + locked <> 100000000000000)
  THEN RAISE EXCEPTION 'the books do not balance'; END IF;
END $$;
