-- The tables, and why they are so. One text for SQLite and PostgreSQL: {serial} is a key that the engine
-- counts up, {key} a key that we count. Moments are milliseconds since 1970 UTC; money is millionths of the
-- account's currency. A message is five kinds of rows: what was asked (messages, written once), where it
-- stands (deliveries, small, the only row that changes), what upstreams call its parts (handles), what they
-- said (receipts, raw), and what followed (events). No foreign keys: nothing is ever deleted under a message, and
-- each would cost a look-up. A number that is forgotten is privacy.pseudonym, in every table; a text NULL or ''.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- "message_id": the highest id given out in blocks. "directory": raised by every change to accounts, keys,
-- sender names, prices, routes and templates, so that processes know when what they remember is old. "probe":
-- written to find out whether the store can be. "incoming": its row is held by whoever joins parts of incoming
-- messages; "audit": by whoever adds to the audit. "texts", "numbers": the messages up to which their texts, their
-- numbers are forgotten; "texts/inbox", "numbers/inbox": the incoming ones.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE accounts (
    id            {serial},
    login         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,      -- argon2id
    balance       BIGINT NOT NULL,    -- what is owned; equals the ledger's sum
    reserved      BIGINT NOT NULL,    -- of it, what accepted messages may still cost
    credit_limit  BIGINT NOT NULL,
    currency      TEXT NOT NULL,
    home_country  TEXT NOT NULL,
    time_zone     TEXT NOT NULL,
    any_sender    SMALLINT NOT NULL,
    transactional SMALLINT NOT NULL,
    charge_sms_on TEXT NOT NULL,
    status        SMALLINT NOT NULL,  -- model.AccountStatus
    created_at    BIGINT NOT NULL,
    parent_id     BIGINT,             -- the reseller whose sub-account it is
    customer      TEXT NOT NULL DEFAULT '',
    contact       TEXT NOT NULL DEFAULT '',
    language      TEXT NOT NULL DEFAULT 'uk',
    api           SMALLINT NOT NULL DEFAULT 1,
    plan          TEXT NOT NULL DEFAULT '',    -- whose prices it pays where it has none of its own
    limits        TEXT NOT NULL DEFAULT '{}',  -- model.Limits as JSON
    low_balance   BIGINT,             -- below it a notice is given
    api_password  TEXT NOT NULL DEFAULT '',    -- argon2id; with one, the API takes it and not the other
    totp          TEXT NOT NULL DEFAULT '',    -- the seed of the second factor, sealed
    totp_step     BIGINT NOT NULL DEFAULT 0,   -- of the last code that was used: none is used twice
    operator      SMALLINT NOT NULL DEFAULT 0, -- it sees the operator's pages
    email         TEXT NOT NULL DEFAULT '',    -- confirmed, in small letters; one may sign in with it, too
    theme         TEXT NOT NULL DEFAULT '',    -- of the pages: 'light', 'dark'; '': as the reader's system has it
    mailed        TEXT NOT NULL DEFAULT ''     -- kinds of notices that are sent to it, separated by commas
);
CREATE UNIQUE INDEX accounts_email ON accounts (email) WHERE email <> '';
CREATE INDEX accounts_parent ON accounts (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE senders (
    account_id BIGINT NOT NULL,
    name       TEXT NOT NULL,
    channel    TEXT NOT NULL,         -- '': every one
    connector  TEXT NOT NULL,         -- '': every one
    state      TEXT NOT NULL,         -- 'requested', 'approved' or 'refused'
    note       TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, name, channel, connector)
);

CREATE TABLE api_keys (
    id         {serial},
    account_id BIGINT NOT NULL,
    digest     TEXT NOT NULL UNIQUE,  -- HMAC-SHA-256 of the key under the installation's secret
    prefix     TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    scopes     TEXT NOT NULL DEFAULT 'balance,read,send',
    addresses  TEXT NOT NULL DEFAULT '',  -- networks it may be used from, separated by commas; '': any
    post_only  SMALLINT NOT NULL DEFAULT 0,  -- not taken from a URL
    expires_at BIGINT,
    used_at    BIGINT,                -- to the minute
    in_url_at  BIGINT,                -- when it was last seen in a URL, to the minute
    replaces   BIGINT                 -- the key that it was made to replace
);
CREATE INDEX api_keys_replaces ON api_keys (replaces) WHERE replaces IS NOT NULL;

