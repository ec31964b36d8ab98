`/metrics` tells Prometheus how the service is: sources, commits, spool, ledger, requests, limits and the process; `docs/metrics.md` has alert rules to begin with.
