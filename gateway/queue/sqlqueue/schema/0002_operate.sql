-- What operators do, and what nobody outside may learn.
ALTER TABLE recipient ADD COLUMN rerouted INTEGER NOT NULL DEFAULT 0; -- 1: an operator chose the destination
ALTER TABLE recipient ADD COLUMN hidden   INTEGER NOT NULL DEFAULT 0; -- 1: what became of it depends on what was encrypted
