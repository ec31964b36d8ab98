"""Responsible for what the ledger adds up to, for whoever asks.

Tests: ``tests/store/test_statistics.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.spans import SpanKind, Total
from dsmr_tw.interfaces import IStatistics
from dsmr_tw.store import days, spans
from dsmr_tw.store.connection import Connection, Database
from dsmr_tw.store.totals import between
from dsmr_tw.stored import DaySum, SpanFilter, SpanPage

LISTS: Final = {
    SpanKind.QUARTER: spans.quarters,
    SpanKind.HOUR: spans.hours,
    SpanKind.DAY: days.days,
    SpanKind.MONTH: days.months,
    SpanKind.YEAR: days.months,
}
"""How each kind of span is listed."""


@implementer(IStatistics)
@define
class SqlStatistics:
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


def _sums(connection: Connection, meter_id: int, stretches: Sequence[tuple[int, int]]) -> list[DaySum]:
    return [days.total(connection, meter_id, start, end) for start, end in stretches]
