"""Responsible for reading lists of readings from SQLite at a cost that does not grow with the table.

``reading_count`` knows how many readings each hour and each day holds.
The *rank* of an instant, how many readings of the meter lie before it, is thus a sum over days, over the hours of one
day, and a count within one hour; and the reading of a given rank is found the same way.
A list is then a range of ranks, its ``count`` their difference, and any page of it a handful of index steps away.

Source: SQLite, ``WITHOUT ROWID`` tables are ordered by their key.

Tests: ``tests/store/test_sqlite.py``
"""

from __future__ import annotations

import sqlite3
from typing import Any

from dsmr_tw.domain.reading import DAY, GAS, HOUR, SECOND, YEAR_2000, YEAR_2020, DeviceReading, Reading, StoredReading
from dsmr_tw.interfaces import Live, ReadingFilter, ReadingPage
from dsmr_tw.store.phases import unpack, unpack_power

ROWS = """
    SELECT r.instant, r.id, r.delivered_1, r.returned_1, r.delivered_2, r.returned_2,
           r.power, r.phases, d.instant, d.value, e.device_type, e.channel, e.printed_id
    FROM (SELECT * FROM reading WHERE meter_id = ?1 AND instant >= ?2 AND instant <= ?3 AND {condition}
          ORDER BY instant {order}, id {order} LIMIT ?4 OFFSET ?5) AS r
    LEFT JOIN device_reading AS d INDEXED BY device_reading_by_id ON d.meter_id = ?1 AND d.id = r.gas_id
    LEFT JOIN equipment AS e ON e.id = d.equipment_id
    ORDER BY r.instant {order}, r.id {order}"""

COUNTS = f"(received_after >= -{DAY // SECOND} OR instant + received_after * {SECOND} < {YEAR_2020})"
"""What ``dsmr_tw.domain.reading.counts`` says of what is dated from the year 2000 on."""

ASCENDING = ROWS.format(order="ASC", condition="TRUE")
DESCENDING = ROWS.format(order="DESC", condition="TRUE")
NEWEST = ROWS.format(order="DESC", condition=COUNTS)

EVER = 1 << 62
"""An instant after all instants."""

NEAR = 1000
"""So many rows from where the list begins, a walk along the index is the shorter way."""

NEWEST_GAS = f"""
    SELECT d.instant, d.value, e.device_type, e.channel, e.printed_id
    FROM device_reading AS d JOIN equipment AS e ON e.id = d.equipment_id
    WHERE d.meter_id = ? AND d.equipment_id = ? AND d.instant >= ? AND d.instant <= ? AND {COUNTS}
    ORDER BY d.instant DESC, d.id LIMIT 1"""


def page(
    connection: sqlite3.Connection, wanted: ReadingFilter, descending: bool, offset: int, limit: int
) -> ReadingPage:
    """One page of a list; see ``IReadings.page``."""
    meter_id = wanted.meter_id
    first = 0 if wanted.start is None else rank(connection, meter_id, wanted.start)
    last = rank(connection, meter_id, EVER if wanted.end is None else wanted.end + 1)
    count = max(0, last - first)
    rows = min(limit, count - offset)
    if rows <= 0:
        return ReadingPage(count, [])
    if offset <= NEAR:
        span = (wanted.start if wanted.start is not None else -EVER, wanted.end if wanted.end is not None else EVER)
        near = connection.execute(DESCENDING if descending else ASCENDING, (meter_id, *span, rows, offset))
        return ReadingPage(count, [stored_reading(row) for row in near])
    start = last - offset - rows if descending else first + offset
    found = _slice(connection, meter_id, start, rows)
    if descending:
        found.reverse()
    return ReadingPage(count, found)


def rank(connection: sqlite3.Connection, meter_id: int, instant: int) -> int:
    """How many readings of the meter are dated before ``instant``."""
    day = instant - instant % DAY
    hour = instant - instant % HOUR
    before = _sum(connection, meter_id, 24, -EVER, day) + _sum(connection, meter_id, 1, day, hour)
    if instant > hour:
        before += connection.execute(
            "SELECT count(*) FROM reading WHERE meter_id = ? AND instant >= ? AND instant < ?",
            (meter_id, hour, instant),
        ).fetchone()[0]
    return before


