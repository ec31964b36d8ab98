"""Responsible for copying a SQLite file beside a running server, and for examining such a copy.

The copy is of one instant: a transaction that only reads is held open meanwhile, on a connection of its own, and what
is written goes on into the WAL.  Without it SQLite would begin again whenever the server writes, and never end.
How this compares with ``VACUUM INTO`` is in ``docs/decisions/0016-backup.md``.

Tests: ``tests/store/test_sqlite_backup.py``
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

from attrs import frozen

from dsmr_tw.domain.tally import Sums, Tally
from dsmr_tw.errors import BackupError
from dsmr_tw.store.copied_tables import TABLES
from dsmr_tw.store.migrate import migrations
from dsmr_tw.store.sqlite_database import SqliteConnection, translated
from dsmr_tw.store.sqlite_rows import SqliteRows
from dsmr_tw.store.tallying import tally, tally_up_to

Told = Callable[[int, int], None]
"""Called with how much of the work is done, and how much it is; may raise, to end the work."""

PAGES: Final = 1_024
"""Copied between two looks at whether to go on: 4 MiB."""

SYNCED: Final = 4
"""So often, in steps, is what was copied written to the disk, or all of it would stand in the server's way at once."""

INSTRUCTIONS: Final = 200_000
"""Done of a long statement between two such looks."""


@frozen
class SqliteOriginal:
    """A SQLite file, as one that backups are made of."""

    path: Path

    kind = "sqlite"
    member = "dsmr.sqlite3"
    """The name of the copy inside a backup."""

    def size(self) -> int:
        """About how large a copy is, in bytes."""
        return self.path.stat().st_size

    def may_examine(self) -> None:
        """Nothing keeps anybody from examining a file."""

    def copy(self, to: Path, told: Told) -> Tally:
        """Copy the database, as it is at one instant, to a file that is there and empty; what was in it."""
        with self._reading(told) as connection:
            found = _tally(connection, partial(told, 0, 1))
            # Nobody else opens the copy; locks are what a network's disk has trouble with.
            with closing(sqlite3.connect(_uri(to, "nolock=1"), uri=True, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous = OFF")
                with to.open("rb") as file:
                    _copy_pages(connection, copy, file.fileno(), told)
        return found

    def examine(self, copy: Path, told: Told) -> Tally:
        """What is in a copy, if it is whole.

        Raises: ``BackupError``
        """
        tick = partial(told, 0, 1)
        with translated(copy), closing(_connect(copy, "mode=ro&immutable=1")) as connection, heeding(connection, tick):
            try:
                faults = connection.execute("PRAGMA integrity_check(1)").fetchall()
                if faults != [("ok",)]:
                    raise BackupError(f"{copy.name} is damaged: {faults[0][0]}")
                told(1, 2)
                found = _tally(connection, tick)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise
                raise BackupError(f"{copy.name} is damaged: {error}") from error
        told(1, 1)
        return found

    def since(self, then: Tally, told: Told) -> dict[int, Sums] | None:
        """What the database has now of what it had then; ``None`` when it is older than that."""
        with self._reading(told) as connection:
            given = SqliteRows().counters(connection)["reading"]
            return tally_up_to(connection, then, given, partial(told, 0, 1))

    @contextmanager
    def _reading(self, told: Told) -> Iterator[SqliteConnection]:
        """A connection on which nothing changes."""
        tick = partial(told, 0, 1)
        how = _how(self.path)
        with translated(self.path), closing(_connect(self.path, how)) as connection, heeding(connection, tick):
            connection.execute("BEGIN")
            yield connection


def _how(path: Path) -> str:
    """How to open a database to read it: that writes, too, beside it, unless nobody may.

    So a card that takes no writes any more, which is how they mostly end, can still be copied.
    """
    if os.access(path.parent, os.W_OK, effective_ids=True):
        return "mode=rw"
    return "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"


def _connect(path: Path, how: str) -> SqliteConnection:
    return sqlite3.connect(
        _uri(path, how), uri=True, isolation_level=None, factory=SqliteConnection, check_same_thread=False
    )


def _uri(path: Path, how: str) -> str:
    return f"file:{quote(str(path.resolve()))}?{how}"


@contextmanager
def heeding(connection: sqlite3.Connection, tick: Callable[[], None]) -> Iterator[None]:
    """Let ``tick``, by raising, also end a statement that takes long."""
    raised: list[BaseException] = []

    def look() -> int:
        try:
            tick()
        except (BackupError, KeyboardInterrupt) as error:
            raised.append(error)
        return len(raised)

    connection.set_progress_handler(look, INSTRUCTIONS)
    try:
        yield
    except sqlite3.OperationalError as error:
        raise next(iter(raised), error) from None
    finally:
        connection.set_progress_handler(None, 0)


def _tally(connection: SqliteConnection, tick: Callable[[], None]) -> Tally:
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    newest = migrations("sqlite")[-1].number
    if schema > newest:
        raise BackupError(
            f"The database was written by a newer dsmr_tw: its schema is number {schema}, this program knows {newest}. "
            f"Use the newer program"
        )
    there = SqliteRows().tables(connection)
    return tally(connection, schema, [table.name for table in TABLES if table.name in there], tick)


def _copy_pages(source: sqlite3.Connection, target: sqlite3.Connection, file: int, told: Told) -> None:
    """Copy all pages, and let them reach the disk on the way."""
    steps = 0

    def copied(status: int, remaining: int, length: int) -> None:
        nonlocal steps
        steps += 1
        if steps % SYNCED == 0:
            os.fsync(file)
        told(length - remaining, length)

    source.backup(target, pages=PAGES, progress=copied)
    os.fsync(file)
