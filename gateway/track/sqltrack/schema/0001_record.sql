-- In clear are ids, times and kinds of steps. Whatever names people, hosts or content is sealed under the
-- at-rest key or stands as a keyed hash. Times are milliseconds since 1970.
--
-- A message has a number: 65,536 of them make a block, and a new day begins a new block. Numbers rise with
-- time, so what is old is together, and goes together.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE block (
    id    INTEGER PRIMARY KEY, -- number of a message / 65536
    first INTEGER NOT NULL,    -- time of its earliest message
    last  INTEGER NOT NULL     -- and of its latest
);

CREATE TABLE message (
    num    INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    at     INTEGER NOT NULL,
    kinds  INTEGER NOT NULL    -- a bit for each kind of step it has seen
);

-- Every id of a message: the one it was accepted under and those of its variants and reports.
CREATE TABLE name (
    id  TEXT PRIMARY KEY,
    num INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE step (
    key  INTEGER PRIMARY KEY,  -- number of the message * 65536 + number of the step
    at   INTEGER NOT NULL,
    id   TEXT,                 -- NULL where it is the message's origin
    body BLOB NOT NULL         -- sealed
);

-- What a message can be found by: keyed hashes of addresses, domains, hosts and so on. The search goes from
-- block to block, so that a new message touches the end of the index only.
CREATE TABLE term (
    block INTEGER NOT NULL,
    mac   INTEGER NOT NULL,    -- the first 8 bytes
    low   INTEGER NOT NULL,    -- number of the message within the block
    PRIMARY KEY (block, mac, low)
) WITHOUT ROWID;
