"""Responsible for transactions on one connection to PostgreSQL, one after the other.

Whoever asks while one is under way waits for its turn. A transaction is done whether or not who asked still waits:
cancelling its Deferred cancels nothing on the server.

A wire mends itself. When its connection is gone, the next transaction makes a new one; while that fails it is tried
again at most every ``retry`` seconds, and what is asked in between fails at once, for the last reason.
A server that does not answer within ``patience`` counts as away, and then nobody in the queue waits for it again.
When a connection ends during a COMMIT, nobody knows whether the transaction is stored: who gets ``StoreUnavailable``
repeats what may safely be done twice.

Tests: ``tests/store/test_postgres_wire.py``
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from dsmr_tw.errors import StoreError, StoreUnavailable
from dsmr_tw.store.connection import Row
from dsmr_tw.store.postgres import PATIENCE_S, Dsn, Link, shielded

T = TypeVar("T")

RETRY_S: Final = 2.0

BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED; "

Run: TypeAlias = Callable[..., "Deferred[list[Row]]"]
"""``run(sql, parameters=()) -> Deferred``: a statement inside the transaction; fires with the rows that it found."""


@define(eq=False)
class Wire:
    """Transactions on one connection."""

    place: Dsn

    reactor: Any

    clock: IReactorTime

    patience: float = PATIENCE_S
    """Seconds that connecting, or a transaction, may take."""

    retry: float = RETRY_S
    """Seconds after a failed attempt to connect in which there is no other."""

    connections: int = field(default=0, init=False)
    """How many were made so far."""

    _link: Link | None = field(default=None, init=False)
    _reason: StoreUnavailable | None = field(default=None, init=False)
    """Why there is no connection."""
    _again_at: float = field(default=0.0, init=False)
    _waiting: deque[tuple[Callable[[], Coroutine[Deferred[Any], Any, Any]], Deferred[Any]]] = field(
        factory=deque, init=False
    )
    _working: Deferred[None] | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    def transaction(self, function: Callable[[Run], Coroutine[Deferred[Any], Any, T]]) -> Deferred[T]:
        """Run ``function(run)`` between BEGIN and COMMIT, or ROLLBACK if it raises; fires with its result."""
        return self._queued(lambda: self._transact(function))

    def statement(self, sql: str, parameters: Sequence[Any] = ()) -> Deferred[list[Row]]:
        """Run one statement as a transaction of its own, in one round trip; fires with the rows that it found."""
        return self._queued(lambda: self._state(sql, parameters))

    async def close(self) -> None:
        """Take nothing more, and hang up when what was asked before is done, or patience is at its end."""
        self._closed = True
        if self._working is not None:
            await shielded(self._working).addTimeout(self.patience, self.clock, onTimeoutCancel=self._break_off)
        if self._link is not None:
            self._link.abort()

    def _break_off(self, cancelled: object, seconds: float) -> None:
        while self._waiting:
            self._waiting.popleft()[1].errback(self._unavailable("closed before this was done"))

    def _unavailable(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"{self.place.name}: {why}")

    def _queued(self, work: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        if self._closed:
            done.errback(self._unavailable("the connection is closed"))
            return done
        self._waiting.append((work, done))
        if self._working is None:
            working = self._working = Deferred()
            Deferred.fromCoroutine(self._work()).addBoth(working.callback)
        return done

    async def _work(self) -> None:
        """Do what waits. A lock's queue would nest each turn in the one before, as deep as the queue is long."""
        while self._waiting:
            work, done = self._waiting.popleft()
            await Deferred.fromCoroutine(work()).addBoth(done.callback)
        self._working = None

    async def _transact(self, function: Callable[[Run], Coroutine[Deferred[Any], Any, T]]) -> T:
        link = await self._connected()
        return await self._watched(link, Transaction(link).through(function))

    async def _state(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        link = await self._connected()
        return await self._watched(link, found(link, sql, parameters))

    async def _watched(self, link: Link, work: Coroutine[Deferred[Any], Any, T]) -> T:
        try:
            return await link.within_patience(work)
        except StoreUnavailable as error:
            if link.froze:
                self._failed(error)
            raise

    async def _connected(self) -> Link:
        if self._link is not None and self._link.alive:
            return self._link
        if self._reason is not None and self.clock.seconds() < self._again_at:
            raise StoreUnavailable(*self._reason.args)
        link = self._link = Link(self.place, self.reactor, self.clock, self.patience)
        try:
            await link.within_patience(link.open())
        except StoreUnavailable as error:
            link.abort()
            self._failed(error)
            raise
        self._reason = None
        self.connections += 1
        return link

    def _failed(self, reason: StoreUnavailable) -> None:
        self._reason, self._again_at = reason, self.clock.seconds() + self.retry


@define(eq=False)
class Transaction:
    """One transaction; it begins with its first statement, in the same round trip."""

    link: Link

    async def through(self, function: Callable[[Run], Coroutine[Deferred[Any], Any, T]]) -> T:
        """Run the function from the beginning to COMMIT or ROLLBACK."""
        try:
            result = await function(self.run)
            await self._commit()
        except BaseException:
            await self._roll_back()
            raise
        return result

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Deferred[list[Row]]:
        """Run a statement; fires with the rows that it found. Cancelling it cancels nothing on the server."""
        begin = "" if self.link.in_transaction else BEGIN
        return shielded(Deferred.fromCoroutine(found(self.link, begin + sql, parameters)))

    async def _commit(self) -> None:
        if not self.link.alive:
            raise StoreUnavailable(f"{self.link.place.name}: the connection was lost")
        if self.link.in_transaction and (await self.link.execute("COMMIT")).statusmessage != "COMMIT":
            # The server answers so when a statement had failed, and whoever ran it went on regardless.
            raise StoreError(f"{self.link.place.name}: rolled back, since one of the statements had failed")

    async def _roll_back(self) -> None:
        if self.link.in_transaction:
            try:
                await self.link.execute("ROLLBACK")
            except StoreUnavailable:
                self.link.abort()


async def found(link: Link, sql: str, parameters: Sequence[Any]) -> list[Row]:
    """The rows that a statement finds; none when it is not one that finds rows."""
    cursor = await link.execute(sql, parameters)
    rows: list[Row] = cursor.fetchall() if cursor.description else []
    return rows
