-- Who was asked for a certificate, and of which unknown roots administrators were told, so that nobody is asked twice in
-- a while. Subjects and domains stand as keyed hashes.
CREATE TABLE asked (
    subject BLOB PRIMARY KEY,
    domain  BLOB NOT NULL,
    at      INTEGER NOT NULL, -- milliseconds since 1970
    id      TEXT NOT NULL,    -- of the message that asks
    sent    INTEGER NOT NULL  -- 1: the message is in the queue
) WITHOUT ROWID;

CREATE INDEX asked_at ON asked (at);
CREATE INDEX asked_domain ON asked (domain, at);
