"""Responsible for the connections with a PostgreSQL server, such that none can hang, and no error is a riddle.

What is about the server (away, full, restarting, changing over, too slow now) is ``StoreUnavailable``: the same may
succeed later. So is a database without our tables, or closed to us: somebody is putting a dump back, and what arrives
meanwhile must not be refused for good. What is about a value, or a fault of ours, keeps its own class. No text ever
shows a password.

Only a server that leads is connected to. One that follows another answers as if all were well, but late: the ledger
would be computed without readings whose marks are then deleted.

A ``Link`` is one connection on the reactor. txpostgres never gives up waiting, logs what it can tell nobody, and
cancels by a call that blocks; so a link hangs up after its patience, tells whose it is when it is lost, and is never
cancelled. A server's name is looked up by the reactor, since libpq would stop everything until that is done.

Tests: ``tests/store/test_postgres.py``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final, TypeVar

import psycopg2
from attrs import define, field, frozen
from psycopg2 import extensions
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from txpostgres import txpostgres

from dsmr_tw.errors import SettingsError, StoreUnavailable
from dsmr_tw.store.postgres_hosts import located

T = TypeVar("T")

PATIENCE_S: Final = 10.0
"""Seconds to wait for an answer; then the server counts as away."""

WAITING: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": "20000",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    # Nobody's tickets are looked for, which can take as long as it likes.
    "gssencmode": "disable",
    "target_session_attrs": "primary",
    "client_encoding": "UTF8",
}
"""How long libpq waits (in s, but ``tcp_user_timeout`` in ms), and for whom, unless the URL says otherwise."""

SESSION: Final = {
    "statement_timeout": "9s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}
"""What the server is told of each connection, unless the URL's ``options`` say otherwise."""

NOT_NOW: Final = re.compile("08|28|3D|3F|53|57P0|58|XX|57014|40001|40P01|42501|42P01|55P03|25006|25P03")
"""SQLSTATEs that say nothing about the statement: the same one may succeed later, or on another server."""

GONE: Final = re.compile("08|57P0|25P03|25006")
"""SQLSTATEs after which a connection is of no more use: the server ends it, or it only reads, and stays so."""

BYTEA, NUMERIC = 17, 1700
"""The server's numbers for these two types."""


@frozen
class Dsn:
    """Where a database is, and how to connect to it."""

    parameters: Mapping[str, str] = field(repr=False)
    """libpq's, with the password."""

    @property
    def name(self) -> str:
        """The database in words, for people; without the password."""
        host, port = self.parameters.get("host", ""), self.parameters.get("port", "5432")
        return f"PostgreSQL at {host or 'the local socket'}, port {port}"


def dsn(url: str, application_name: str) -> Dsn:
    """Where the URL leads to. Raises ``SettingsError`` when it is none."""
    try:
        told: dict[str, str] = extensions.parse_dsn(url)
    except psycopg2.ProgrammingError as error:
        # libpq quotes what it did not understand, which may hold the password.
        reason = str(error).removeprefix("invalid dsn: ").partition('"')[0].strip(" :\n")
        raise SettingsError(f"--database is no PostgreSQL URL: {reason}") from None
    ports = told.get("port", "").split(",")
    if "@" in told.get("host", "") + told.get("dbname", "") or not all(port.isdecimal() or not port for port in ports):
        raise SettingsError(
            "--database is no PostgreSQL URL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "with / @ and % in the password as %2F %40 and %25"
        )
    session = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    options = {"options": f"{session} {told.get('options', '')}".strip()}
    return Dsn({"application_name": application_name, **WAITING, **told, **options})


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn PostgreSQL's many words for "not now" into ours; ``name`` says whose."""
    try:
        yield
    except ConnectionClosed:
        raise StoreUnavailable(f"{name}: the connection was broken off") from None
    except psycopg2.Error as error:
        if not matches(error, NOT_NOW):
            raise
        text = str(error).strip() or "the connection was lost"
        raise StoreUnavailable(f"{name}: {text.splitlines()[0]}") from error


def is_gone(error: BaseException) -> bool:
    """Whether the connection has ended with this error."""
    return isinstance(error, ConnectionClosed) or (isinstance(error, psycopg2.Error) and matches(error, GONE))


def matches(error: psycopg2.Error, states: re.Pattern[str]) -> bool:
    """Whether an error has one of the SQLSTATEs, or none because the connection failed."""
    if error.pgcode is not None:
        return states.match(error.pgcode) is not None
    return (
        isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or type(error) is psycopg2.DatabaseError
    )


def prepare(connection: Any) -> None:
    """Let values of psycopg2's connection be as SQLite's: bytes, whole numbers as ``int``, truth as 1 and 0."""
    extensions.register_type(extensions.new_type((BYTEA,), "BYTES", _bytes), connection)
    extensions.register_type(extensions.new_type((NUMERIC,), "WHOLE", _number), connection)
    # psycopg2 keeps what it makes of parameters for the whole process, not for each connection.
    extensions.register_adapter(bool, _one_or_zero)


class Blocking(extensions.connection):  # type: ignore[misc]  # psycopg2 has no annotations
    """A connection for a thread."""

    patience: float | None = None
    """Seconds to wait for an answer, where that is not as long as always."""