-- What a part costs: whom, and us. `list` is '' (everyone), 'plan:NAME', 'account:ID', or 'connector:NAME' for what
-- we pay ourselves. The youngest row that is valid counts.
CREATE TABLE tariffs (
    list       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    type       TEXT NOT NULL,         -- '' (both), 'promotional' or 'transactional'
    prefix     TEXT NOT NULL,         -- of the E.164 digits; the longest one counts
    valid_from BIGINT NOT NULL,
    price      BIGINT NOT NULL,       -- of one part
    PRIMARY KEY (list, channel, type, prefix, valid_from)
);

-- Routes that the operator has entered; for the same channel and prefix they stand before those of the settings.
CREATE TABLE routes (
    channel TEXT NOT NULL,
    prefix  TEXT NOT NULL,            -- of the E.164 digits, or a country (ISO 3166)
    route   TEXT NOT NULL,            -- model.Route as JSON
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
    viber         TEXT,
    via           TEXT NOT NULL DEFAULT ''  -- gateways it has come through, separated by commas
);
-- An account's newest messages; whatever else is searched for is looked for among these, page by page.
CREATE INDEX messages_account ON messages (account_id, id);

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
-- What a provider that is polled is asked about.
CREATE INDEX deliveries_taken ON deliveries (connector, id) WHERE status = 2 AND timer_at IS NOT NULL;

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
CREATE INDEX receipts_message ON receipts (message_id) WHERE message_id IS NOT NULL;

-- What has changed a delivery, only ever added to: timeline.Note. What is told elsewhere is not told again:
-- acceptance is in messages, money in the ledger, what was received but changed nothing in receipts. A hand-over
-- has no row of its own but is told by the one that ends it; while it is under way, by the delivery.
CREATE TABLE events (
    id         {serial},
    message_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    step       SMALLINT NOT NULL,
    part       SMALLINT NOT NULL,     -- 0 where it concerns the whole step
    what       SMALLINT NOT NULL,     -- timeline.What
    status     SMALLINT NOT NULL,     -- of the message, after it
    code       TEXT NOT NULL,         -- the upstream's word or number
    detail     TEXT NOT NULL,         -- what else there is to tell, by what it is
    handed_at  BIGINT                 -- when the part was handed over, where its try is over with this
);
CREATE INDEX events_message ON events (message_id);

-- Numbers that are not on a channel at all, as an upstream has said: until then it is not asked again.
CREATE TABLE no_account (
    channel TEXT NOT NULL,
    number  TEXT NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (channel, number)
);
CREATE INDEX no_account_until ON no_account (until);

-- Every movement of money, only ever added to. A row is a double entry: its kind names the book that the amount
-- leaves and the book that it enters (money.BOOKS). Amounts are positive, but for corrections. The kinds are not
-- a list: SQLite would make a table of it, anew for each row.
CREATE TABLE ledger (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind = 'reserve' OR kind = 'charge' OR kind = 'release' OR kind = 'cost'
                                    OR kind = 'commission' OR kind = 'refund' OR kind = 'topup'
                                    OR kind = 'adjustment' OR kind = 'transfer'),
    amount     BIGINT NOT NULL,
    message_id BIGINT,
    step       SMALLINT,
    connector  TEXT NOT NULL DEFAULT '',  -- that carried what is charged, or costs
    other_id   BIGINT,                -- the other account, of a transfer and a commission
    note       TEXT NOT NULL DEFAULT ''
);
-- At most one of each kind for a step of a message: the database holds it, too.
CREATE UNIQUE INDEX ledger_once ON ledger (message_id, step, kind, account_id) WHERE message_id IS NOT NULL;
-- Statements and reports: what has moved a balance, or cost us.
CREATE INDEX ledger_moved ON ledger (account_id, at, id) WHERE kind NOT IN ('reserve', 'release');
CREATE INDEX ledger_by_hand ON ledger (account_id, at, id) WHERE message_id IS NULL;

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

-- Who has asked an account for no more messages; account 0 is all of them. Acceptance asks by the number alone: one
-- look for each order.
CREATE TABLE stop_list (
    account_id BIGINT NOT NULL,
    number     TEXT NOT NULL,
    at         BIGINT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (account_id, number)
);
CREATE INDEX stop_list_number ON stop_list (number);
CREATE INDEX stop_list_newest ON stop_list (account_id, at, number);

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

