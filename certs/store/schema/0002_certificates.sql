-- Certificates, private keys, and what an administrator said of them. What names people, and whatever is decided by, is sealed
-- under the at-rest key; hashes are keyed. The columns beside the sealed ones are what rows are found by, and are compared with
-- what was sealed when a row is read. Times are milliseconds since 1970.

CREATE TABLE certificate (
    number      INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order in which they came
    id          BLOB NOT NULL UNIQUE,  -- hash of the SHA-256 of the certificate
    public      BLOB NOT NULL,         -- hash of the public key
    issued      BLOB NOT NULL,         -- hash of issuer and serial number
    subject_key BLOB,                  -- hash of the subject key identifier; NULL: none
    ca          INTEGER NOT NULL,      -- 1: of an authority
    trust       INTEGER NOT NULL,      -- 0 by its path, 1 anchor, 2 trusted, 3 distrusted, 4 asked
    serves      INTEGER NOT NULL,      -- 1: for all addresses of a domain
    begins      INTEGER NOT NULL,
    ends        INTEGER NOT NULL,
    added       INTEGER NOT NULL,
    seen        INTEGER NOT NULL,
    body        BLOB NOT NULL,         -- sealed: the certificate, where it came from
    said        BLOB NOT NULL          -- sealed: trust, its scope, what it serves
);

CREATE INDEX certificate_public ON certificate (public);
CREATE INDEX certificate_issued ON certificate (issued);
CREATE INDEX certificate_subject_key ON certificate (subject_key) WHERE subject_key IS NOT NULL;
CREATE INDEX certificate_ends ON certificate (ends);
CREATE INDEX certificate_said ON certificate (trust) WHERE trust <> 0 OR ca <> 0 OR serves <> 0;

-- Which certificates an address, or a domain that one serves, has; the newest first.
CREATE TABLE certificate_name (
    name   BLOB NOT NULL,    -- hash of the address, or of the domain served
    begins INTEGER NOT NULL,
    number INTEGER NOT NULL REFERENCES certificate (number) ON DELETE CASCADE,
    PRIMARY KEY (name, begins, number)
) WITHOUT ROWID;

CREATE INDEX certificate_name_number ON certificate_name (number);

-- Private keys, by the hash of the public key. No certificate need be known. None is removed but expressly.
CREATE TABLE private_key (
    public BLOB PRIMARY KEY,
    kind   INTEGER NOT NULL, -- 0 PKCS#8, 1 where it lies elsewhere
    added  INTEGER NOT NULL,
    body   BLOB NOT NULL     -- sealed
) WITHOUT ROWID;
