-- Messages that wait for their protection, in clear so that they can be counted. What decides whether a
-- message may leave is the sealed envelope, not this column.
ALTER TABLE message ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
