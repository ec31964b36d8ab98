`dsmr migrate-store FROM TO` copies all that is stored from SQLite to PostgreSQL or back, compares every value, and goes on where it was interrupted.
