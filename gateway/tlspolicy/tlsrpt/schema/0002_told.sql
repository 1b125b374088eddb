-- How many reports about a day were counted against one bound: those about the domains below one that can be registered,
-- or those to the mailboxes and web servers of one. It is found by a keyed hash.

CREATE TABLE told (
    day     INTEGER NOT NULL,
    about   BLOB NOT NULL,
    reports INTEGER NOT NULL,
    PRIMARY KEY (day, about)
) WITHOUT ROWID;
