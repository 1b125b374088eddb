-- In clear are keys and ids, times, sizes, states and counts. Whatever names people, providers' ids or content is sealed under the at-rest
-- key; what is looked for stands as keyed hashes. Times are milliseconds since 1970. What a state column says is said by the sealed body
-- as well, which decides.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- The bytes of messages, as they were sent and as they came.
CREATE TABLE content (
    name TEXT PRIMARY KEY, -- random, or a keyed hash of what is shared
    size INTEGER NOT NULL, -- before encryption
    body BLOB              -- sealed; NULL where a file of this name holds it
) WITHOUT ROWID;

-- Certificates and answers about them: contents that evidence and arrivals share.
CREATE TABLE attached (
    owner INTEGER NOT NULL, -- evidence; of an arrival its number below zero
    name  TEXT NOT NULL,
    PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE INDEX attached_name ON attached (name);

-- Files whose rows are gone, to be removed.
CREATE TABLE gone (
    name TEXT PRIMARY KEY
) WITHOUT ROWID;

-- What was, or is being, submitted.
CREATE TABLE record (
    num     INTEGER PRIMARY KEY AUTOINCREMENT,
    key     TEXT NOT NULL UNIQUE, -- the private id
    state   INTEGER NOT NULL,     -- 0 trying, 1 taken, 2 refused, 3 doubtful, 4 waiting
    began   INTEGER NOT NULL,
    taken   INTEGER,              -- when the provider took it
    awaits  INTEGER NOT NULL,     -- confirmations asked for that have not come: 1 dispatch, 2 receipt, 4 retrieve
    told    INTEGER NOT NULL,     -- that they are overdue; bits as in awaits
    content TEXT NOT NULL,
    body    BLOB NOT NULL,        -- sealed; never changed
    status  BLOB NOT NULL         -- sealed
);
CREATE INDEX record_state ON record (state) WHERE state IN (0, 3, 4);
CREATE INDEX record_awaits ON record (taken) WHERE awaits <> 0;
CREATE INDEX record_began ON record (began);

-- What became of it, in order.
CREATE TABLE step (
    record INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    body   BLOB NOT NULL, -- sealed
    PRIMARY KEY (record, idx)
) WITHOUT ROWID;

-- What a record is found by.
CREATE TABLE term (
    mac    BLOB NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (mac, record)
) WITHOUT ROWID;
CREATE INDEX term_record ON term (record);

-- Confirmations and notifications.
CREATE TABLE evidence (
    num       INTEGER PRIMARY KEY AUTOINCREMENT,
    mac       BLOB NOT NULL UNIQUE, -- of account and provider's id
    fetched   INTEGER NOT NULL,
    undecided INTEGER NOT NULL,     -- 1: may be proven later
    content   TEXT NOT NULL,
    body      BLOB NOT NULL         -- sealed
);
CREATE INDEX evidence_undecided ON evidence (num) WHERE undecided <> 0;
CREATE INDEX evidence_fetched ON evidence (fetched);

-- Which records evidence belongs to.
CREATE TABLE belongs (
    record   INTEGER NOT NULL,
    evidence INTEGER NOT NULL,
    PRIMARY KEY (record, evidence)
) WITHOUT ROWID;
CREATE INDEX belongs_evidence ON belongs (evidence);

-- Messages that were fetched.
CREATE TABLE arrival (
    num     INTEGER PRIMARY KEY AUTOINCREMENT,
    mac     BLOB NOT NULL UNIQUE, -- of account and provider's id
    fetched INTEGER NOT NULL,
    body    BLOB NOT NULL         -- sealed
);
CREATE INDEX arrival_fetched ON arrival (fetched);

-- Messages of a sender on one day.
CREATE TABLE spent (
    mac      BLOB NOT NULL, -- of sender and day
    day      TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (mac)
) WITHOUT ROWID;
CREATE INDEX spent_day ON spent (day);

-- Timestamps, by what they are of.
CREATE TABLE stamp (
    digest BLOB PRIMARY KEY,
    body   BLOB NOT NULL -- sealed
) WITHOUT ROWID;
