-- Addresses and certificates stand as keyed hashes; what is known of them is sealed under the at-rest key. Times are
-- milliseconds since 1970.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- What the mail programs of partners read, by address and the certificate that signed.
CREATE TABLE capability (
    address     BLOB NOT NULL,
    certificate BLOB NOT NULL,
    signed      INTEGER NOT NULL, -- when, as the signer said
    seen        INTEGER NOT NULL, -- when it was last written
    body        BLOB NOT NULL,    -- sealed
    PRIMARY KEY (address, certificate)
) WITHOUT ROWID;

CREATE INDEX capability_seen ON capability (seen);
