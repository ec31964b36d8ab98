"""Responsible for what meters date themselves: the peak of each month, and long power failures.

A meter has twelve peaks a year and a few failures: rows are counted, and passed over, in next to no time.

Tests: ``tests/contracts/facts.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT
from dsmr_tw.domain.reading import MonthPeak
from dsmr_tw.interfaces import IFacts
from dsmr_tw.store.connection import Connection, Database, Row
from dsmr_tw.stored import Event, EventPage, PeakPage, ReadingFilter

POWER_FAILURE: Final = "power failure"
"""The kind of event that meters date; sags and swells they only count."""

HIGHER: Final = """
    ON CONFLICT (meter_id, instant) DO UPDATE SET quarter_at = excluded.quarter_at, power = excluded.power
    WHERE excluded.power > peak.power OR (excluded.power = peak.power AND excluded.quarter_at < peak.quarter_at)"""
"""Of two peaks of a month the one stays that ``dsmr_tw.domain.facts.is_higher`` says."""

PEAKS: Final = "FROM peak WHERE meter_id = ? AND instant >= ? AND instant <= ?"
EVENTS: Final = "FROM event WHERE meter_id = ? AND instant >= ? AND instant <= ?"


@implementer(IFacts)
@define
class SqlFacts:
    """See ``IFacts``."""

    database: Database

    def peaks(self, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[PeakPage]:
        """See ``IFacts``."""
        return self.database.read(_peaks, wanted, descending, offset, limit)

    def events(self, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[EventPage]:
        """See ``IFacts``."""
        return self.database.read(_events, wanted, descending, offset, limit)


def _peaks(connection: Connection, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> PeakPage:
    order = "instant DESC" if descending else "instant"
    count, rows = _page(connection, "instant, quarter_at, power", PEAKS, order, wanted, offset, limit)
    return PeakPage(count, [MonthPeak(*row) for row in rows])


def _events(connection: Connection, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> EventPage:
    order = "instant DESC, kind DESC" if descending else "instant, kind"
    count, rows = _page(connection, "instant, kind, seconds", EVENTS, order, wanted, offset, limit)
    return EventPage(count, [Event(*row) for row in rows])


def _page(
    connection: Connection, columns: str, source: str, order: str, wanted: ReadingFilter, offset: int, limit: int
) -> tuple[int, list[Row]]:
    """How many rows a list has, and those of a page."""
    span = (
        FIRST_INSTANT if wanted.start is None else wanted.start,
        LAST_INSTANT if wanted.end is None else wanted.end,
    )
    (count,) = connection.execute(f"SELECT count(*) {source}", (wanted.meter_id, *span)).fetchone()
    rows = connection.execute(
        f"SELECT {columns} {source} ORDER BY {order} LIMIT ? OFFSET ?", (wanted.meter_id, *span, limit, offset)
    )
    return count, rows.fetchall()
