-- In clear are ids, times, sizes, states, counts of attempts, and the numbers of destinations. Whatever
-- names people, hosts or content is sealed under the at-rest key. Times are milliseconds since 1970.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- One row, kept in step by every commit, so that counting never reads the queue.
CREATE TABLE counter (
    messages   INTEGER NOT NULL,
    recipients INTEGER NOT NULL, -- queued or held
    held       INTEGER NOT NULL,
    bytes      INTEGER NOT NULL
);
INSERT INTO counter VALUES (0, 0, 0, 0);

CREATE TABLE destination (
    id   INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so that a number kept in memory stays true
    mac  BLOB NOT NULL UNIQUE, -- keyed hash of the name, for look-ups
    name BLOB NOT NULL         -- sealed
);

CREATE TABLE message (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    origin   TEXT,             -- NULL where it is the id
    arrived  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    size     INTEGER NOT NULL, -- of the content, before encryption
    file     TEXT,             -- that holds the content; NULL where table content does
    envelope BLOB NOT NULL     -- sealed
);
CREATE INDEX message_origin ON message (origin) WHERE origin IS NOT NULL;
CREATE UNIQUE INDEX message_file ON message (file) WHERE file IS NOT NULL;

CREATE TABLE content (
    seq  INTEGER PRIMARY KEY,
    body BLOB NOT NULL         -- sealed
);

CREATE TABLE recipient (
    seq         INTEGER NOT NULL,
    idx         INTEGER NOT NULL, -- in the envelope
    destination INTEGER NOT NULL,
    state       INTEGER NOT NULL, -- 0 queued, 1 held, 2 delivered, 3 failed, 4 dropped
    attempts    INTEGER NOT NULL,
    due         INTEGER NOT NULL, -- time of the next attempt
    ready       INTEGER,          -- when it may be claimed: due, or the end of the lease; NULL where not queued
    lease       INTEGER,          -- token of the claim that covers it
    tried       INTEGER,          -- time of the last attempt
    reply       BLOB,             -- sealed
    PRIMARY KEY (seq, idx)
) WITHOUT ROWID;
CREATE INDEX recipient_ready ON recipient (destination, ready);
CREATE INDEX recipient_lease ON recipient (lease) WHERE lease IS NOT NULL;
