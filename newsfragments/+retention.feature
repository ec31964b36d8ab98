`--keep-readings 31d` thins out readings older than a month to about four a quarter of an hour, and leaves all statistics exactly as they are; `dsmr retention --dry-run` says how much that would be.
The size of the database is in `/health`.
