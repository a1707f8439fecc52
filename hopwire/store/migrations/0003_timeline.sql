-- Timelines, numbers without an account on a channel, and questions about what an upstream has taken.
-- What the tables are for is told in schema.sql.

CREATE INDEX deliveries_taken ON deliveries (connector, id) WHERE status = 2 AND timer_at IS NOT NULL;
CREATE INDEX receipts_message ON receipts (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE events (
    id         {serial},
    message_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    step       SMALLINT NOT NULL,
    part       SMALLINT NOT NULL,
    what       SMALLINT NOT NULL,
    status     SMALLINT NOT NULL,
    code       TEXT NOT NULL,
    detail     TEXT NOT NULL,
    handed_at  BIGINT
);
CREATE INDEX events_message ON events (message_id);

CREATE TABLE no_account (
    channel TEXT NOT NULL,
    number  TEXT NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (channel, number)
);
CREATE INDEX no_account_until ON no_account (until);