def total(connection: sqlite3.Connection) -> int:
    """How many readings of all meters are stored."""
    (readings,) = connection.execute(
        "SELECT coalesce(sum(readings), 0) FROM meter CROSS JOIN reading_count"
        " ON reading_count.meter_id = meter.id AND hours = 24"
    ).fetchone()
    return int(readings)


def live(connection: sqlite3.Connection, meter_id: int, until: int) -> Live | None:
    """The newest values that count; see ``IReadings.live``."""
    row = connection.execute(NEWEST, (meter_id, YEAR_2000, until, 1, 0)).fetchone()
    if row is None:
        return None
    tariff = connection.execute("SELECT tariff FROM meter_statistics WHERE meter_id = ?", (meter_id,)).fetchone()
    gas, previous_gas = None, None
    devices = connection.execute("SELECT id FROM equipment WHERE meter_id = ? AND device_type = ?", (meter_id, GAS))
    for (equipment_id,) in devices.fetchall():
        newest = _newest_gas(connection, meter_id, equipment_id, until)
        if newest is not None and (gas is None or newest.at > gas.at):
            gas, previous_gas = newest, _newest_gas(connection, meter_id, equipment_id, newest.at - 1)
    return Live(stored_reading(row), tariff[0] if tariff else None, gas, previous_gas)


def _newest_gas(connection: sqlite3.Connection, meter_id: int, equipment_id: int, until: int) -> DeviceReading | None:
    row = connection.execute(NEWEST_GAS, (meter_id, equipment_id, YEAR_2000, until)).fetchone()
    return None if row is None else _device(row)


def stored_reading(row: tuple[Any, ...]) -> StoredReading:
    """A row of ``ROWS`` as a value."""
    at, reading_id, delivered_1, returned_1, delivered_2, returned_2, power, phases, *device = row
    delivered, returned = unpack_power(power)
    powers_delivered, powers_returned, voltages, currents = unpack(phases)
    reading = Reading(
        at,
        delivered_1,
        returned_1,
        delivered_2,
        returned_2,
        delivered,
        returned,
        powers_delivered,
        powers_returned,
        voltages,
        currents,
    )
    return StoredReading(reading_id, reading, None if device[0] is None else DeviceReading(*device))


def _device(row: tuple[Any, ...]) -> DeviceReading:
    return DeviceReading(*row)


def _sum(connection: sqlite3.Connection, meter_id: int, hours: int, start: int, end: int) -> int:
    """Readings in the days or hours that begin from ``start`` up to before ``end``."""
    if start >= end:
        return 0
    total: int = connection.execute(
        "SELECT coalesce(sum(readings), 0) FROM reading_count"
        " WHERE meter_id = ? AND hours = ? AND instant >= ? AND instant < ?",
        (meter_id, hours, start, end),
    ).fetchone()[0]
    return total


def _span_of(
    connection: sqlite3.Connection, meter_id: int, hours: int, start: int, end: int, skip: int
) -> tuple[int, int]:
    """The day or hour that holds the reading ``skip`` places after the first from ``start`` on, and its place there."""
    spans = connection.execute(
        "SELECT instant, readings FROM reading_count"
        " WHERE meter_id = ? AND hours = ? AND instant >= ? AND instant < ? ORDER BY instant",
        (meter_id, hours, start, end),
    )
    # Not a window function in SQL: that takes ten times as long for ten years of days.
    for instant, readings in spans:
        if skip < readings:
            return instant, skip
        skip -= readings
    raise LookupError(f"there are fewer readings than counted, by {skip + 1}")


def _slice(connection: sqlite3.Connection, meter_id: int, start: int, rows: int) -> list[StoredReading]:
    """``rows`` readings from the rank ``start`` on, ascending."""
    day, skip = _span_of(connection, meter_id, 24, -EVER, EVER, start)
    hour, skip = _span_of(connection, meter_id, 1, day, day + DAY, skip)
    found = connection.execute(ASCENDING, (meter_id, hour, EVER, rows, skip))
    return [stored_reading(row) for row in found]
