-- Customers, prices, routes, limits, the audit. What the tables are for is told in schema.sql.


ALTER TABLE accounts RENAME COLUMN active TO status;
ALTER TABLE accounts ADD COLUMN parent_id BIGINT;
ALTER TABLE accounts ADD COLUMN customer TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN contact TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN language TEXT NOT NULL DEFAULT 'uk';
ALTER TABLE accounts ADD COLUMN api SMALLINT NOT NULL DEFAULT 1;
ALTER TABLE accounts ADD COLUMN plan TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
ALTER TABLE accounts ADD COLUMN low_balance BIGINT;
ALTER TABLE accounts ADD COLUMN api_password TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN totp TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0;

-- What worked before goes on working: every destination.
UPDATE accounts SET limits = '{"destinations":["*"]}';

CREATE INDEX accounts_parent ON accounts (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE senders (
    account_id BIGINT NOT NULL,
    name       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    connector  TEXT NOT NULL,
    state      TEXT NOT NULL,
    note       TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, name, channel, connector)
);

INSERT INTO senders (account_id, name, channel, connector, state, note, changed_at)
SELECT account_id, name, '', '', 'approved', '', 0 FROM sender_names;
DROP TABLE sender_names;

ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'balance,read,send';
ALTER TABLE api_keys ADD COLUMN addresses TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN post_only SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;
ALTER TABLE api_keys ADD COLUMN used_at BIGINT;
ALTER TABLE api_keys ADD COLUMN in_url_at BIGINT;
ALTER TABLE api_keys ADD COLUMN replaces BIGINT;
CREATE INDEX api_keys_replaces ON api_keys (replaces) WHERE replaces IS NOT NULL;

CREATE TABLE tariffs (
    list       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    type       TEXT NOT NULL,
    prefix     TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    price      BIGINT NOT NULL,
    PRIMARY KEY (list, channel, type, prefix, valid_from)
);

INSERT INTO tariffs (list, channel, type, prefix, valid_from, price)
SELECT '', CASE channel WHEN 'viber-transaction' THEN 'viber' ELSE channel END,
       CASE channel WHEN 'viber-transaction' THEN 'transactional' ELSE '' END, prefix, 0, price FROM prices;
DROP TABLE prices;

CREATE TABLE routes (
    channel TEXT NOT NULL,
    prefix  TEXT NOT NULL,
    route   TEXT NOT NULL,
    PRIMARY KEY (channel, prefix)
);

ALTER TABLE messages ADD COLUMN via TEXT NOT NULL DEFAULT '';

CREATE TABLE old_ledger AS SELECT * FROM ledger;
DROP TABLE ledger;

CREATE TABLE ledger (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('topup', 'adjustment', 'transfer', 'reserve', 'charge', 'release',
                                             'refund', 'commission', 'cost')),
    amount     BIGINT NOT NULL,
    message_id BIGINT,
    step       SMALLINT,
    connector  TEXT NOT NULL DEFAULT '',
    other_id   BIGINT,
    note       TEXT NOT NULL DEFAULT ''
);

INSERT INTO ledger (at, account_id, kind, amount, message_id, step, note)
SELECT at, account_id, kind, amount, message_id, step, note FROM old_ledger ORDER BY id;
DROP TABLE old_ledger;

CREATE UNIQUE INDEX ledger_once ON ledger (message_id, step, kind, account_id) WHERE message_id IS NOT NULL;
CREATE INDEX ledger_moved ON ledger (account_id, at, id) WHERE kind NOT IN ('reserve', 'release');

CREATE TABLE usage (
    account_id BIGINT NOT NULL,
    scope      TEXT NOT NULL,
    ends_at    BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    PRIMARY KEY (account_id, scope, ends_at)
);

CREATE INDEX usage_ends ON usage (ends_at);

CREATE TABLE recent (
    account_id BIGINT NOT NULL,
    number     TEXT NOT NULL,
    digest     TEXT NOT NULL,
    block      TEXT NOT NULL,
    at         BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    PRIMARY KEY (account_id, number, digest)
);

CREATE INDEX recent_block ON recent (account_id, block);

CREATE INDEX recent_at ON recent (at);

CREATE TABLE answered (
    account_id  BIGINT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    message_id  BIGINT NOT NULL,
    parts       SMALLINT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (account_id, key)
);

CREATE INDEX answered_at ON answered (at);

CREATE TABLE holds (
    message_id {key},
    account_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    reason     TEXT NOT NULL
);

CREATE TABLE notices (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    period     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    UNIQUE (account_id, kind, period)
);

CREATE TABLE audit (
    id      {serial},
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    origin  TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    before  TEXT NOT NULL,
    after   TEXT NOT NULL,
    digest  TEXT NOT NULL
);

CREATE TABLE not_forgotten (
    what       TEXT NOT NULL,
    message_id BIGINT NOT NULL,
    PRIMARY KEY (what, message_id)
);

INSERT INTO counters (name, value) VALUES ('audit', 0), ('texts', 0), ('numbers', 0), ('texts/inbox', 0),
    ('numbers/inbox', 0);
