-- The tables, and why they are so. One text for SQLite and PostgreSQL: {serial} is a key that the engine
-- counts up, {key} a key that we count. Moments are milliseconds since 1970 UTC; money is millionths of the
-- account's currency. A message is four kinds of rows: what was asked (messages, written once), where it
-- stands (deliveries, small, the only row that changes), what upstreams call its parts (handles), what they
-- said (receipts, raw). No foreign keys: nothing is ever deleted under a message, and each would cost a look-up.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- "message_id": the highest id given out in blocks. "directory": raised by every change to accounts, keys,
-- sender names and prices, so that processes know when what they remember is old. "probe": written to find out
-- whether the store can be. "incoming": its row is held by whoever joins parts of incoming messages.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE accounts (
    id            {serial},
    login         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,      -- argon2id
    balance       BIGINT NOT NULL,    -- top-ups less charges; equals the ledger's sum of both
    reserved      BIGINT NOT NULL,    -- of it, what accepted messages may still cost
    credit_limit  BIGINT NOT NULL,
    currency      TEXT NOT NULL,
    home_country  TEXT NOT NULL,
    time_zone     TEXT NOT NULL,
    any_sender    SMALLINT NOT NULL,
    transactional SMALLINT NOT NULL,
    charge_sms_on TEXT NOT NULL,
    active        SMALLINT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE sender_names (
    account_id BIGINT NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (account_id, name)
);

CREATE TABLE api_keys (
    id         {serial},
    account_id BIGINT NOT NULL,
    digest     TEXT NOT NULL UNIQUE,  -- HMAC-SHA-256 of the key under the installation's secret
    prefix     TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE prices (
    channel TEXT NOT NULL,
    prefix  TEXT NOT NULL,            -- of the E.164 digits; the longest one counts
    price   BIGINT NOT NULL,          -- of one part
    PRIMARY KEY (channel, prefix)
);

CREATE TABLE messages (
    id            {key},
    account_id    BIGINT NOT NULL,
    accepted_at   BIGINT NOT NULL,
    send_at       BIGINT NOT NULL,
    recipient     TEXT NOT NULL,
    transactional SMALLINT NOT NULL,
    sms_sender    TEXT NOT NULL,
    sms           TEXT,               -- the content, as JSON of one of the kinds in model.py
    viber_sender  TEXT NOT NULL,
    viber         TEXT
);

CREATE TABLE deliveries (
    id         {key},
    account_id BIGINT NOT NULL,
    recipient  TEXT NOT NULL,
    status     SMALLINT NOT NULL,
    status_at  BIGINT NOT NULL,
    connector  TEXT NOT NULL,         -- of the current step
    due_at     BIGINT,                -- when parts are to be handed over; NULL: none is waiting
    timer_at   BIGINT,                -- when the timer must run; NULL: nothing can happen by itself
    worker     TEXT NOT NULL,         -- who handed it over last
    in_doubt   SMALLINT NOT NULL,     -- a part was handed over and has no provider's id yet
    state      TEXT NOT NULL          -- delivery.Delivery as JSON: everything that advance() knows
);
-- What is due is the outbox: an index over the few rows that wait, not a table of its own.
CREATE INDEX deliveries_due ON deliveries (connector, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_timer ON deliveries (timer_at) WHERE timer_at IS NOT NULL;
CREATE INDEX deliveries_in_doubt ON deliveries (recipient) WHERE in_doubt = 1;

-- Providers' ids repeat over time and between connectors: not unique, the latest message wins.
CREATE TABLE handles (
    provider_id TEXT NOT NULL,
    connector   TEXT NOT NULL,
    message_id  BIGINT NOT NULL,
    step        SMALLINT NOT NULL,
    part        SMALLINT NOT NULL
);
CREATE INDEX handles_provider_id ON handles (provider_id);

CREATE TABLE receipts (
    id          {serial},
    received_at BIGINT NOT NULL,
    connector   TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    outcome     SMALLINT NOT NULL,
    code        TEXT NOT NULL,
    fault       TEXT NOT NULL,
    raw         TEXT NOT NULL,
    message_id  BIGINT,               -- NULL: nobody knows yet what it belongs to
    also        TEXT NOT NULL DEFAULT '[]'  -- other spellings of the provider's id, a JSON list
);
CREATE INDEX receipts_unmatched ON receipts (provider_id) WHERE message_id IS NULL;
CREATE INDEX receipts_waiting ON receipts (received_at, id) WHERE message_id IS NULL;

-- Every movement of money, only ever added to. balance = sum(topup) - sum(charge);
-- reserved = sum(reserve) - sum(charge) - sum(release). Amounts are positive, but for a correcting top-up.
CREATE TABLE ledger (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('topup', 'reserve', 'charge', 'release')),
    amount     BIGINT NOT NULL,
    message_id BIGINT,
    step       SMALLINT,
    note       TEXT NOT NULL DEFAULT ''
);
-- At most one reservation, charge and release for a step of a message: the database holds it, too.
CREATE UNIQUE INDEX ledger_once ON ledger (message_id, step, kind) WHERE message_id IS NOT NULL;

-- Numbers and short codes of ours, without a plus: what comes to one belongs to the account.
CREATE TABLE numbers (
    number     TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL
);

-- Parts of incoming messages, and for a day those of messages that are whole: upstreams repeat what they were
-- not answered for, and the last part alone would otherwise begin the message again.
CREATE TABLE incoming_parts (
    sender      TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    connector   TEXT NOT NULL,
    reference   BIGINT NOT NULL,
    parts       SMALLINT NOT NULL,
    part        SMALLINT NOT NULL,
    since       BIGINT NOT NULL,      -- when the first part of the message came
    joined      SMALLINT NOT NULL,    -- the message is in the inbox
    data_coding SMALLINT NOT NULL,
    national    SMALLINT NOT NULL,    -- single-shift table that the text is written with
    payload     TEXT NOT NULL,        -- hexadecimal
    PRIMARY KEY (sender, recipient, connector, reference, parts, part)
);
CREATE INDEX incoming_parts_since ON incoming_parts (since);

CREATE TABLE inbox (
    id          {serial},
    received_at BIGINT NOT NULL,
    connector   TEXT NOT NULL,
    sender      TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    text        TEXT NOT NULL,
    account_id  BIGINT                -- NULL: nobody owned the number
);
CREATE INDEX inbox_account ON inbox (account_id, id);

-- Who has asked an account for no more messages. Acceptance asks by the number alone: one look for each order.
CREATE TABLE stop_list (
    account_id BIGINT NOT NULL,
    number     TEXT NOT NULL,
    at         BIGINT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (account_id, number)
);
CREATE INDEX stop_list_number ON stop_list (number);

-- What the operator has ordered of connectors, and what each worker process last told of them.
CREATE TABLE connectors (
    name       TEXT PRIMARY KEY,
    paused     SMALLINT NOT NULL,
    trace      TEXT,                  -- model.TraceOrder as JSON
    changed_at BIGINT NOT NULL
);

CREATE TABLE connector_states (
    connector TEXT NOT NULL,
    worker    TEXT NOT NULL,
    at        BIGINT NOT NULL,
    state     TEXT NOT NULL,          -- model.ConnectorState as JSON
    PRIMARY KEY (connector, worker)
);

INSERT INTO counters (name, value) VALUES ('message_id', 0), ('directory', 0), ('probe', 0), ('incoming', 0);
INSERT INTO meta (name, value) VALUES ('schema_version', '2');
