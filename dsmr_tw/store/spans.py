"""Responsible for reading lists of quarters and of hours and for the counts that make them cheap.

``row_count`` knows how many quarters and how many hours each day holds, so a page is found as one of readings is; see
``dsmr_tw.store.ranks``.
Hours appear in their table when they are closed; of the ledger's quarters those that are not closed yet are left out.

Tests: ``tests/store/test_statistics.py``
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from dsmr_tw.domain.reading import DAY, HOUR
from dsmr_tw.domain.spans import QUARTER, Amounts, SpanRow
from dsmr_tw.store.closing import horizon
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.ends import Ends, GasQuarter, estimated, gas_quarters, gas_since
from dsmr_tw.store.ranks import Counts, Ranks
from dsmr_tw.stored import SpanFilter, SpanPage

Row: TypeAlias = tuple[Any, ...]


@frozen
class Table:
    """A table of spans that are counted."""

    name: str
    minutes: int
    """Of each span."""
    columns: str
    """What is read of a row, its instant first."""

    @property
    def counted(self) -> tuple[Counts, ...]:
        """How many of its rows each day holds."""
        return (Counts(DAY, "rows", f"row_count WHERE meter_id = ? AND minutes = {self.minutes}"),)


QUARTERS: Final = Table(
    "quarter", 15, "instant, delivered_1, returned_1, delivered_2, returned_2, start_estimated, end_estimated"
)
HOURS: Final = Table(
    "hour_statistics", 60, "instant, delivered_1, returned_1, delivered_2, returned_2, gas, estimated, gas_estimated"
)


def hours(connection: Connection, wanted: SpanFilter, descending: bool, offset: int, limit: int) -> SpanPage:
    """One page of a list of hours; see ``IStatistics.page``."""
    count, rows = _page(connection, HOURS, wanted, descending, offset, limit)
    return SpanPage(
        count,
        [
            SpanRow(at, at + HOUR, Amounts(*amounts), bool(ends_in_gap), bool(gas_ends_in_gap))
            for at, *amounts, ends_in_gap, gas_ends_in_gap in rows
        ],
    )


def quarters(connection: Connection, wanted: SpanFilter, descending: bool, offset: int, limit: int) -> SpanPage:
    """One page of a list of closed quarters; see ``IStatistics.page``."""
    closed_until = horizon(connection, wanted.meter_id)
    if closed_until is None:
        return SpanPage(0, [])
    newest = (closed_until if wanted.now is None else min(closed_until, wanted.now)) - QUARTER
    wanted = evolve(wanted, end=newest if wanted.end is None else min(wanted.end, newest))
    count, rows = _page(connection, QUARTERS, wanted, descending, offset, limit)
    if not rows:
        return SpanPage(count, [])
    first, last = sorted((rows[0][0], rows[-1][0]))
    gas, since = gas_quarters(connection, wanted.meter_id, first, last), gas_since(connection, wanted.meter_id)
    return SpanPage(count, [_quarter(row, gas.get(row[0]), since) for row in rows])


def recount(connection: Connection, meter_id: int, start: int, end: int) -> None:
    """Count the quarters and hours of the days (UTC) that touch a stretch anew; inside a write."""
    first, last = start - start % DAY, end + -end % DAY
    connection.execute(
        "DELETE FROM row_count WHERE meter_id = ? AND minutes IN (?, ?) AND instant >= ? AND instant < ?",
        (meter_id, QUARTERS.minutes, HOURS.minutes, first, last),
    )
    for table in (QUARTERS, HOURS):
        connection.execute(
            f"INSERT INTO row_count SELECT ?1, ?2, instant - (instant - ?3) % {DAY} AS day, count(*)"
            f" FROM {table.name} WHERE meter_id = ?1 AND instant >= ?3 AND instant < ?4 GROUP BY day",
            (meter_id, table.minutes, first, last),
        )


def _quarter(row: Row, gas: GasQuarter | None, gas_begins: int | None) -> SpanRow:
    at, delivered_1, returned_1, delivered_2, returned_2, start_estimated, end_estimated = row
    ends = Ends(bool(start_estimated), bool(end_estimated))
    amount: int | None = None
    gas_estimated = False
    if gas_begins is not None and gas_begins <= at:
        amount, gas_ends = (0, None) if gas is None else (gas.amount, gas.ends)
        gas_estimated = estimated(gas_ends, gas_ends)
    amounts = Amounts(delivered_1, returned_1, delivered_2, returned_2, amount)
    return SpanRow(at, at + QUARTER, amounts, estimated(ends, ends), gas_estimated)


def _page(
    connection: Connection, table: Table, wanted: SpanFilter, descending: bool, offset: int, limit: int
) -> tuple[int, list[Row]]:
    """How many rows the list has, and those of a page."""
    meter_id = wanted.meter_id
    ranks = Ranks(connection, (meter_id,), table.counted, partial(_between, connection, table, meter_id))
    cut = ranks.cut(wanted.start, wanted.end, descending, offset, limit)
    if cut.rows <= 0:
        return cut.count, []
    day, skip = ranks.place(cut)
    rows = connection.execute(
        f"SELECT {table.columns} FROM {table.name} WHERE meter_id = ? AND instant >= ?"
        " ORDER BY instant LIMIT ? OFFSET ?",
        (meter_id, day, cut.rows, skip),
    ).fetchall()
    if descending:
        rows.reverse()
    return cut.count, rows


def _between(connection: Connection, table: Table, meter_id: int, start: int, end: int) -> int:
    """How many rows lie from ``start`` up to before ``end``."""
    (rows,) = connection.execute(
        f"SELECT count(*) FROM {table.name} WHERE meter_id = ? AND instant >= ? AND instant < ?",
        (meter_id, start, end),
    ).fetchone()
    return int(rows)