-- Texts that upstreams have approved: templates.Registered. A message keeps what it was accepted with.
CREATE TABLE templates (
    id       TEXT NOT NULL,           -- as the upstream knows it
    sender   TEXT NOT NULL,           -- Viber sender name; '*': every one
    language TEXT NOT NULL,
    kind     TEXT NOT NULL,           -- 'transaction' or 'promotion'
    active   SMALLINT NOT NULL,
    text     TEXT NOT NULL,           -- with variables as {{name}}
    PRIMARY KEY (id, sender, language)
);

-- How many messages an account has sent in a period: as a whole, by a key, to a number, to a block of 1,000 numbers.
-- Counted only where there is a limit.
CREATE TABLE usage (
    account_id BIGINT NOT NULL,
    scope      TEXT NOT NULL,         -- 'account/day', 'number/day:380…', 'spend/month'
    ends_at    BIGINT NOT NULL,       -- when the period is over
    n          BIGINT NOT NULL,       -- messages, or money
    PRIMARY KEY (account_id, scope, ends_at)
);
CREATE INDEX usage_ends ON usage (ends_at);

-- What was sent just now, of accounts that are watched for duplicates or for suspicious sequences.
CREATE TABLE recent (
    account_id BIGINT NOT NULL,
    number     TEXT NOT NULL,
    digest     TEXT NOT NULL,         -- of the contents; '': duplicates are not looked for
    block      TEXT NOT NULL,         -- the number without its last three digits
    at         BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    PRIMARY KEY (account_id, number, digest)
);
CREATE INDEX recent_block ON recent (account_id, block);
CREATE INDEX recent_at ON recent (at);

-- What was answered to a request that named a key of its own: the same key is answered the same.
CREATE TABLE answered (
    account_id  BIGINT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,        -- of the request
    message_id  BIGINT NOT NULL,
    parts       SMALLINT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX answered_at ON answered (at);

-- Messages that wait for the operator's decision.
CREATE TABLE holds (
    message_id {key},
    account_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    reason     TEXT NOT NULL
);

-- What an operator or a customer should know, said once for each period.
CREATE TABLE notices (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    period     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    UNIQUE (account_id, kind, period)
);

-- Who has changed what, only ever added to. Each row is chained to the one before it.
CREATE TABLE audit (
    id      {serial},
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    origin  TEXT NOT NULL,            -- from where
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    before  TEXT NOT NULL,            -- JSON, without secrets
    after   TEXT NOT NULL,
    digest  TEXT NOT NULL             -- SHA-256 of the digest before it and of this row
);

-- Messages that had not ended when their texts or numbers were to be forgotten: looked at again.
CREATE TABLE not_forgotten (
    what       TEXT NOT NULL,         -- 'texts' or 'numbers'
    message_id BIGINT NOT NULL,
    PRIMARY KEY (what, message_id)
);

-- ---- the pages

-- Who is signed in. The cookie is not kept, only its digest.
CREATE TABLE sessions (
    digest      TEXT PRIMARY KEY,     -- SHA-256
    account_id  BIGINT NOT NULL,
    operator_id BIGINT,               -- the operator who looks at it as this account
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,      -- to the minute
    proved_at   BIGINT NOT NULL,      -- when the password was typed last
    origin      TEXT NOT NULL,        -- address
    agent       TEXT NOT NULL         -- as the browser calls itself
);
CREATE INDEX sessions_account ON sessions (account_id);

-- Instead of a code of the second factor, each once.
CREATE TABLE recovery_codes (
    account_id BIGINT NOT NULL,
    digest     TEXT NOT NULL,         -- HMAC-SHA-256 under the installation's secret
    used_at    BIGINT,
    PRIMARY KEY (account_id, digest)
);

-- Who has asked for an account, until there is one.
CREATE TABLE registrations (
    email         TEXT PRIMARY KEY,
    customer      TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    language      TEXT NOT NULL,
    at            BIGINT NOT NULL,
    confirmed_at  BIGINT              -- NULL: the link in the mail was not followed yet
);

-- Mail that has not been sent yet.
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

-- What programs have asked for in the last days; what is alike within a second is one row.
CREATE TABLE requests (
    id         {serial},
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    key_id     BIGINT NOT NULL,       -- 0: by login and password
    method     TEXT NOT NULL,
    command    TEXT NOT NULL,
    outcome    TEXT NOT NULL,         -- 'ok', or the error's code
    message_id BIGINT,                -- of the last one
    origin     TEXT NOT NULL,         -- address
    n          BIGINT NOT NULL,
    slowest_ms BIGINT NOT NULL
);
CREATE INDEX requests_account ON requests (account_id, id);
CREATE INDEX requests_refused ON requests (account_id, id) WHERE outcome <> 'ok';
CREATE INDEX requests_at ON requests (at);

-- The same message to a list of numbers, with what differs from one to the other.
CREATE TABLE mailings (
    id         {serial},
    account_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    name       TEXT NOT NULL,
    content    TEXT NOT NULL,         -- contents.Draft as JSON; '': it is forgotten, and so are the rows
    state      TEXT NOT NULL,         -- mailing.State
    reason     TEXT NOT NULL,         -- why it is paused, an error's code; '': its owner wanted it
    starts_at  BIGINT,                -- NULL: at once
    total      BIGINT NOT NULL,       -- rows, of which there are:
    good       BIGINT NOT NULL,
    bad        BIGINT NOT NULL,
    repeated   BIGINT NOT NULL,
    accepted   BIGINT NOT NULL,       -- good ones that have become messages
    refused    BIGINT NOT NULL,       -- good ones that could not
    parts      BIGINT NOT NULL,       -- short messages, of all good ones
    price      BIGINT NOT NULL,       -- what all good ones may cost at most
    worker     TEXT NOT NULL,         -- the process that is at it
    lease_at   BIGINT NOT NULL,       -- until when that counts; the one that waits longest is next
    ended_at   BIGINT
);
CREATE INDEX mailings_account ON mailings (account_id, id);
CREATE INDEX mailings_open ON mailings (lease_at, id) WHERE ended_at IS NULL;
CREATE INDEX mailings_kept ON mailings (created_at) WHERE content <> '';

-- A row that becomes a message is marked in the transaction that keeps the message: none is sent twice.
CREATE TABLE mailing_rows (
    mailing_id BIGINT NOT NULL,
    n          BIGINT NOT NULL,       -- 1 is the first
    line       BIGINT NOT NULL,       -- of the file
    number     TEXT NOT NULL,         -- E.164 digits; until it is checked, and where it is bad, as typed
    fields     TEXT NOT NULL,         -- JSON: what gaps are filled with
    state      SMALLINT NOT NULL,     -- mailing.RowState
    message_id BIGINT,
    error      TEXT NOT NULL,
    PRIMARY KEY (mailing_id, n)
);
CREATE INDEX mailing_rows_number ON mailing_rows (number, mailing_id);

-- Messages that a customer keeps to send them again, with gaps as {{name}}.
CREATE TABLE texts (
    account_id BIGINT NOT NULL,
    name       TEXT NOT NULL,
    content    TEXT NOT NULL,         -- JSON
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, name)
);

