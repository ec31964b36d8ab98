"""Responsible for connections to a PostgreSQL server that are used in threads, and for the transactions on them.

What computes the ledger walks through thousands of readings, and lists are built row by row: that is work for a thread,
and for SQL that SQLite shares (see ``dsmr_tw.store.connection``).  What cannot wait, the commit of readings, goes
through the reactor instead; see ``dsmr_tw.store.postgres``.

Reads see one unchanging state (REPEATABLE READ); writes see what was committed before each statement (READ COMMITTED),
and say by ``hold`` whom they exclude, with locks that end with the transaction.

Tests: ``tests/store/test_postgres_database.py``
"""

from __future__ import annotations

import re
import select
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg2
from attrs import define, field
from psycopg2 import extensions
from psycopg2.extras import execute_batch
from twisted.internet.defer import Deferred

from dsmr_tw.store.connection import Connection, Cursor, Row, Runner
from dsmr_tw.store.postgres import PATIENCE_S, Dsn, connect, is_gone, translated
from dsmr_tw.store.postgres_batch import Run
from dsmr_tw.store.postgres_statements import ALL
from dsmr_tw.store.threads import result_of

P = ParamSpec("P")
T = TypeVar("T")

ONE_METER: Final = 0x44_53_4D_02
"""The locks of who writes the ledger of a meter."""
COMPUTING: Final = 0x44_53_4D_03
"""The locks of who computes the ledger of a meter."""

LONG_S: Final = 3600.0
"""Seconds that a statement may take which goes through all that a big database holds."""

FIRST_ROWS: Final = 256
"""So many rows of a stream are fetched at first: few streams are longer."""
MORE_ROWS: Final = 2_000
STATEMENTS_AT_ONCE: Final = 100

PARAMETER: Final = re.compile(r"\?(\d*)|%")
ORDERS: Final = re.compile(r"INDEXED BY \w+")
"""What only SQLite has to be told."""


def _wait(connection: Any) -> None:
    """Wait for an answer as psycopg2 would by itself, but not for ever, and so that Ctrl-C breaks it off."""
    while (state := connection.poll()) != extensions.POLL_OK:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        patience = getattr(connection, "patience", None) or PATIENCE_S
        if not poll.poll(patience * 1000):
            raise psycopg2.OperationalError(f"no answer for {patience:g} s")


extensions.set_wait_callback(_wait)


@lru_cache(maxsize=1024)
def words(sql: str) -> tuple[str, bool]:
    """A statement as psycopg2 takes it, and whether its parameters have numbers."""
    numbered = re.search(r"\?\d", sql) is not None

    def word(match: re.Match[str]) -> str:
        if match[0] == "%":
            return "%%"
        return f"%({match[1]})s" if numbered else "%s"

    return PARAMETER.sub(word, ORDERS.sub("", sql)), numbered


def values(parameters: Sequence[Any], numbered: bool) -> Any:
    """Parameters as psycopg2 takes them."""
    return {str(number): value for number, value in enumerate(parameters, 1)} if numbered else parameters


@define
class Stream:
    """The rows of a query, fetched as they are wanted."""

    rows: Callable[[int, int], list[Row]]
    """Fetches so many rows behind so many others."""
    _fetched: Iterator[Row] = field(init=False)
    rowcount: int = field(default=-1, init=False)

    def __attrs_post_init__(self) -> None:
        self._fetched = self._fetch()

    def fetchone(self) -> Row | None:
        """See ``Cursor``."""
        return next(self._fetched, None)

    def fetchmany(self, size: int = 1, /) -> list[Row]:
        """See ``Cursor``."""
        return list(islice(self._fetched, size))

    def fetchall(self) -> list[Row]:
        """See ``Cursor``."""
        return list(self._fetched)

    def __iter__(self) -> Iterator[Row]:
        return self._fetched

    def _fetch(self) -> Iterator[Row]:
        number, skip = FIRST_ROWS, 0
        while True:
            rows = self.rows(number, skip)
            yield from rows
            if len(rows) < number:
                return
            number, skip = MORE_ROWS, skip + len(rows)


