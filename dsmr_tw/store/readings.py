"""Responsible for the lists of readings, and for gathering the ports of a store that speaks SQL.

Tests: ``tests/contracts/store.py``
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from attrs import define, field
from twisted.internet.defer import Deferred

from dsmr_tw.domain.reading import Origin
from dsmr_tw.interfaces import (
    IContracts,
    IFacts,
    IKeys,
    ILedger,
    IMeters,
    IReadings,
    IRetention,
    IStatistics,
    ITemperatures,
)
from dsmr_tw.store import devices, minutes, pages
from dsmr_tw.store.connection import Connection, Database
from dsmr_tw.store.contracts import SqlContracts
from dsmr_tw.store.facts import SqlFacts
from dsmr_tw.store.keys import SqlKeys
from dsmr_tw.store.ledger import SqlLedger
from dsmr_tw.store.meters import SqlMeters
from dsmr_tw.store.statistics import SqlStatistics
from dsmr_tw.store.temperatures import SqlTemperatures
from dsmr_tw.store.thinning import SqlRetention
from dsmr_tw.stored import DevicePage, Live, MinutePage, ReadingFilter, ReadingPage


@define
class SqlLists:
    """The part of ``IReadings`` that reads."""

    database: Database

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

    def device(
        self, wanted: ReadingFilter, equipment_id: int, descending: bool, offset: int, limit: int
    ) -> Deferred[DevicePage]:
        """See ``IReadings``."""
        return self.database.read(devices.page_of, wanted, equipment_id, descending, offset, limit)

    def total(self) -> Deferred[int]:
        """See ``IReadings``."""
        # By the writer, so that it stands in line with the commits.
        return self.database.write(pages.total)

    def live(self, meter_id: int, until: int) -> Deferred[Live | None]:
        """See ``IReadings``."""
        return self.database.read(pages.live, meter_id, until)


@define
class SqlPorts:
    """Everything that stays, gathered; a store is this with ``kind``, ``open`` and ``close``."""

    database: Database
    readings: IReadings
    own_meter: Callable[[Connection, Origin], int]
    """The meter of an origin, inside a write."""
    meters: IMeters = field(init=False)
    keys: IKeys = field(init=False)
    statistics: IStatistics = field(init=False)
    facts: IFacts = field(init=False)
    ledger: ILedger = field(init=False)
    retention: IRetention = field(init=False)
    contracts: IContracts = field(init=False)
    temperatures: ITemperatures = field(init=False)

    def watch(self, stored: Callable[[Collection[int] | None], object], keys: Callable[[], object]) -> None:
        """See ``IStore``."""

    def __attrs_post_init__(self) -> None:
        self.meters = SqlMeters(self.database, self.own_meter)
        self.keys = SqlKeys(self.database)
        self.statistics = SqlStatistics(self.database)
        self.facts = SqlFacts(self.database)
        self.ledger = SqlLedger(self.database)
        self.retention = SqlRetention(self.database)
        self.contracts = SqlContracts(self.database)
        self.temperatures = SqlTemperatures(self.database)
