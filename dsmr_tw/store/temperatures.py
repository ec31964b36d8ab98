"""Responsible for the temperatures.

The table has a row for an hour, or for a quarter of one, and nothing more: ten years of them are counted and passed
over in a few milliseconds, from whichever end is nearer.

Tests: ``tests/contracts/temperatures.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import astuple, define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT
from dsmr_tw.domain.temperature import Temperature, TemperatureSummary, summary
from dsmr_tw.interfaces import ITemperatures
from dsmr_tw.store.connection import Connection, Database
from dsmr_tw.stored import TemperaturePage

PUT: Final = """
    INSERT INTO temperature (instant, tenths_celsius) VALUES {rows}
    ON CONFLICT (instant) DO UPDATE SET tenths_celsius = excluded.tenths_celsius
    WHERE temperature.tenths_celsius <> excluded.tenths_celsius"""

AT_ONCE: Final = 500
"""Rows that are written by one statement."""

BETWEEN: Final = "FROM temperature WHERE instant >= ? AND instant <= ?"


@implementer(ITemperatures)
@define
class SqlTemperatures:
    """See ``ITemperatures``."""

    database: Database

    def add(self, temperatures: Sequence[Temperature]) -> Deferred[int]:
        """See ``ITemperatures``."""
        return self.database.write(_add, temperatures)

    def page(
        self, start: int | None, end: int | None, descending: bool, offset: int, limit: int
    ) -> Deferred[TemperaturePage]:
        """See ``ITemperatures``."""
        return self.database.read(_page, start, end, descending, offset, limit)

    def summaries(self, stretches: Sequence[tuple[int, int]]) -> Deferred[list[TemperatureSummary | None]]:
        """See ``ITemperatures``."""
        return self.database.read(_summaries, stretches)


def _add(connection: Connection, temperatures: Sequence[Temperature]) -> int:
    rows = [value for row in {given.at: astuple(given) for given in temperatures}.values() for value in row]
    changed = 0
    for index in range(0, len(rows), 2 * AT_ONCE):
        some = rows[index : index + 2 * AT_ONCE]
        changed += connection.execute(PUT.format(rows=", ".join(["(?, ?)"] * (len(some) // 2))), some).rowcount
    return changed


def _page(
    connection: Connection, start: int | None, end: int | None, descending: bool, offset: int, limit: int
) -> TemperaturePage:
    span = (FIRST_INSTANT if start is None else start, LAST_INSTANT if end is None else end)
    if start is None and end is None:
        # Of a whole table SQLite knows a way that is ten times as short.
        (count,) = connection.execute("SELECT count(*) FROM temperature").fetchone()
    else:
        (count,) = connection.execute(f"SELECT count(*) {BETWEEN}", span).fetchone()
    rows = max(0, min(limit, count - offset))
    if not rows:
        return TemperaturePage(count, [])
    behind = count - offset - rows
    backwards = behind < offset
    order = "DESC" if descending != backwards else "ASC"
    found = connection.execute(
        f"SELECT instant, tenths_celsius {BETWEEN} ORDER BY instant {order} LIMIT ? OFFSET ?",
        (*span, rows, behind if backwards else offset),
    )
    temperatures = [Temperature(*row) for row in found]
    if backwards:
        temperatures.reverse()
    return TemperaturePage(count, temperatures)


def _summaries(connection: Connection, stretches: Sequence[tuple[int, int]]) -> list[TemperatureSummary | None]:
    sums = "min(tenths_celsius), max(tenths_celsius), sum(tenths_celsius), count(*)"
    return [
        summary(*connection.execute(f"SELECT {sums} {BETWEEN}", (start, end - 1)).fetchone())
        for start, end in stretches
    ]
