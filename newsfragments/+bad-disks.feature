When a disk is full, fails or can only be read, `/health` says what to do about it, and the service goes on by itself when the disk does, also one that was started on a full disk.
A database file that was removed or replaced while the server uses it takes no more readings: they wait in the spool, and are not lost with a file that nobody sees.
A telegram in the spool that can't be understood no longer keeps those behind it from being stored.
