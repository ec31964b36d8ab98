"""Responsible for moving stored values from one account to another a few at a time.

What to move next is looked for on one unchanging state of the database; a small transaction then moves as much of it
as is still there, counts the hours and days that it touched anew, and marks the quarters.
Values of M-Bus devices go first.  One whose device has the same value at the same instant in the other account
already stays behind until the end, so that a reading which came with it finds the one that takes its place.

Tests: ``tests/store/test_moves.py``
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from attrs import define, evolve, field

from dsmr_tw.domain.reading import DAY, HOUR, SECOND, counts
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.devices import BETWEEN, BETWEEN_OF_ONE
from dsmr_tw.store.marks import mark
from dsmr_tw.stored import Move

AT_ONCE: Final = 2_000
"""Rows that are moved in one transaction."""

AT_ONCE_AFAR: Final = 300
"""The same where each row costs several round trips, while nobody else may commit readings."""

HOURS_AT_ONCE: Final = 200
"""Hours that are counted anew in one transaction, whatever they hold."""

Row = tuple[Any, ...]

DEVICE_READINGS: Final = """
    SELECT equipment_id, instant, id, received_after, value FROM device_reading
    WHERE meter_id = ? AND (equipment_id, instant, id) > (?, ?, ?) AND {wanted}
    ORDER BY equipment_id, instant, id LIMIT ?"""

READINGS: Final = """
    SELECT instant, id, received_after, equipment_id, delivered_1, returned_1, delivered_2, returned_2, power, phases,
           gas_id
    FROM reading WHERE meter_id = ? AND (instant, id) > (?, ?) AND {wanted} ORDER BY instant, id LIMIT ?"""

ASTRAY: Final = """
    gas_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM device_reading AS d INDEXED BY device_reading_by_id
        WHERE d.meter_id = reading.meter_id AND d.id = reading.gas_id)"""
"""Of a reading: the value that came with it is not in its account."""

BY_ID: Final = """
    SELECT equipment_id, instant, value FROM device_reading INDEXED BY device_reading_by_id
    WHERE meter_id = ? AND id = ?"""

THE_SAME_EQUIPMENT: Final = """
    SELECT other.id, min(own.id) FROM equipment AS other JOIN equipment AS own
    ON own.meter_id = ?2 AND own.device_type = other.device_type
        AND own.printed_id IS NOT DISTINCT FROM other.printed_id
        AND (own.printed_id IS NOT NULL OR own.channel IS NOT DISTINCT FROM other.channel)
    WHERE other.meter_id = ?1 GROUP BY other.id"""

SAME_READING: Final = """
    SELECT id, delivered_1, returned_1, delivered_2, returned_2, power, phases, gas_id
    FROM reading WHERE meter_id = ? AND instant = ?"""

PUT_READING: Final = """
    INSERT INTO reading
        (meter_id, instant, id, received_after, equipment_id, delivered_1, returned_1, delivered_2, returned_2, power,
         phases, gas_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

COUNT_HOUR: Final = """
    INSERT INTO reading_count
    SELECT ?1, 1, ?2, count(*), count(DISTINCT (instant - ?2) / 60000000) FROM reading
    WHERE meter_id = ?1 AND instant >= ?2 AND instant < ?2 + 3600000000 GROUP BY meter_id"""

COUNT_DAY: Final = """
    INSERT INTO reading_count
    SELECT ?1, 24, ?2, sum(readings), sum(minutes) FROM reading_count
    WHERE meter_id = ?1 AND hours = 1 AND instant >= ?2 AND instant < ?2 + 86400000000 GROUP BY meter_id"""


def number_of(connection: Connection, table: str, meter_id: int, equipment: Iterable[int] | None) -> int:
    """How many rows of a table are of some of a meter's equipment; ``None``: of any, or of none."""
    (rows,) = connection.execute(
        f"SELECT count(*) FROM {table} WHERE meter_id = ? AND {_among(equipment)}", (meter_id,)
    ).fetchone()
    return int(rows)


def find(connection: Connection, move: Move) -> list[Row]:
    """The rows to move next; none when this stage of the move is over."""
    connection.take_long()
    wanted, at_once = _among(move.equipment), AT_ONCE_AFAR if connection.insert_only else AT_ONCE
    if not move.devices_done:
        after = move.after or (-1, 0, 0)
        return connection.execute(DEVICE_READINGS.format(wanted=wanted), (move.source_id, *after, at_once)).fetchall()
    if move.equipment is not None and _devices_of(connection, move.equipment):
        wanted = f"({wanted} OR {ASTRAY})"
    after = move.after or (-(1 << 63), 0)
    rows = connection.execute(READINGS.format(wanted=wanted), (move.source_id, *after, at_once)).fetchall()
    hours = sorted({row[0] // HOUR for row in rows})
    return [row for row in rows if row[0] // HOUR in hours[:HOURS_AT_ONCE]]


def put(connection: Connection, move: Move, rows: Sequence[Row]) -> Move:
    """Move rows that were found, and say how the move stands; inside a write."""
    if not rows:
        return evolve(move, devices_done=True, done=move.devices_done, after=())
    connection.hold_all()
    transfer = Transfer(connection, move)
    if move.devices_done:
        taken = sum(transfer.reading(row) for row in rows)
        after = rows[-1][:2]
    else:
        taken = sum(transfer.device_reading(row) for row in rows)
        after = rows[-1][:3]
    transfer.finish()
    return evolve(move, taken=move.taken + taken, after=after)


def same_equipment(connection: Connection, source_id: int, target_id: int) -> dict[int, int]:
    """The equipment of an account that another account has as well: by number, with its number there.

    It is the same by its printed id, or without one by its channel.
    """
    return dict(connection.execute(THE_SAME_EQUIPMENT, (source_id, target_id)))


@define
class Transfer:
    """One transaction of a move."""

    connection: Connection
    move: Move
    _same: dict[int, int] = field(init=False)
    """Equipment of the source that is the target's in truth; only where all of the source moves."""
    _types: dict[int, int] = field(init=False)
    _hours: set[int] = field(factory=set, init=False)
    _days: set[tuple[int, int]] = field(factory=set, init=False)
    """Type of a device, and day."""
    _device_days: set[tuple[int, int]] = field(factory=set, init=False)
    """Device, and day."""
    _marks: set[int] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        move = self.move
        self._same = same_equipment(self.connection, move.source_id, move.target_id) if move.equipment is None else {}
        self._types = dict(
            self.connection.execute(
                "SELECT id, device_type FROM equipment WHERE meter_id IN (?, ?)", (move.source_id, move.target_id)
            )
        )

    def device_reading(self, row: Row) -> int:
        """Move a value of a device, unless its place is taken by an equal one; 1: it was looked at."""
        equipment_id, instant, value_id, received_after, value = row
        to = self._in_target(equipment_id)
        equal = None if to == equipment_id else self._value_id(to, instant, value)
        if equal is not None:
            if value_id < equal:
                self._came_first(to, instant, equal, received_after)
            return 1
        source_id, target_id = self.move.source_id, self.move.target_id
        gone = self.connection.execute(
            "DELETE FROM device_reading WHERE meter_id = ? AND equipment_id = ? AND instant = ? AND id = ?",
            (source_id, equipment_id, instant, value_id),
        ).rowcount
        if gone:
            self.connection.execute(
                "INSERT INTO device_reading (meter_id, equipment_id, instant, id, received_after, value)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (target_id, to, instant, value_id, received_after, value),
            )
            day = instant - instant % DAY
            self._days.add((self._types[to], day))
            self._device_days |= {(equipment_id, day), (to, day)}
            self._mark(instant, received_after)
        return 1

    def reading(self, row: Row) -> int:
        """Move a reading, or take the value from it that has gone to the other account; 1: it was to move."""
        instant, reading_id, received_after, equipment_id, *values, gas_id = row
        key = (self.move.source_id, instant, reading_id)
        if self.move.equipment is not None and equipment_id not in self.move.equipment:
            self.connection.execute(
                "UPDATE reading SET gas_id = NULL WHERE meter_id = ? AND instant = ? AND id = ?", key
            )
            return 0
        gone = self.connection.execute(
            "DELETE FROM reading WHERE meter_id = ? AND instant = ? AND id = ?", key
        ).rowcount
        if gone:
            to = None if equipment_id is None else self._in_target(equipment_id)
            self._insert(instant, reading_id, received_after, to, (*values, self._gas_id(gas_id)))
            self._hours.add(instant - instant % HOUR)
            self._mark(instant, received_after)
        return 1

    def finish(self) -> None:
        """Count anew and mark what was touched, in both accounts."""
        days = sorted({hour - hour % DAY for hour in self._hours})
        for meter_id in (self.move.source_id, self.move.target_id):
            for hours, spans, count in ((1, sorted(self._hours), COUNT_HOUR), (24, days, COUNT_DAY)):
                self.connection.executemany(
                    "DELETE FROM reading_count WHERE meter_id = ? AND hours = ? AND instant = ?",
                    [(meter_id, hours, span) for span in spans],
                )
                self.connection.executemany(count, [(meter_id, span) for span in spans])
            for device_type, day in sorted(self._days):
                count_devices(self.connection, meter_id, device_type, day)
            for number, day in sorted(self._device_days):
                count_device(self.connection, meter_id, number, day)
            mark(self.connection, meter_id, sorted(self._marks))

    def _insert(
        self, instant: int, reading_id: int, received_after: int, equipment_id: int | None, values: Row
    ) -> None:
        """Put a reading into the target; of identical ones the one stays that was stored first."""
        target_id = self.move.target_id
        for other_id, *stored in self.connection.execute(SAME_READING, (target_id, instant)).fetchall():
            if tuple(stored) == values:
                if other_id < reading_id:
                    return
                self.connection.execute(
                    "DELETE FROM reading WHERE meter_id = ? AND instant = ? AND id = ?", (target_id, instant, other_id)
                )
        self.connection.execute(
            PUT_READING,
            (target_id, instant, reading_id, received_after, equipment_id, *values),
        )

    def _gas_id(self, gas_id: int | None) -> int | None:
        """The value in the target that is the one which came with a reading; ``None`` when that stays in the source."""
        if gas_id is None or self.connection.execute(BY_ID, (self.move.target_id, gas_id)).fetchone():
            return gas_id
        row = self.connection.execute(BY_ID, (self.move.source_id, gas_id)).fetchone()
        if row is None or self.move.equipment is not None:
            return None
        equipment_id, instant, value = row
        # One that came since the devices were looked through has no equal yet, and follows.
        return self._value_id(self._in_target(equipment_id), instant, value) or gas_id

    def _in_target(self, equipment_id: int) -> int:
        """The number that some equipment of the source has in the target."""
        return self._same.get(equipment_id, equipment_id)

    def _came_first(self, equipment_id: int, instant: int, value_id: int, received_after: int) -> None:
        """A value of the target was stored in the source before it was there: that is when it came."""
        self.connection.execute(
            "UPDATE device_reading SET received_after = ?"
            " WHERE meter_id = ? AND equipment_id = ? AND instant = ? AND id = ?",
            (received_after, self.move.target_id, equipment_id, instant, value_id),
        )
        self._mark(instant, received_after)

    def _value_id(self, equipment_id: int, instant: int, value: int) -> int | None:
        """The id of a device's value in the target."""
        row = self.connection.execute(
            "SELECT id FROM device_reading WHERE meter_id = ? AND equipment_id = ? AND instant = ? AND value = ?",
            (self.move.target_id, equipment_id, instant, value),
        ).fetchone()
        return None if row is None else int(row[0])

    def _mark(self, instant: int, received_after: int) -> None:
        if counts(instant, instant + received_after * SECOND):
            self._marks.add(instant - instant % QUARTER)


def count_devices(connection: Connection, meter_id: int, device_type: int, day: int) -> None:
    """Count the values of an account's devices of a type in a day anew; inside a write."""
    connection.execute(
        "DELETE FROM device_reading_count WHERE meter_id = ? AND device_type = ? AND instant = ?",
        (meter_id, device_type, day),
    )
    (values,) = connection.execute(BETWEEN, (meter_id, device_type, day, day + DAY)).fetchone()
    if values:
        connection.execute("INSERT INTO device_reading_count VALUES (?, ?, ?, ?)", (meter_id, device_type, day, values))


def count_device(connection: Connection, meter_id: int, equipment_id: int, day: int) -> None:
    """Count the values of one of an account's devices in a day anew; inside a write."""
    connection.execute(
        "DELETE FROM equipment_reading_count WHERE meter_id = ? AND equipment_id = ? AND instant = ?",
        (meter_id, equipment_id, day),
    )
    (values,) = connection.execute(BETWEEN_OF_ONE, (meter_id, equipment_id, day, day + DAY)).fetchone()
    if values:
        connection.execute(
            "INSERT INTO equipment_reading_count VALUES (?, ?, ?, ?)", (meter_id, equipment_id, day, values)
        )


def _among(equipment: Iterable[int] | None) -> str:
    """The condition that a row is of some equipment; ``None``: of any."""
    return "TRUE" if equipment is None else f"equipment_id IN ({', '.join(map(str, sorted(equipment)))})"


def _devices_of(connection: Connection, equipment: Iterable[int]) -> bool:
    """Whether M-Bus devices are among some equipment."""
    found = connection.execute(
        f"SELECT 1 FROM equipment WHERE id IN ({', '.join(map(str, equipment))}) AND device_type <> 0"
    )
    return found.fetchone() is not None
