"""Responsible for reading lists of days, months and years.

Ten years have no more days than a short walk takes, and months and years are made of days.

Tests: ``tests/store/test_days.py``
"""

from __future__ import annotations

from typing import Any, Final

from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.months import complete
from dsmr_tw.domain.spans import QUARTER, Amounts, FirstReadings, SpanRow
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.ends import electricity_ends, estimated, gas_ends
from dsmr_tw.store.ranks import EVER
from dsmr_tw.stored import DaySum, SpanFilter, SpanPage

FIRST_READINGS: Final = (
    "first_reading_at, delivered_1_position, returned_1_position, delivered_2_position, returned_2_position,"
    " first_gas_at, gas_position"
)
"""In the order of the fields of ``FirstReadings``."""

DAYS: Final = f"""
    SELECT instant, end_at, delivered_1, returned_1, delivered_2, returned_2, gas, estimated, gas_estimated,
        {FIRST_READINGS}
    FROM day_statistics WHERE meter_id = ? AND instant >= ? AND instant <= ?"""

FIRST_DAY: Final = f"""
    SELECT {FIRST_READINGS} FROM day_statistics WHERE meter_id = ? AND instant >= ? ORDER BY instant LIMIT 1"""

SUM: Final = """
    SELECT count(*), coalesce(sum(delivered_1), 0), coalesce(sum(returned_1), 0),
        coalesce(sum(delivered_2), 0), coalesce(sum(returned_2), 0), sum(gas)
    FROM day_statistics WHERE meter_id = ? AND instant >= ? AND instant < ?"""


def days(connection: Connection, wanted: SpanFilter, descending: bool, offset: int, limit: int) -> SpanPage:
    """One page of a list of days; see ``IStatistics.page``."""
    bounds = (wanted.meter_id, *_bounds(wanted))
    (count,) = connection.execute(
        "SELECT count(*) FROM day_statistics WHERE meter_id = ? AND instant >= ? AND instant <= ?", bounds
    ).fetchone()
    order = "DESC" if descending else "ASC"
    rows = connection.execute(f"{DAYS} ORDER BY instant {order} LIMIT ? OFFSET ?", (*bounds, limit, offset))
    return SpanPage(count, [_day(row) for row in rows])


def months(connection: Connection, wanted: SpanFilter, descending: bool, offset: int, limit: int) -> SpanPage:
    """One page of a list of months, or of years; see ``IStatistics.page``."""
    meter_id = wanted.meter_id
    # PostgreSQL gives rows as they lie, and days that were made anew lie behind the others.
    days_there = "SELECT instant FROM day_statistics WHERE meter_id = ? ORDER BY instant"
    starts = [at for (at,) in connection.execute(days_there, (meter_id,))]
    if not starts:
        return SpanPage(0, [])
    (zone,) = connection.execute("SELECT zone FROM meter WHERE id = ?", (meter_id,)).fetchone()
    first, last = _bounds(wanted)
    found = [span for span in complete(wanted.kind, starts, meter_zone(zone)) if first <= span[0] <= last]
    if descending:
        found.reverse()
    return SpanPage(
        len(found), [_month(connection, meter_id, start, end) for start, end in found[offset : offset + limit]]
    )


def total(connection: Connection, meter_id: int, start: int, end: int) -> DaySum:
    """What the closed days that begin in a stretch add up to."""
    number, *amounts = connection.execute(SUM, (meter_id, start, end)).fetchone()
    return DaySum(number, Amounts(*amounts))


def _bounds(wanted: SpanFilter) -> tuple[int, int]:
    """The first and the last start that a list may hold."""
    return -EVER if wanted.start is None else wanted.start, EVER if wanted.end is None else wanted.end


def _day(row: tuple[Any, ...]) -> SpanRow:
    start, end, delivered_1, returned_1, delivered_2, returned_2, gas, ends_in_gap, gas_ends_in_gap, *first = row
    amounts = Amounts(delivered_1, returned_1, delivered_2, returned_2, gas)
    return SpanRow(start, end, amounts, bool(ends_in_gap), bool(gas_ends_in_gap), FirstReadings(*first))


def _month(connection: Connection, meter_id: int, start: int, end: int) -> SpanRow:
    """The days of a month (a year) together."""
    amounts = total(connection, meter_id, start, end).amounts
    first, last = start - start % QUARTER, end - QUARTER + -end % QUARTER
    ends_in_gap = estimated(*(electricity_ends(connection, meter_id, at) for at in (first, last)))
    gas_ends_in_gap = amounts.gas is not None and estimated(
        *(gas_ends(connection, meter_id, at) for at in (first, last))
    )
    first_readings = FirstReadings(*connection.execute(FIRST_DAY, (meter_id, start)).fetchone())
    return SpanRow(start, end, amounts, ends_in_gap, gas_ends_in_gap, first_readings)
