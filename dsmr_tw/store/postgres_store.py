"""Responsible for the store of a PostgreSQL server, which any number of programs may use at the same time.

Readings are committed by ``commit``: on the reactor in a server, at once in a command.  All else is done in threads, by
what both databases share.

Tests: ``tests/store/test_postgres_store.py``, ``tests/contracts/store.py``
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from itertools import chain
from typing import Any, Final, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from dsmr_tw.domain.reading import MINUTE, Arrival, Receipt
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import IReadings, IStore
from dsmr_tw.store.accounts import Accounts, Recalled
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.copying import COPYING, unfinished
from dsmr_tw.store.migrate import migrate_postgres, migrations
from dsmr_tw.store.postgres_batch import Memory, Outdated, PostgresBatch, Run, check
from dsmr_tw.store.postgres_database import PostgresDatabase
from dsmr_tw.store.postgres_statements import CHANGES
from dsmr_tw.store.readings import SqlLists, SqlPorts

T = TypeVar("T")

TRIES: Final = 20
"""So often a batch is begun anew because others changed accounts meanwhile, or got in its way."""

SEEN_EVERY: Final = 4 * MINUTE
"""See ``Accounts``: seldom, since it is a write for each meter, to a table that every node of a cluster holds."""

CLASHES: Final = ("40001", "40P01")
"""The server's words for a serialization failure and a deadlock."""

Changes = tuple[int, int, int]
"""See ``Memory.changes``."""

Learned = tuple[Accounts, Changes]
"""Accounts, and what ``changed`` counted when they were read."""


class Commit(Protocol):
    """How a batch is committed."""

    def __call__(self, work: Callable[[Run], Coroutine[Any, Any, T]], /) -> Deferred[T]:
        """Run the work inside a transaction; fires with its result after the commit."""


@implementer(IReadings)
@define
class PostgresReadings(SqlLists):
    """Readings in PostgreSQL."""

    database: PostgresDatabase
    zone: str
    """The zone of meters that are opened here."""
    commit: Commit
    teller: str
    """Who tells others of what was stored, and need not be told."""
    is_open: bool = True
    """Whether the schema is there: readings are not written, nor refused, before it was looked at."""
    _memory: Memory | None = None

    def add(self, groups: Sequence[Sequence[Arrival]], now: int) -> Deferred[list[list[Receipt]]]:
        """See ``IReadings``."""
        if not self.is_open:
            return fail(StoreUnavailable("the database was not opened yet"))
        return Deferred.fromCoroutine(self._add(groups, now))

    def begin(self, connection: Connection) -> None:
        """Open the first meter of an empty database; inside a write."""
        connection.hold_all()
        Accounts(connection, self.zone).load()

    async def _add(self, groups: Sequence[Sequence[Arrival]], now: int) -> list[list[Receipt]]:
        arrivals = list(chain.from_iterable(groups))
        for tries in range(TRIES):
            memory, recalled = await self._recall(arrivals)
            batch = PostgresBatch(memory, groups, recalled, now, self.teller)
            # Should it fail, what it took to be stored is not.
            self._memory = None
            try:
                receipts = await self.commit(batch.write)
            except Outdated:
                continue
            except StoreUnavailable as error:
                if not _is_clash(error) or tries + 1 == TRIES:
                    raise
            else:
                batch.remember()
                self._memory = memory
                return receipts
        raise StoreUnavailable("other programs change the accounts all the time")

    async def _recall(self, arrivals: Sequence[Arrival]) -> tuple[Memory, list[Recalled]]:
        """Whose the arrivals are, from memory, else from the database; what is new is stored."""
        recalled = _all(self._memory, arrivals)
        if recalled is None:
            self._take(*await self.database.read(self._learn, arrivals))
            recalled = _all(self._memory, arrivals)
        if recalled is None:
            for arrival in arrivals:
                check(arrival)
            before, learned = await self.database.write(self._settle, arrivals, self._memory)
            if self._memory is not None and self._memory.changes == before:
                self._memory.changes = learned[1]
            self._take(*learned)
            recalled = _all(self._memory, arrivals)
        if self._memory is None or recalled is None:
            raise StoreUnavailable("whose the readings are could not be settled")
        return self._memory, recalled

    def _take(self, accounts: Accounts, changes: Changes) -> None:
        """Remember what was learned, and forget what is older."""
        if self._memory is not None and self._memory.changes == changes:
            self._memory.accounts.merge(accounts)
        else:
            self._memory = Memory(accounts, changes)

    def _learn(self, connection: Connection, arrivals: Sequence[Arrival]) -> Learned:
        accounts = Accounts(connection, self.zone, SEEN_EVERY)
        accounts.learn(arrivals)
        return accounts, _changes(connection)

    def _settle(
        self, connection: Connection, arrivals: Sequence[Arrival], memory: Memory | None
    ) -> tuple[Changes, Learned]:
        """Decide whose the arrivals are, and store what is new."""
        before = _changes(connection)
        connection.hold_all()
        accounts, changes = self._learn(connection, arrivals)
        if memory is not None:
            accounts.hear_of(memory.accounts)
        for arrival in arrivals:
            meter_id, _ = accounts.meter_of(arrival)
            for device in arrival.devices:
                accounts.device(meter_id, device, arrival.received_at)
        if (changes[0] - 1, changes[1] - 1, changes[2]) != before:
            # Somebody else changed something before we held all.
            before = (0, 0, 0)
        return before, (accounts, changes)


@implementer(IStore)
@define
class PostgresStore(SqlPorts):
    """Everything that stays, on a PostgreSQL server."""

    kind = "postgresql"
    database: PostgresDatabase
    readings: PostgresReadings
    takes_unfinished: bool = field(default=False, kw_only=True)
    """Whether a copy that is not finished may be opened: by who goes on with it."""

    def open(self) -> Deferred[None]:
        """See ``IStore``."""
        return self.database.write(self._migrate).addCallback(lambda _: self.database.write(self._begin))

    def close(self) -> Deferred[None]:
        """See ``IStore``."""
        return self.database.write_runner(self.database.close)

    def _migrate(self, connection: Connection) -> None:
        (begun,) = connection.execute("SELECT to_regclass(?) IS NOT NULL", (COPYING,)).fetchone()
        if begun and not self.takes_unfinished:
            raise unfinished("The PostgreSQL database")
        migrate_postgres(connection, migrations("postgresql"))

    def _begin(self, connection: Connection) -> None:
        if connection.execute("SELECT 1 FROM meter LIMIT 1").fetchone() is None:
            self.readings.begin(connection)


def _all(memory: Memory | None, arrivals: Sequence[Arrival]) -> list[Recalled] | None:
    """Whose all of the arrivals are; ``None`` when that is not known of one."""
    if memory is None:
        return None
    recalled = []
    for arrival in arrivals:
        of = memory.accounts.recall(arrival)
        if of is None:
            return None
        recalled.append(of)
    return recalled


def _is_clash(error: StoreUnavailable) -> bool:
    """Whether two programs got in each other's way, and the server chose one to give way."""
    return getattr(error.__cause__, "pgcode", None) in CLASHES


def _changes(connection: Connection) -> Changes:
    found: Changes | None = connection.execute(f"SELECT {CHANGES} FROM changed").fetchone()
    if found is None:
        # As in the midst of a dump that is being put back.
        raise StoreUnavailable("the database is not whole")
    return found
