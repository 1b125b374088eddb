-- Lists and answers about revocation, as they were fetched, so that a restart need not ask again. What was asked stands as a keyed hash, the
-- rest is sealed under the at-rest key in parts. Times are milliseconds since 1970.

CREATE TABLE revocation (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    key     BLOB NOT NULL,
    fetched INTEGER NOT NULL,
    ends    INTEGER NOT NULL,
    size    INTEGER NOT NULL, -- bytes of all parts
    ready   INTEGER NOT NULL  -- 1: all parts are there
);

CREATE INDEX revocation_key ON revocation (key);

CREATE TABLE revocation_part (
    id   INTEGER NOT NULL,
    part INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id, part)
);

CREATE TRIGGER revocation_gone AFTER DELETE ON revocation BEGIN
    DELETE FROM revocation_part WHERE id = OLD.id;
END;
