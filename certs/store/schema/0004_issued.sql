-- What the built-in CA and other issuers have issued to the company's own addresses. Certificates and addresses stand as keyed
-- hashes, what they say is sealed under the at-rest key, with all that the columns beside say of it. Times are milliseconds since 1970.

-- The authorities of the built-in CA, with their keys.
CREATE TABLE authority (
    certificate BLOB PRIMARY KEY,
    made        INTEGER NOT NULL,
    body        BLOB NOT NULL,              -- sealed: certificate and key
    number      INTEGER NOT NULL DEFAULT 0, -- of the list of revoked certificates
    crl         BLOB                        -- as the world sees it
) WITHOUT ROWID;

-- Each certificate that was issued; none is ever removed, so that no serial number is used twice.
CREATE TABLE issued (
    certificate BLOB PRIMARY KEY,
    issuer      BLOB NOT NULL,    -- keyed hash of its name
    serial      BLOB NOT NULL,    -- keyed hash of issuer and number
    address     BLOB NOT NULL,
    made        INTEGER NOT NULL,
    ends        INTEGER NOT NULL,
    kept        INTEGER NOT NULL, -- 0: nobody has it yet
    revoked     INTEGER NOT NULL, -- 0: it is not
    body        BLOB NOT NULL     -- sealed
) WITHOUT ROWID;

CREATE UNIQUE INDEX issued_serial ON issued (serial);
CREATE INDEX issued_address ON issued (address, made);
CREATE INDEX issued_ends ON issued (ends) WHERE kept = 1 AND revoked = 0;
CREATE INDEX issued_unkept ON issued (made) WHERE kept = 0 AND revoked = 0;
CREATE INDEX issued_revoked ON issued (issuer, ends) WHERE revoked <> 0;

-- What administrators were told of, as a keyed hash, so that nothing is told twice; each goes after some time.
CREATE TABLE told (
    what BLOB PRIMARY KEY,
    at   INTEGER NOT NULL
) WITHOUT ROWID;
