While the database is away telegrams are kept on disk, posts of them are answered with 201 all the same, and everything is stored in order when it is back: over restarts, power cuts and a full spool of 256 MiB.
`dsmr spool` shows what waits, and stores what another server was left with.
A database that answers nothing for three seconds counts as away, too.
