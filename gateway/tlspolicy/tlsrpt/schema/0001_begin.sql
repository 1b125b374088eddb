-- One row is what was counted for one domain on one day, until it was reported or nobody wanted it. The domain and
-- everything else that was counted rest sealed under the at-rest key; the domain is found by a keyed hash. Times are seconds
-- since 1970, days are days since then.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE report (
    id     INTEGER PRIMARY KEY,
    day    INTEGER NOT NULL,
    domain BLOB NOT NULL,     -- keyed hash
    due    INTEGER NOT NULL,  -- when it is tried to report, or tried again
    tries  INTEGER NOT NULL,
    until  INTEGER NOT NULL,  -- when that is given up
    body   BLOB NOT NULL,     -- sealed: the tally and who has the report already
    UNIQUE (day, domain)
);

CREATE INDEX report_due ON report (due);
