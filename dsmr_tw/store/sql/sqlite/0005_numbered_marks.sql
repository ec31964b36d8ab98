-- Whoever computes gives the marks that it found a number of its own: who had found them before deletes nothing.
ALTER TABLE dirty_quarter RENAME COLUMN claimed TO number;
