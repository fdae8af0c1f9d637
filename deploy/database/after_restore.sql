-- A restored ledger is older than the venues' truth. What it says is made safe to start on, in one transaction:
-- nothing opens until an operator has compared it with the venues and resumes trading.
BEGIN;

UPDATE watchlist.trading_state
SET state = 'halted', reason = 'restored from ' || :'backup', changed_by = 'restore', changed_at = now();

-- Wishes of the hour of the backup. All of them repeat what the tables hold, and whoever still has them makes them anew.
UPDATE watchlist.outbox SET published_at = now() WHERE published_at IS NULL;

-- Client order ids are a function of the order key, and the ones that followed the backup are known to the venues: the
-- same ids again would be answered with the orders of then. Orders that are in the ledger keep the ids that they have.
UPDATE watchlist.live_trade_signal SET order_key = left(md5(gen_random_uuid()::text), 16)
WHERE status IN ('new', 'skipped', 'opening', 'open', 'closing');

INSERT INTO watchlist.audit (service, decided_at, decision, evidence)
VALUES ('restore', now(), 'database_restored', jsonb_build_object('backup', :'backup'));

COMMIT;
ANALYZE;
