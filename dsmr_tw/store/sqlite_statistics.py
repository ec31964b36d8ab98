"""Responsible for what the ledger in SQLite adds up to, for whoever asks.

Tests: ``tests/store/test_sqlite_statistics.py``
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.spans import SpanKind, Total
from dsmr_tw.interfaces import IStatistics
from dsmr_tw.store import sqlite_days, sqlite_spans
from dsmr_tw.store.sqlite_database import Database
from dsmr_tw.store.sqlite_totals import between
from dsmr_tw.stored import DaySum, SpanFilter, SpanPage

LISTS: Final = {
    SpanKind.QUARTER: sqlite_spans.quarters,
    SpanKind.HOUR: sqlite_spans.hours,
    SpanKind.DAY: sqlite_days.days,
    SpanKind.MONTH: sqlite_days.months,
    SpanKind.YEAR: sqlite_days.months,
}
"""How each kind of span is listed."""


@implementer(IStatistics)
@define
class SqliteStatistics:
    """See ``IStatistics``."""

    database: Database

    def page(self, wanted: SpanFilter, descending: bool, offset: int, limit: int) -> Deferred[SpanPage]:
        """See ``IStatistics``."""
        return self.database.read(LISTS[wanted.kind], wanted, descending, offset, limit)

    def sums(self, meter_id: int, stretches: Sequence[tuple[int, int]]) -> Deferred[list[DaySum]]:
        """See ``IStatistics``."""
        return self.database.read(_sums, meter_id, stretches)

    def total(self, meter_id: int, start: int, end: int, now: int) -> Deferred[Total | None]:
        """See ``IStatistics``."""
        return self.database.read(between, meter_id, start, end, now)


def _sums(connection: sqlite3.Connection, meter_id: int, stretches: Sequence[tuple[int, int]]) -> list[DaySum]:
    return [sqlite_days.total(connection, meter_id, start, end) for start, end in stretches]
