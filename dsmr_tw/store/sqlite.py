"""Responsible for the default store: everything in one SQLite file.

Tests: ``tests/store/test_sqlite.py``, ``tests/contracts/store.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from dsmr_tw.domain.reading import Arrival, Origin, Receipt
from dsmr_tw.interfaces import (
    IContracts,
    IKeys,
    ILedger,
    IMeters,
    IReadings,
    IRetention,
    IStatistics,
    IStore,
    ITemperatures,
)
from dsmr_tw.store import devices, minutes, pages
from dsmr_tw.store.accounts import Accounts
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.contracts import SqlContracts
from dsmr_tw.store.keys import SqlKeys
from dsmr_tw.store.ledger import SqlLedger
from dsmr_tw.store.meters import SqlMeters
from dsmr_tw.store.migrate import migrate_sqlite, migrations
from dsmr_tw.store.sqlite_batch import Batch, Ids
from dsmr_tw.store.sqlite_database import SqliteDatabase, translated
from dsmr_tw.store.statistics import SqlStatistics
from dsmr_tw.store.temperatures import SqlTemperatures
from dsmr_tw.store.thinning import SqlRetention
from dsmr_tw.stored import DevicePage, Live, MinutePage, ReadingFilter, ReadingPage

_log = Logger()


@implementer(IReadings)
@define
class SqliteReadings:
    """Readings in SQLite."""

    database: SqliteDatabase
    zone: str
    _accounts: Accounts | None = None
    _ids: Ids | None = None
    _newest_values: dict[int, tuple[int, int, int]] = field(factory=dict)
    _minutes_held: dict[int, int] = field(factory=dict)
    _known_as_of: tuple[Connection, int, int] | None = None

    def add(self, groups: Sequence[Sequence[Arrival]], now: int) -> Deferred[list[list[Receipt]]]:
        """See ``IReadings``."""
        return self.database.write(self._add, groups, now)

    def page(self, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[ReadingPage]:
        """See ``IReadings``."""
        return self.database.read(pages.page, wanted, descending, offset, limit)

    def minutes(self, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[MinutePage]:
        """See ``IReadings``."""
        return self.database.read(minutes.page, wanted, descending, offset, limit)

    def devices(
        self, wanted: ReadingFilter, device_type: int, descending: bool, offset: int, limit: int
    ) -> Deferred[DevicePage]:
        """See ``IReadings``."""
        return self.database.read(devices.page, wanted, device_type, descending, offset, limit)

    def total(self) -> Deferred[int]:
        """See ``IReadings``."""
        # By the writer, so that it stands in line with the commits.
        return self.database.write(pages.total)

    def live(self, meter_id: int, until: int) -> Deferred[Live | None]:
        """See ``IReadings``."""
        return self.database.read(pages.live, meter_id, until)

    def own_meter(self, connection: Connection, origin: Origin) -> int:
        """The meter of an origin; inside a write."""
        return self._known(connection)[0].own_meter(origin)

    def begin(self, connection: Connection) -> None:
        """Open the first meter of an empty database; inside a write."""
        self._known(connection)

    def _add(self, connection: Connection, groups: Sequence[Sequence[Arrival]], now: int) -> list[list[Receipt]]:
        accounts, ids = self._known(connection)
        batch = Batch(connection, accounts, ids, self._newest_values, self._minutes_held, now)
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
            self._known_as_of = as_of
        return self._accounts, self._ids


@implementer(IStore)
@define
class SqliteStore:
    """Everything that stays, in one SQLite file."""

    kind = "sqlite"
    database: SqliteDatabase
    zone: str
    """The zone of meters that are opened here."""
    readings: IReadings = field(init=False)
    meters: IMeters = field(init=False)
    keys: IKeys = field(init=False)
    statistics: IStatistics = field(init=False)
    ledger: ILedger = field(init=False)
    retention: IRetention = field(init=False)
    contracts: IContracts = field(init=False)
    temperatures: ITemperatures = field(init=False)
    _begin: Callable[[Connection], None] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        readings = SqliteReadings(self.database, self.zone)
        self.readings = readings
        self._begin = readings.begin
        self.meters = SqlMeters(self.database, readings.own_meter)
        self.keys = SqlKeys(self.database)
        self.statistics = SqlStatistics(self.database)
        self.ledger = SqlLedger(self.database)
        self.retention = SqlRetention(self.database)
        self.contracts = SqlContracts(self.database)
        self.temperatures = SqlTemperatures(self.database)

    def open(self) -> Deferred[None]:
        """See ``IStore``."""
        return self.database.write_runner(self._open).addCallback(lambda _: self.database.write(self._begin))

    def close(self) -> Deferred[None]:
        """See ``IStore``."""
        return self.database.write_runner(self.database.close)

    def _open(self) -> None:
        path = self.database.path
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            backup = migrate_sqlite(self.database.writer(), path, migrations("sqlite"))
        if backup is not None:
            _log.info("schema brought up to date; the database as it was is in {backup}", backup=str(backup))