def connect(place: Dsn) -> Any:
    """A connection of psycopg2, for a thread: it blocks."""
    with translated(place.name):
        connection = psycopg2.connect(connection_factory=Blocking, **place.parameters)
    prepare(connection)
    return connection


def _bytes(value: str | None, cursor: Any) -> bytes | None:
    return None if value is None else bytes(psycopg2.BINARY(value, cursor))


def _number(value: str | None, cursor: Any) -> int | Decimal | None:
    if value is None:
        return None
    return int(value) if value.lstrip("-").isdecimal() else Decimal(value)


def _one_or_zero(value: bool) -> Any:
    return extensions.AsIs(int(value))


def shielded(work: Deferred[T]) -> Deferred[T]:
    """What fires as ``work`` does; cancelling it leaves the work alone."""
    shield: Deferred[T] = Deferred()
    work.addBoth(shield.callback)
    return shield


def _nothing(*told: object) -> None:
    """Nobody wants to know."""


@define(eq=False)
class Link:
    """One connection with the server, from its opening to its end; it does one statement after the other."""

    place: Dsn

    reactor: Any
    """What the connection is read and written by."""

    clock: IReactorTime
    """What patience is measured by."""

    patience: float = PATIENCE_S

    lost: Callable[[], object] = _nothing
    """Called when the connection has ended by itself."""

    heard: Callable[[str, str], object] = _nothing
    """Called with the channel and the payload of each notification; must not fail."""

    froze: bool = field(default=False, init=False)
    """Whether the server did not answer in time."""

    _line: _Line | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)

    @property
    def alive(self) -> bool:
        """Whether the connection was made, and has not ended as far as is known."""
        if self._line is None or self._over:
            return False
        closed: int = self._line.pollable().closed
        return not closed

    async def open(self) -> None:
        """Connect. Raises ``StoreUnavailable`` when that is not possible now."""
        with translated(self.place.name):
            parameters = await located(self.place.parameters, self.reactor.nameResolver)
            if self._over:
                raise ConnectionClosed
            line = _Line(self.reactor, self._ended, self.heard)
            connecting: Deferred[Any] = line.connect(**parameters)
            if line.pollable() is not None:
                self._line = line
            await connecting
            prepare(line.pollable())

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, or a statement under way."""
        if self._line is None or not self.alive:
            return False
        idle: int = extensions.TRANSACTION_STATUS_IDLE
        status: int = self._line.pollable().get_transaction_status()
        return status != idle

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run a statement, and give psycopg2's cursor, when those asked for before are done."""
        with translated(self.place.name):
            line = self._line
            if line is None or self._over:
                raise ConnectionClosed
            try:
                return await line.lock.run(self._send, line, sql, parameters)
            except psycopg2.Error as error:
                if is_gone(error):
                    self.abort()
                raise

    def _send(self, line: _Line, sql: str, parameters: Sequence[Any]) -> Deferred[Any]:
        if self._over:
            raise ConnectionClosed
        # An empty sequence would have psycopg2 look for percent signs.
        sent: Deferred[Any] = line.cursor().execute(sql, parameters or None)
        return sent

    def within_patience(self, work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        """What the work gives; if it takes too long, the link ends and this fails with ``StoreUnavailable``."""
        shield = shielded(Deferred.fromCoroutine(work))
        return shield.addTimeout(self.patience, self.clock, onTimeoutCancel=self._give_up)

    def _give_up(self, cancelled: object, seconds: float) -> Failure:
        self.froze = True
        self.abort()
        return Failure(StoreUnavailable(f"{self.place.name}: no answer for {seconds:g} s"))

    def abort(self) -> None:
        """Hang up, whatever is under way; what waits for an answer fails."""
        if not self._over:
            self._over = True
            if self._line is not None:
                self._line.close()

    def _ended(self) -> None:
        self.abort()
        self.lost()


class _Cursor(txpostgres.Cursor):  # type: ignore[misc]  # txpostgres has no annotations
    """A cursor of txpostgres that tells what it was told."""

    def _handleCancellation(self, failure: Failure) -> Failure:
        """A statement that the server ended for taking too long was cancelled by nobody here."""
        return failure


class _Line(txpostgres.Connection):  # type: ignore[misc]  # txpostgres has no annotations
    """A connection of txpostgres that leaves nothing to the log."""

    cursorFactory = _Cursor

    def __init__(self, reactor: Any, ended: Callable[[], object], heard: Callable[[str, str], object]) -> None:
        super().__init__(reactor)
        self._ended = ended
        self._heard = heard

    def continuePolling(self, swallowErrors: bool = False) -> None:
        """Go on, and end if nobody waits whom an error could be told."""
        try:
            super().continuePolling()
        except (psycopg2.Error, txpostgres.UnexpectedPollResult):
            self._ended()

    def checkForNotifies(self) -> None:
        """Hand on what was notified, at once and in order."""
        notified = self.pollable().notifies[:]
        del self.pollable().notifies[:]
        for notification in notified:
            self._heard(notification.channel, notification.payload)

    def close(self) -> None:
        """Hang up. What reads or writes for a statement goes first: not every reactor finds it by its number after."""
        for cursor in self._cursors:
            self.reactor.removeReader(cursor)
            self.reactor.removeWriter(cursor)
        super().close()