@define(eq=False)
class PostgresConnection:
    """See ``dsmr_tw.store.connection.Connection``."""

    raw: Any
    """psycopg2's connection."""
    answered: bool = False
    """Whether the server has answered since the transaction began."""
    insert_only: bool = True
    _streams: int = 0

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """See ``Connection``."""
        statement, numbered = words(sql)
        cursor = self.raw.cursor()
        cursor.execute(statement, values(parameters, numbered))
        self.answered = True
        found: Cursor = cursor
        return found

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        """See ``Connection``."""
        statement, numbered = words(sql)
        given = [values(row, numbered) for row in parameters]
        if given:
            execute_batch(self.raw.cursor(), statement, given, page_size=STATEMENTS_AT_ONCE)
            self.answered = True

    def stream(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        """See ``Connection``. What is longer than a list is read through a cursor of the server."""
        cursors: list[Any] = []

        def rows(number: int, skip: int) -> list[Row]:
            if not skip:
                return self.execute(f"{sql} LIMIT {number}", parameters).fetchall()
            if not cursors:
                cursors.append(self._server_cursor(f"{sql} OFFSET {skip}", parameters))
            fetched: list[Row] = cursors[0].fetchmany(number)
            return fetched

        return Stream(rows)

    def hold(self, meter_id: int) -> None:
        """See ``Connection``."""
        self.execute("SELECT pg_advisory_xact_lock(?, ?)", (ONE_METER, meter_id))

    def hold_all(self, accounts: bool = True) -> None:
        """See ``Connection``."""
        self.execute("SELECT pg_advisory_xact_lock(?, 0)", (ALL,))
        self.execute("UPDATE changed SET accounts = accounts + ?, readings = readings + 1", (int(accounts),))

    def tell(self, channel: str) -> None:
        """See ``Connection``."""
        self.execute("SELECT pg_notify(?, '')", (channel,))

    def take_long(self) -> None:
        """See ``Connection``."""
        self.execute(f"SET LOCAL statement_timeout = '{LONG_S:g}s'")
        self.raw.patience = LONG_S

    def size(self) -> tuple[int, int]:
        """See ``Connection``. How much of it is free would take long to find out."""
        (size,) = self.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(size), 0

    def guard(self, meter_id: int) -> bool:
        """See ``Connection``."""
        (taken,) = self.execute("SELECT pg_try_advisory_xact_lock(?, ?)", (COMPUTING, meter_id)).fetchone()
        return bool(taken)

    def _server_cursor(self, sql: str, parameters: Sequence[Any]) -> Any:
        self._streams += 1
        statement, numbered = words(sql)
        cursor = self.raw.cursor(name=f"stream_{self._streams}")
        cursor.execute(statement, values(parameters, numbered))
        return cursor


@define
class PostgresDatabase:
    """See ``dsmr_tw.store.connection.Database``."""

    place: Dsn
    write_runner: Runner
    read_runner: Runner
    disturbed: int = 0
    _connections: dict[tuple[int, bool], PostgresConnection] = field(factory=dict)
    """By thread, and whether they write."""

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """See ``Database``."""
        return self.write_runner(self.run, True, function, *args, **kwargs)

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """See ``Database``."""
        return self.read_runner(self.run, False, function, *args, **kwargs)

    def commit(self, work: Callable[[Run], Coroutine[Any, Any, T]], /) -> Deferred[T]:
        """Run ``work(run)`` in a transaction; see ``dsmr_tw.store.postgres_store.Commit``."""
        return self.write_runner(self.run, True, _at_once, work)

    def run(
        self, writes: bool, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``function(connection, ...)`` in a transaction, in this thread."""
        thread = threading.get_ident()
        for is_last in (False, True):
            with translated(self.place.name):
                connection = self._connection(thread, writes)
                connection.answered, connection.raw.patience = False, None
                try:
                    with self._transaction(connection, thread, writes):
                        return function(connection, *args, **kwargs)
                except Exception as error:
                    # One that idled while the server was started anew: nothing has been seen or done on it.
                    if is_last or connection.answered or not is_gone(error):
                        raise
        raise AssertionError

    def close(self) -> None:
        """Close all connections, when none is in use any more."""
        for connection in self._connections.values():
            connection.raw.close()
        self._connections.clear()

    @contextmanager
    def _transaction(self, connection: PostgresConnection, thread: int, writes: bool) -> Iterator[None]:
        try:
            yield
            if writes:
                connection.raw.commit()
        except BaseException as error:
            self.disturbed += 1
            if connection.raw.closed or is_gone(error):
                self._drop(thread, writes)
            raise
        finally:
            if not connection.raw.closed:
                connection.raw.rollback()

    def _connection(self, thread: int, writes: bool) -> PostgresConnection:
        found = self._connections.get((thread, writes))
        if found is None or found.raw.closed:
            raw = connect(self.place)
            if not writes:
                raw.set_session(isolation_level="REPEATABLE READ", readonly=True)
            found = self._connections[thread, writes] = PostgresConnection(raw)
        return found

    def _drop(self, thread: int, writes: bool) -> None:
        found = self._connections.pop((thread, writes), None)
        if found is not None and not found.raw.closed:
            found.raw.close()


def _at_once(connection: Connection, work: Callable[[Run], Coroutine[Any, Any, T]]) -> T:
    """Do work that is written for the reactor, without one: each statement's rows are there when it was sent."""
    assert isinstance(connection, PostgresConnection)
    raw = connection.raw

    async def run(sql: str, parameters: Sequence[Any]) -> list[Any]:
        with raw.cursor() as cursor:
            cursor.execute(sql, parameters)
            connection.answered = True
            return cursor.fetchall() if cursor.description else []

    return result_of(Deferred.fromCoroutine(work(run)))
