"""Responsible for the connections to one SQLite file, and for the transactions on them.

WAL and ``synchronous=FULL``: a commit has reached the disk when it returns.
One connection writes, in one thread; a few read.
The threads are passed in as *runners*, ``runner(function, *args) -> Deferred``, so that tests run the real SQL without
any thread.

Errors: what SQLite refuses to do at all now (disk full or failing, file locked by another program) is
``StoreUnavailable``; what it refuses of one value keeps its own class, so that a caller can tell a bad reading from a
bad disk.
A connection on which the disk failed is closed, and a new one made for what comes next: one that was opened while the
disk could only be read never writes again.
A file that was removed or replaced while it was in use takes no more readings: they would go with the connection.

Tests: ``tests/store/test_sqlite.py``
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EIO, ENOSPC, EROFS
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

from dsmr_tw.domain.disks import with_advice
from dsmr_tw.errors import DiskFull, StoreUnavailable
from dsmr_tw.store.connection import Connection, Runner

P = ParamSpec("P")
T = TypeVar("T")

ONE_VALUE = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
"""What SQLite raises over a value, not over its file."""


DISK_ERRORS: Final = {
    sqlite3.SQLITE_FULL: ENOSPC,
    sqlite3.SQLITE_IOERR: EIO,
    sqlite3.SQLITE_READONLY: EROFS,
}
"""What SQLite says of a disk, and what the system would say."""

INDEX_BYTES: Final = 65536
"""With less room than this no database can be opened."""

UNSOUND: Final = (
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
)
"""After these a connection is not used any more."""

BETWEEN_TRIES_S: Final = 0.001
"""Another program's transactions are short, and so are the times between them."""


class SqliteConnection(sqlite3.Connection):
    """See ``dsmr_tw.store.connection.Connection``. One writes at a time, so nobody need be held up."""

    insert_only = False

    def stream(self, sql: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        """See ``Connection``."""
        return self.execute(sql, parameters)

    def hold(self, meter_id: int) -> None:
        """See ``Connection``."""

    def hold_all(self, accounts: bool = True) -> None:
        """See ``Connection``."""

    def tell(self, channel: str) -> None:
        """See ``Connection``. There is no way."""

    def take_long(self) -> None:
        """See ``Connection``. They always may."""

    def size(self) -> tuple[int, int]:
        """See ``Connection``."""
        pages, free, page = (
            self.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return pages * page, free * page

    def guard(self, meter_id: int) -> bool:
        """See ``Connection``."""
        return True


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's word for "not now" into ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, ONE_VALUE):
            raise
        number = error.errno if isinstance(error, OSError) else _reason(path, error)
        kind = DiskFull if number == ENOSPC else StoreUnavailable
        raise kind(with_advice(f"{path}: {error}", number)) from error


def _reason(path: Path, error: sqlite3.Error) -> int | None:
    """What the system would call it; SQLite says "I/O error" of a full disk, too, when it needs room for its index."""
    if _code(error) in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        with suppress(OSError):
            disk = os.statvfs(path.parent)
            if disk.f_flag & os.ST_RDONLY:
                return EROFS
            if disk.f_bavail * disk.f_frsize < INDEX_BYTES:
                return ENOSPC
    return DISK_ERRORS.get(_code(error))


def _code(error: sqlite3.Error) -> int:
    """What kind of error it is; 0 for one that is of Python's making."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@define
class SqliteDatabase:
    """The file, and the connections to it."""

    path: Path
    write_runner: Runner
    """Runs one function at a time."""
    read_runner: Runner
    """May run several at a time."""
    patience: float = 10.0
    """Seconds to wait for another program that is writing."""
    disturbed: int = 0
    """How often writes came to nothing, or rows were dropped: who remembers what it wrote reads it again then."""
    _writer: SqliteConnection | None = None
    _polls: bool = False
    """Whether the writer has been told not to wait by itself."""
    _readers: dict[int, SqliteConnection] = field(factory=dict)
    _file: tuple[int, int] | None = None
    """Which file it is, by device and number, since it was first opened."""

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Run ``function(connection, ...)`` in a transaction of its own; fires with its result after the commit."""
        return self.write_runner(self._write, function, args, kwargs)

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run ``function(connection, ...)`` on one unchanging state of the database; fires with its result."""
        return self.read_runner(self._read, function, args, kwargs)

    def writer(self) -> SqliteConnection:
        """The connection that writes; only inside ``write_runner``."""
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def close(self) -> None:
        """Close all connections, when none is in use any more; the last one folds the WAL into the file."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer, self._polls = None, False
        self._file = None

    def _look(self) -> None:
        """See that the file is still there; SQLite goes on without a word.

        Raises: ``StoreUnavailable``
        """
        if self._file is None:
            return
        try:
            found = os.stat(self.path)
        except FileNotFoundError as error:
            raise StoreUnavailable(
                f"{self.path}: the file was removed (put it back, or restart the server, which begins a new one)"
            ) from error
        if (found.st_dev, found.st_ino) != self._file:
            raise StoreUnavailable(f"{self.path}: another file was put in its place (restart the server to use it)")

    def _connect(self) -> SqliteConnection:
        self._look()
        # The runner decides over the threads, and close() comes from another one.
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            timeout=self.patience,
            check_same_thread=False,
            factory=SqliteConnection,
        )
        try:
            connection.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216;"
            )
        except BaseException:
            connection.close()
            raise
        if self._file is None:
            found = os.stat(self.path)
            self._file = found.st_dev, found.st_ino
        return connection

    def _write(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        with translated(self.path):
            self._look()
            try:
                return self._transaction(self.writer(), function, args, kwargs)
            except sqlite3.Error as error:
                writer = self._writer
                if writer is not None and _code(error) in UNSOUND:
                    self._writer, self._polls = None, False
                    writer.close()
                raise

    def _transaction(
        self, connection: SqliteConnection, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        self._begin(connection)
        try:
            result = function(connection, *args, **kwargs)
            connection.execute("COMMIT")
        except BaseException:
            self.disturbed += 1
            # A full or failing disk has rolled back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _begin(self, connection: SqliteConnection) -> None:
        """Begin to write, as soon as no other program does.

        SQLite's own way of waiting sleeps longer and longer, up to 100 ms, and can miss its turn again and again.
        """
        if not self._polls:
            connection.execute("PRAGMA busy_timeout = 0")
            self._polls = True
        patience_until = time.monotonic() + self.patience
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience_until:
                    raise
                time.sleep(BETWEEN_TRIES_S)
            else:
                return

    def _read(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        with translated(self.path):
            thread = threading.get_ident()
            connection = self._readers.get(thread)
            if connection is None:
                connection = self._readers[thread] = self._connect()
            try:
                connection.execute("BEGIN")
                return function(connection, *args, **kwargs)
            except sqlite3.Error as error:
                if _code(error) in UNSOUND:
                    self._readers.pop(thread).close()
                raise
            finally:
                if thread in self._readers and connection.in_transaction:
                    connection.execute("ROLLBACK")
