-- The personal cabinet and the operator's pages. What the tables are for is told in schema.sql.

ALTER TABLE accounts ADD COLUMN operator SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN theme TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN mailed TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX accounts_email ON accounts (email) WHERE email <> '';

CREATE INDEX messages_account ON messages (account_id, id);

CREATE TABLE sessions (
    digest      TEXT PRIMARY KEY,
    account_id  BIGINT NOT NULL,
    operator_id BIGINT,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    proved_at   BIGINT NOT NULL,
    origin      TEXT NOT NULL,
    agent       TEXT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id);

CREATE TABLE recovery_codes (
    account_id BIGINT NOT NULL,
    digest     TEXT NOT NULL,
    used_at    BIGINT,
    PRIMARY KEY (account_id, digest)
);

CREATE TABLE registrations (
    email         TEXT PRIMARY KEY,
    customer      TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    language      TEXT NOT NULL,
    at            BIGINT NOT NULL,
    confirmed_at  BIGINT
);

CREATE TABLE mails (
    id        {serial},
    at        BIGINT NOT NULL,
    due_at    BIGINT NOT NULL,
    tries     SMALLINT NOT NULL,
    recipient TEXT NOT NULL,
    subject   TEXT NOT NULL,
    body      TEXT NOT NULL
);
CREATE INDEX mails_due ON mails (due_at);

CREATE TABLE requests (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    key_id     BIGINT NOT NULL,
    method     TEXT NOT NULL,
    command    TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    message_id BIGINT,
    origin     TEXT NOT NULL,
    n          BIGINT NOT NULL,
    slowest_ms BIGINT NOT NULL
);
CREATE INDEX requests_account ON requests (account_id, id);
CREATE INDEX requests_refused ON requests (account_id, id) WHERE outcome <> 'ok';
CREATE INDEX requests_at ON requests (at);

CREATE TABLE mailings (
    id         {serial},
    account_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    name       TEXT NOT NULL,
    content    TEXT NOT NULL,
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    starts_at  BIGINT,
    total      BIGINT NOT NULL,
    good       BIGINT NOT NULL,
    bad        BIGINT NOT NULL,
    repeated   BIGINT NOT NULL,
    accepted   BIGINT NOT NULL,
    refused    BIGINT NOT NULL,
    parts      BIGINT NOT NULL,
    price      BIGINT NOT NULL,
    worker     TEXT NOT NULL,
    lease_at   BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX mailings_account ON mailings (account_id, id);
CREATE INDEX mailings_open ON mailings (lease_at, id) WHERE ended_at IS NULL;
CREATE INDEX mailings_kept ON mailings (created_at) WHERE content <> '';

CREATE TABLE mailing_rows (
    mailing_id BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    line       BIGINT NOT NULL,
    number     TEXT NOT NULL,
    fields     TEXT NOT NULL,
    state      SMALLINT NOT NULL,
    message_id BIGINT,
    error      TEXT NOT NULL,
    PRIMARY KEY (mailing_id, n)
);
CREATE INDEX mailing_rows_number ON mailing_rows (number, mailing_id);

CREATE TABLE texts (
    account_id BIGINT NOT NULL,
    name       TEXT NOT NULL,
    content    TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, name)
);

CREATE TABLE tallies (
    account_id BIGINT NOT NULL,
    hour       BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    detail     TEXT NOT NULL,
    n          BIGINT NOT NULL,
    PRIMARY KEY (account_id, hour, kind, detail)
);
CREATE INDEX tallies_hour ON tallies (hour, kind);

CREATE TABLE connector_minutes (
    connector  TEXT NOT NULL,
    minute     BIGINT NOT NULL,
    submitted  BIGINT NOT NULL,
    taken      BIGINT NOT NULL,
    refused    BIGINT NOT NULL,
    throttled  BIGINT NOT NULL,
    unknown    BIGINT NOT NULL,
    receipts   BIGINT NOT NULL,
    latency_ms BIGINT,
    down       SMALLINT NOT NULL,
    PRIMARY KEY (connector, minute)
);
CREATE INDEX connector_minutes_minute ON connector_minutes (minute);

CREATE INDEX stop_list_newest ON stop_list (account_id, at, number);
CREATE INDEX ledger_by_hand ON ledger (account_id, at, id) WHERE message_id IS NULL;

INSERT INTO counters (name, value) SELECT 'tallied/messages', value FROM counters WHERE name = 'message_id';
INSERT INTO counters (name, value) SELECT 'tallied/events', coalesce(max(id), 0) FROM events;
INSERT INTO counters (name, value) SELECT 'tallied/ledger', coalesce(max(id), 0) FROM ledger;
INSERT INTO counters (name, value) VALUES ('mailed/notices', 0);
