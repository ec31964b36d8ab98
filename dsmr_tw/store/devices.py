"""Responsible for reading lists of what M-Bus devices gave.

A list holds the values of all devices of one type that a meter has, or has had, or those of one device.
``device_reading_count`` and ``equipment_reading_count`` know how many of them each day holds; from the beginning of a
day on the values of each device are read in order, and merged.

Tests: ``tests/contracts/devices.py``, ``tests/store/test_lists.py``
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from heapq import merge
from itertools import islice
from typing import Final, TypeAlias

from attrs import frozen

from dsmr_tw.domain.reading import DAY, DeviceReading
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.ranks import Counts, Ranks
from dsmr_tw.stored import DevicePage, ReadingFilter, StoredDeviceReading

COUNTED: Final = (Counts(DAY, "readings", "device_reading_count WHERE meter_id = ? AND device_type = ?"),)

COUNTED_OF_ONE: Final = (Counts(DAY, "readings", "equipment_reading_count WHERE meter_id = ? AND equipment_id = ?"),)

BETWEEN: Final = """
    SELECT count(*) FROM equipment AS e CROSS JOIN device_reading AS d
    WHERE e.meter_id = ?1 AND e.device_type = ?2
    AND d.meter_id = e.meter_id AND d.equipment_id = e.id AND d.instant >= ?3 AND d.instant < ?4"""

BETWEEN_OF_ONE: Final = """
    SELECT count(*) FROM device_reading
    WHERE meter_id = ?1 AND equipment_id = ?2 AND instant >= ?3 AND instant < ?4"""

DEVICES: Final = "SELECT id, device_type, channel, printed_id FROM equipment WHERE meter_id = ?"

VALUES: Final = """
    SELECT instant, id, value FROM device_reading
    WHERE meter_id = ? AND equipment_id = ? AND instant >= ? ORDER BY instant, id"""

BEFORE: Final = """
    SELECT value FROM device_reading
    WHERE meter_id = ? AND equipment_id = ? AND instant < ? ORDER BY instant DESC, id LIMIT 1"""

Device: TypeAlias = tuple[int, int, int | None, str | None]
"""Number, type, channel and printed id of a device."""

Value: TypeAlias = tuple[int, int, StoredDeviceReading]
"""Instant and id, by which values are merged, and the value."""


@frozen
class Kind:
    """Which values a list holds: those of a meter's devices of a type, or with a number."""

    devices: str
    """Finds the devices."""
    counted: tuple[Counts, ...]
    between: str
    """Counts the values of a part of a day."""


OF_TYPE: Final = Kind(f"{DEVICES} AND device_type = ?", COUNTED, BETWEEN)
OF_ONE: Final = Kind(f"{DEVICES} AND id = ?", COUNTED_OF_ONE, BETWEEN_OF_ONE)


def page(
    connection: Connection,
    wanted: ReadingFilter,
    device_type: int,
    descending: bool,
    offset: int,
    limit: int,
) -> DevicePage:
    """One page of a list; see ``IReadings.devices``."""
    return _page(connection, wanted, device_type, OF_TYPE, descending, offset, limit)


def page_of(
    connection: Connection,
    wanted: ReadingFilter,
    equipment_id: int,
    descending: bool,
    offset: int,
    limit: int,
) -> DevicePage:
    """One page of a list of one device's values; see ``IReadings.device``."""
    return _page(connection, wanted, equipment_id, OF_ONE, descending, offset, limit)


def _page(
    connection: Connection,
    wanted: ReadingFilter,
    number: int,
    kind: Kind,
    descending: bool,
    offset: int,
    limit: int,
) -> DevicePage:
    key = (wanted.meter_id, number)
    ranks = Ranks(connection, key, kind.counted, partial(_between, connection, kind.between, key))
    cut = ranks.cut(wanted.start, wanted.end, descending, offset, limit)
    if cut.rows <= 0:
        return DevicePage(cut.count, [])
    day, skip = ranks.place(cut)
    devices = connection.execute(kind.devices, key).fetchall()
    merged = merge(*(_values(connection, wanted.meter_id, day, device) for device in devices))
    found = [value for _, _, value in islice(merged, skip, skip + cut.rows)]
    if descending:
        found.reverse()
    return DevicePage(cut.count, found)


def _between(connection: Connection, sql: str, key: tuple[int, int], start: int, end: int) -> int:
    """How many values lie from ``start`` up to before ``end``."""
    (values,) = connection.execute(sql, (*key, start, end)).fetchone()
    return int(values)


def _values(connection: Connection, meter_id: int, start: int, device: Device) -> Iterator[Value]:
    """The values of one device from ``start`` on, each with the position before it."""
    equipment_id, device_type, channel, printed_id = device
    row = connection.execute(BEFORE, (meter_id, equipment_id, start)).fetchone()
    newest_at, newest, before = None, row[0] if row else None, None
    for instant, value_id, value in connection.stream(VALUES, (meter_id, equipment_id, start)):
        # Of several values at one instant the first stored counts.
        if instant != newest_at:
            newest_at, newest, before = instant, value, newest
        reading = DeviceReading(instant, value, device_type, channel, printed_id)
        yield instant, value_id, StoredDeviceReading(value_id, reading, before)