-- What has happened in an hour: how many messages, or how much money. The counters "tallied/…" tell up to which row
-- of a table that is still to be counted which was there before.
CREATE TABLE tallies (
    account_id BIGINT NOT NULL,
    hour       BIGINT NOT NULL,       -- its first millisecond
    kind       TEXT NOT NULL,         -- of tallies.KINDS
    detail     TEXT NOT NULL,         -- a connector, a code
    n          BIGINT NOT NULL,
    PRIMARY KEY (account_id, hour, kind, detail)
);
CREATE INDEX tallies_hour ON tallies (hour, kind);

-- What a connector did in a minute, of all workers.
CREATE TABLE connector_minutes (
    connector  TEXT NOT NULL,
    minute     BIGINT NOT NULL,       -- its first millisecond
    submitted  BIGINT NOT NULL,
    taken      BIGINT NOT NULL,
    refused    BIGINT NOT NULL,
    throttled  BIGINT NOT NULL,
    unknown    BIGINT NOT NULL,
    receipts   BIGINT NOT NULL,
    latency_ms BIGINT,                -- the longest mean
    down       SMALLINT NOT NULL,     -- 1: it was not up in all of it
    PRIMARY KEY (connector, minute)
);
CREATE INDEX connector_minutes_minute ON connector_minutes (minute);

INSERT INTO counters (name, value) VALUES ('message_id', 0), ('directory', 0), ('probe', 0), ('incoming', 0),
    ('audit', 0), ('texts', 0), ('numbers', 0), ('texts/inbox', 0), ('numbers/inbox', 0),
    ('tallied/messages', 0), ('tallied/events', 0), ('tallied/ledger', 0), ('mailed/notices', 0);
INSERT INTO meta (name, value) VALUES ('schema_version', '7');
