`--database postgresql://USER:PASSWORD@HOST:PORT/NAME` keeps the readings on a PostgreSQL server, which any number of processes may use at the same time; while it is away, the spool takes what comes.
`docs/deployment.md` says how to run several processes behind a reverse proxy, and `docs/scaling.md` what thousands of meters need.
