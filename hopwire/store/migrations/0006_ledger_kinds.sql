-- The kinds of ledger entries one by one: SQLite makes a table of a longer list, anew for each row that it checks.
-- PostgreSQL does not, and keeps what it has.

{sqlite} CREATE TABLE new_ledger (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind = 'reserve' OR kind = 'charge' OR kind = 'release' OR kind = 'cost'
                                    OR kind = 'commission' OR kind = 'refund' OR kind = 'topup'
                                    OR kind = 'adjustment' OR kind = 'transfer'),
    amount     BIGINT NOT NULL,
    message_id BIGINT,
    step       SMALLINT,
    connector  TEXT NOT NULL DEFAULT '',
    other_id   BIGINT,
    note       TEXT NOT NULL DEFAULT ''
);

{sqlite} INSERT INTO new_ledger (id, at, account_id, kind, amount, message_id, step, connector, other_id, note)
SELECT id, at, account_id, kind, amount, message_id, step, connector, other_id, note FROM ledger;
{sqlite} DROP TABLE ledger;
{sqlite} ALTER TABLE new_ledger RENAME TO ledger;

{sqlite} CREATE UNIQUE INDEX ledger_once ON ledger (message_id, step, kind, account_id) WHERE message_id IS NOT NULL;
{sqlite} CREATE INDEX ledger_moved ON ledger (account_id, at, id) WHERE kind NOT IN ('reserve', 'release');
