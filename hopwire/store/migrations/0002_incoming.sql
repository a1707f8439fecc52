-- Incoming messages, stop lists, connectors, and receipts whose id is spelled in several ways.
-- What the tables are for is told in schema.sql.

ALTER TABLE receipts ADD COLUMN also TEXT NOT NULL DEFAULT '[]';

CREATE TABLE numbers (
    number     TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL
);

CREATE TABLE incoming_parts (
    sender      TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    connector   TEXT NOT NULL,
    reference   BIGINT NOT NULL,
    parts       SMALLINT NOT NULL,
    part        SMALLINT NOT NULL,
    since       BIGINT NOT NULL,
    joined      SMALLINT NOT NULL,
    data_coding SMALLINT NOT NULL,
    national    SMALLINT NOT NULL,
    payload     TEXT NOT NULL,
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
    account_id  BIGINT
);
CREATE INDEX inbox_account ON inbox (account_id, id);

CREATE TABLE stop_list (
    account_id BIGINT NOT NULL,
    number     TEXT NOT NULL,
    at         BIGINT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (account_id, number)
);
CREATE INDEX stop_list_number ON stop_list (number);

CREATE TABLE connectors (
    name       TEXT PRIMARY KEY,
    paused     SMALLINT NOT NULL,
    trace      TEXT,
    changed_at BIGINT NOT NULL
);

CREATE TABLE connector_states (
    connector TEXT NOT NULL,
    worker    TEXT NOT NULL,
    at        BIGINT NOT NULL,
    state     TEXT NOT NULL,
    PRIMARY KEY (connector, worker)
);

INSERT INTO counters (name, value) VALUES ('incoming', 0);
