-- What is in quarantine, or was: why, sealed. What decides whether a copy is tried is the state of its recipient.
ALTER TABLE recipient ADD COLUMN quarantine BLOB;
