"""Responsible for reading lists of readings at a cost that does not grow with the table.

``reading_count`` knows how many readings each hour and each day holds; how that leads to a page is told in
``dsmr_tw.store.ranks``.

Tests: ``tests/store/test_sqlite.py``
"""

from __future__ import annotations

from functools import partial
from typing import Any

from dsmr_tw.domain.power import apart
from dsmr_tw.domain.reading import DAY, GAS, HOUR, SECOND, YEAR_2000, YEAR_2020, DeviceReading, Reading, StoredReading
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.phases import unpack
from dsmr_tw.store.ranks import EVER, Counts, Ranks
from dsmr_tw.stored import Live, ReadingFilter, ReadingPage

ROWS = """
    SELECT r.instant, r.id, r.delivered_1, r.returned_1, r.delivered_2, r.returned_2,
           r.power, r.phases, d.instant, d.value, e.device_type, e.channel, e.printed_id
    FROM (SELECT * FROM reading WHERE meter_id = ?1 AND instant >= ?2 AND instant <= ?3 AND {condition}
          ORDER BY instant {order}, id {order} LIMIT ?4 OFFSET ?5) AS r
    LEFT JOIN device_reading AS d INDEXED BY device_reading_by_id ON d.meter_id = ?1 AND d.id = r.gas_id
    LEFT JOIN equipment AS e ON e.id = d.equipment_id
    ORDER BY r.instant {order}, r.id {order}"""

COUNTS = f"(received_after >= -{DAY // SECOND} OR instant + CAST(received_after AS BIGINT) * {SECOND} < {YEAR_2020})"
"""What ``dsmr_tw.domain.reading.counts`` says of what is dated from the year 2000 on."""

ASCENDING = ROWS.format(order="ASC", condition="TRUE")
DESCENDING = ROWS.format(order="DESC", condition="TRUE")
NEWEST = ROWS.format(order="DESC", condition=COUNTS)

COUNTED = (
    Counts(DAY, "readings", "reading_count WHERE meter_id = ? AND hours = 24"),
    Counts(HOUR, "readings", "reading_count WHERE meter_id = ? AND hours = 1"),
)

NEAR = 1000
"""So many rows from where the list begins, a walk along the index is the shorter way."""

NEWEST_GAS = f"""
    SELECT d.instant, d.value, e.device_type, e.channel, e.printed_id
    FROM device_reading AS d JOIN equipment AS e ON e.id = d.equipment_id
    WHERE d.meter_id = ? AND d.equipment_id = ? AND d.instant >= ? AND d.instant <= ? AND {COUNTS}
    ORDER BY d.instant DESC, d.id LIMIT 1"""


def page(connection: Connection, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> ReadingPage:
    """One page of a list; see ``IReadings.page``."""
    meter_id = wanted.meter_id
    ranks = Ranks(connection, (meter_id,), COUNTED, partial(_between, connection, meter_id))
    cut = ranks.cut(wanted.start, wanted.end, descending, offset, limit)
    if cut.rows <= 0:
        return ReadingPage(cut.count, [])
    if offset <= NEAR:
        span = (wanted.start if wanted.start is not None else -EVER, wanted.end if wanted.end is not None else EVER)
        near = connection.execute(DESCENDING if descending else ASCENDING, (meter_id, *span, cut.rows, offset))
        return ReadingPage(cut.count, [stored_reading(row) for row in near])
    hour, skip = ranks.place(cut)
    found = [stored_reading(row) for row in connection.execute(ASCENDING, (meter_id, hour, EVER, cut.rows, skip))]
    if descending:
        found.reverse()
    return ReadingPage(cut.count, found)


def total(connection: Connection) -> int:
    """How many readings of all meters are stored."""
    connection.take_long()
    (readings,) = connection.execute(
        "SELECT coalesce(sum(readings), 0) FROM meter CROSS JOIN reading_count"
        " WHERE reading_count.meter_id = meter.id AND hours = 24"
    ).fetchone()
    return int(readings)


def live(connection: Connection, meter_id: int, until: int) -> Live | None:
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


def _newest_gas(connection: Connection, meter_id: int, equipment_id: int, until: int) -> DeviceReading | None:
    row = connection.execute(NEWEST_GAS, (meter_id, equipment_id, YEAR_2000, until)).fetchone()
    return None if row is None else _device(row)


def stored_reading(row: tuple[Any, ...]) -> StoredReading:
    """A row of ``ROWS`` as a value."""
    at, reading_id, delivered_1, returned_1, delivered_2, returned_2, power, phases, *device = row
    delivered, returned = apart(power)
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


def _between(connection: Connection, meter_id: int, start: int, end: int) -> int:
    """How many readings lie from ``start`` up to before ``end``."""
    (readings,) = connection.execute(
        "SELECT count(*) FROM reading WHERE meter_id = ? AND instant >= ? AND instant < ?", (meter_id, start, end)
    ).fetchone()
    return int(readings)
