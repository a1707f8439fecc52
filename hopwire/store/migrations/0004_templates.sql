-- Templates. What the table is for is told in schema.sql.

CREATE TABLE templates (
    id       TEXT NOT NULL,
    sender   TEXT NOT NULL,
    language TEXT NOT NULL,
    kind     TEXT NOT NULL,
    active   SMALLINT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (id, sender, language)
);
