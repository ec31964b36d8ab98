"""Responsible for the default store: everything in one SQLite file.

Tests: ``tests/store/test_sqlite.py``, ``tests/contracts/store.py``
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from dsmr_tw.domain.reading import Arrival, Facts, Origin, Receipt
from dsmr_tw.interfaces import IReadings, IStore
from dsmr_tw.lasting import make_directory
from dsmr_tw.store.accounts import Accounts
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.copying import COPYING, unfinished
from dsmr_tw.store.migrate import migrate_sqlite, migrations
from dsmr_tw.store.readings import SqlLists, SqlPorts
from dsmr_tw.store.sqlite_batch import Batch, Ids
from dsmr_tw.store.sqlite_database import SqliteDatabase, translated

_log = Logger()


@implementer(IReadings)
@define
class SqliteReadings(SqlLists):
    """Readings in SQLite."""

    database: SqliteDatabase
    zone: str
    _accounts: Accounts | None = None
    _ids: Ids | None = None
    _newest_values: dict[int, tuple[int, int, int]] = field(factory=dict)
    _minutes_held: dict[int, int] = field(factory=dict)
    _facts_held: dict[int, Facts] = field(factory=dict)
    _known_as_of: tuple[Connection, int, int] | None = None

    def add(self, groups: Sequence[Sequence[Arrival]], now: int) -> Deferred[list[list[Receipt]]]:
        """See ``IReadings``."""
        return self.database.write(self._add, groups, now)

    def own_meter(self, connection: Connection, origin: Origin) -> int:
        """The meter of an origin; inside a write."""
        return self._known(connection)[0].own_meter(origin)

    def begin(self, connection: Connection) -> None:
        """Open the first meter of an empty database; inside a write."""
        self._known(connection)

    def _add(self, connection: Connection, groups: Sequence[Sequence[Arrival]], now: int) -> list[list[Receipt]]:
        accounts, ids = self._known(connection)
        batch = Batch(connection, accounts, ids, self._newest_values, self._minutes_held, self._facts_held, now)
        receipts = [batch.add(group) for group in groups]
        batch.finish()
        return receipts

    def _known(self, connection: Connection) -> tuple[Accounts, Ids]:
        """What is kept in memory; read again after a failed write, and when another program wrote to the file."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        as_of = (connection, version, self.database.disturbed)
        if self._accounts is None or self._ids is None or self._known_as_of != as_of:
            self._accounts, self._ids = Accounts(connection, self.zone), Ids(connection)
            self._accounts.load()
            self._ids.load()
            self._newest_values.clear()
            self._minutes_held.clear()
            self._facts_held.clear()
            self._known_as_of = as_of
        return self._accounts, self._ids


@implementer(IStore)
@define
class SqliteStore(SqlPorts):
    """Everything that stays, in one SQLite file."""

    kind = "sqlite"
    database: SqliteDatabase
    readings: SqliteReadings
    takes_unfinished: bool = field(default=False, kw_only=True)
    """Whether a copy that is not finished may be opened: by who goes on with it."""

    def open(self) -> Deferred[None]:
        """See ``IStore``."""
        return self.database.write_runner(self._open).addCallback(lambda _: self.database.write(self.readings.begin))

    def close(self) -> Deferred[None]:
        """See ``IStore``."""
        return self.database.write_runner(self.database.close)

    def _open(self) -> None:
        path = self.database.path
        with translated(path):
            make_directory(path.parent)
            begun = self.database.writer().execute("SELECT 1 FROM sqlite_master WHERE name = ?", (COPYING,)).fetchone()
            if begun is not None and not self.takes_unfinished:
                raise unfinished(str(path))
            backup = migrate_sqlite(self.database.writer(), path, migrations("sqlite"))
        if backup is not None:
            _log.info("schema brought up to date; the database as it was is in {backup}", backup=str(backup))
