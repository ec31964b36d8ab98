"""Responsible for the rows of hours and days: they appear when their span is closed.

They are derived from quarters alone, by the rules of ``dsmr_tw.domain.sums``.
Rows stand one after another, from the first quarter of electricity or gas on; only where marks wait one may be missing.
So ``derive`` keeps right what is between the first row and the last, and ``close`` goes on from both.

Tests: ``tests/store/test_closing.py``
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Final

from attrs import define, field

from dsmr_tw.domain import sums
from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.localtime import MeterZone, meter_zone
from dsmr_tw.domain.quarters import Quarter
from dsmr_tw.domain.reading import GAS, HOUR, YEAR_2000
from dsmr_tw.domain.spans import QUARTER, FirstReadings, SpanRow
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.ends import gas_since
from dsmr_tw.store.history import ELECTRICITY
from dsmr_tw.store.marks import NO_MARKS, Marks, unsettled
from dsmr_tw.store.pages import COUNTS

HOURS_AT_ONCE: Final = 500
DAYS_AT_ONCE: Final = 30
"""So many spans are closed in one transaction."""

NEWEST_ACCEPTED: Final = (
    "SELECT last_at FROM quarter WHERE meter_id = ? AND last_at IS NOT NULL ORDER BY instant DESC LIMIT 1"
)
NEWEST_DEVICE_ACCEPTED: Final = (
    "SELECT last_at FROM device_quarter WHERE meter_id = ? AND equipment_id = ? AND last_at IS NOT NULL"
    " ORDER BY instant DESC LIMIT 1"
)
"""While a piece is being written the newest quarter may lie in a gap."""

OF_DEVICE: Final = (
    f"SELECT instant FROM device_reading WHERE meter_id = ? AND equipment_id = ? AND instant >= {YEAR_2000}"
    f" AND {COUNTS} ORDER BY instant"
)
NEWEST_DEVICE_READING: Final = f"{OF_DEVICE} DESC LIMIT 1"
FIRST_DEVICE_READING: Final = f"{OF_DEVICE} LIMIT 1"
"""It is always accepted: a device that has just appeared opens nothing that was closed before it."""


def horizon(connection: Connection, meter_id: int) -> int | None:
    """Up to where a meter's spans can be closed; see ``dsmr_tw.domain.sums.horizon``."""
    devices = []
    for (equipment_id,) in connection.execute(
        "SELECT id FROM equipment WHERE meter_id = ? AND device_type <> 0", (meter_id,)
    ).fetchall():
        newest_at = _one(connection, NEWEST_DEVICE_READING, meter_id, equipment_id)
        if newest_at is not None:
            accepted_at = _one(connection, NEWEST_DEVICE_ACCEPTED, meter_id, equipment_id)
            if accepted_at is None:
                accepted_at = _one(connection, FIRST_DEVICE_READING, meter_id, equipment_id)
            assert accepted_at is not None
            devices.append(sums.DeviceState(accepted_at, newest_at))
    return sums.horizon(_one(connection, NEWEST_ACCEPTED, meter_id), devices)


@define
class Closing:
    """Derives the rows of one meter, inside a write."""

    connection: Connection
    meter_id: int
    now: int
    horizon: int = field(init=False)
    """Nothing that ends later is closed."""
    touched: list[tuple[int, int]] = field(factory=list, init=False)
    """The times whose hours were made anew: whoever counts rows counts them again there."""
    _zone: MeterZone = field(init=False)
    _gas_devices: list[int] = field(init=False)
    _gas_since: int | None = field(init=False)
    _begin: int | None = field(init=False)
    """The first quarter of electricity or gas."""

    def __attrs_post_init__(self) -> None:
        found = horizon(self.connection, self.meter_id)
        self.horizon = -NEVER if found is None else found
        (zone,) = self.connection.execute("SELECT zone FROM meter WHERE id = ?", (self.meter_id,)).fetchone()
        self._zone = meter_zone(zone)
        devices = self.connection.execute(
            "SELECT id FROM equipment WHERE meter_id = ? AND device_type = ?", (self.meter_id, GAS)
        )
        self._gas_devices = [equipment_id for (equipment_id,) in devices]
        self._gas_since = gas_since(self.connection, self.meter_id)
        begins = (self._edge("quarter", "ASC"), self._gas_since)
        self._begin = min((instant for instant in begins if instant is not None), default=None)

    def derive(self, start: int, end: int, settled: Marks = NO_MARKS) -> None:
        """Make those of the rows there are that touch this time anew, from the quarters as they are.

        A row that was missing appears when no mark touches its span, but for the marks that are ``settled``.
        """
        self.touched.append((start, end))
        self._forget_open()
        if self._begin is not None:
            first_hour, next_hour = self._hours_there(self._begin)
            first_day, next_day = self._days_there(self._begin)
            self.derive_hours(max(start, first_hour), min(end, next_hour), settled)
            self.derive_days(max(start, first_day), min(end, next_day), settled)

    def derive_hours(self, start: int, end: int, settled: Marks = NO_MARKS) -> int:
        """Make hours anew; how many there are now."""
        first = start - start % HOUR
        self.touched.append((first, end))
        there = self._forget("hour_statistics", first, end)
        rows = self._closed(self._hours(first, min(end, self.horizon)), there, settled)
        self.connection.executemany(
            "INSERT INTO hour_statistics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(self.meter_id, row.start, *_amounts(row), row.estimated, row.gas_estimated) for row in rows],
        )
        return len(rows)

    def derive_days(self, start: int, end: int, settled: Marks = NO_MARKS) -> int:
        """Make days anew; how many there are now."""
        first = self._zone.day_start(self._zone.day_of(start))
        there = self._forget("day_statistics", first, end)
        rows = self._closed(self._days(first, min(end, self.horizon)), there, settled)
        self.connection.executemany(
            "INSERT INTO day_statistics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [self._day(row) for row in rows],
        )
        return len(rows)

    def forget_gas(self, began: int | None) -> None:
        """Delete the rows that said something else of gas, since it began at another time; they appear again.

        ``began`` is when it began before.
        """
        since = min(instant for instant in (began, self._gas_since) if instant is not None)
        self.touched.append((since - since % HOUR, NEVER))
        self._forget("hour_statistics", since - since % HOUR, NEVER)
        self._forget("day_statistics", self._days_on(since, 0), NEVER)

    def close(self) -> bool:
        """Let rows appear that have closed since; whether some did, so that more may in the next transaction."""
        self._forget_open()
        if self._begin is None:
            return False
        first_hour, next_hour = self._hours_there(self._begin)
        first_day, next_day = self._days_there(self._begin)
        hours = [self.derive_hours(next_hour, next_hour + HOURS_AT_ONCE * HOUR)]
        days = [self.derive_days(next_day, self._days_on(next_day, DAYS_AT_ONCE))]
        if self._begin < first_hour:
            hours.append(self.derive_hours(first_hour - HOURS_AT_ONCE * HOUR, first_hour))
        if self._begin < first_day:
            days.append(self.derive_days(self._days_on(first_day, -DAYS_AT_ONCE), first_day))
        return any(hours) or any(days)

    def opens_at(self) -> int:
        """When the clock lets the next row appear; ``NEVER`` when that waits for readings."""
        if self._begin is None:
            return NEVER
        ends = (self._hours_there(self._begin)[1] + HOUR, self._days_on(self._days_there(self._begin)[1], 1))
        return min((end for end in ends if self.now < end <= self.horizon), default=NEVER)

    def _hours_there(self, begin: int) -> tuple[int, int]:
        """Where the first hour that is there begins and the last one ends; without any, where they shall begin."""
        first, last = self._edge("hour_statistics", "ASC"), self._edge("hour_statistics", "DESC")
        if first is None or last is None:
            return begin - begin % HOUR, begin - begin % HOUR
        return first, last + HOUR

    def _days_there(self, begin: int) -> tuple[int, int]:
        """The same of days."""
        first, last = self._edge("day_statistics", "ASC"), self._edge("day_statistics", "DESC")
        if first is None or last is None:
            return self._days_on(begin, 0), self._days_on(begin, 0)
        return first, self._days_on(last, 1)

    def _days_on(self, instant: int, days: int) -> int:
        """The start of a day some days after the one that holds an instant."""
        return self._zone.day_start(self._zone.day_of(instant) + timedelta(days))

    def _forget_open(self) -> None:
        """Delete the rows of spans that are not closed any more, or lie before everything that is known."""
        gone = self._forget("hour_statistics", self.horizon - HOUR + 1, NEVER)
        if self._begin is not None:
            gone |= self._forget("hour_statistics", -NEVER, self._begin - self._begin % HOUR)
            self._forget("day_statistics", -NEVER, self._days_on(self._begin, 0))
        if gone:
            self.touched.append((min(gone), max(gone) + HOUR))
        self.connection.execute(
            "DELETE FROM day_statistics WHERE meter_id = ? AND end_at > ?", (self.meter_id, self.horizon)
        )

    def _forget(self, table: str, start: int, end: int) -> set[int]:
        """Delete the rows of spans that begin in this time; which there were."""
        where = "WHERE meter_id = ? AND instant >= ? AND instant < ?"
        span = (self.meter_id, start, end)
        there = {instant for (instant,) in self.connection.execute(f"SELECT instant FROM {table} {where}", span)}
        if there:
            self.connection.execute(f"DELETE FROM {table} {where}", span)
        return there

    def _edge(self, table: str, order: str) -> int | None:
        return _one(
            self.connection,
            f"SELECT instant FROM {table} WHERE meter_id = ? ORDER BY instant {order} LIMIT 1",
            self.meter_id,
        )

    def _hours(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The hours that begin in this time, none of them before the first quarter."""
        first = max(start, self._begin or 0)
        return ((hour, hour + HOUR) for hour in range(first - first % HOUR, end, HOUR))

    def _days(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The same of days."""
        day: date = self._zone.day_of(max(start, self._begin or 0))
        while (bounds := self._zone.bounds(day))[0] < end:
            yield bounds
            day += timedelta(1)

    def _closed(self, spans: Iterator[tuple[int, int]], there: Collection[int], settled: Marks) -> list[SpanRow]:
        """The rows of those spans that are closed."""
        closed = [span for span in spans if span[1] <= self.horizon]
        if not closed:
            return []
        start, end = closed[0][0], closed[-1][1]
        marks = unsettled(self.connection, self.meter_id, start, end, settled)
        quarters = quarters_in(self.connection, self.meter_id, ELECTRICITY, start, end)
        gas = [
            quarter
            for equipment_id in self._gas_devices
            for quarter in quarters_in(self.connection, self.meter_id, equipment_id, start, end)
        ]
        gas.sort(key=_start)
        return [
            sums.row_of(*span, _within(quarters, *span), _within(gas, *span), self._gas_since)
            for span in closed
            if span[0] in there or (span[1] <= self.now and not _touched(marks, *span))
        ]

    def _day(self, row: SpanRow) -> tuple[object, ...]:
        first = self._first(row)
        return (
            self.meter_id,
            row.start,
            row.end,
            *_amounts(row),
            row.estimated,
            row.gas_estimated,
            first.electricity_at,
            first.delivered_1,
            first.returned_1,
            first.delivered_2,
            first.returned_2,
            first.gas_at,
            first.gas,
        )

    def _first(self, row: SpanRow) -> FirstReadings:
        """The first accepted readings of a day."""
        span = (self.meter_id, row.start, row.end)
        at = _one(
            self.connection,
            "SELECT first_at FROM quarter WHERE meter_id = ? AND instant >= ? AND instant < ?"
            " AND first_at IS NOT NULL ORDER BY instant LIMIT 1",
            *span,
        )
        positions = (
            at is not None
            and self.connection.execute(
                f"SELECT delivered_1, returned_1, delivered_2, returned_2 FROM reading"
                f" WHERE meter_id = ? AND instant = ? AND {COUNTS} ORDER BY id DESC LIMIT 1",
                (self.meter_id, at),
            ).fetchone()
        )
        gas = [
            (gas_at, equipment_id)
            for equipment_id in self._gas_devices
            for (gas_at,) in self.connection.execute(
                "SELECT first_at FROM device_quarter WHERE meter_id = ? AND instant >= ? AND instant < ?"
                " AND equipment_id = ? AND first_at IS NOT NULL ORDER BY instant LIMIT 1",
                (*span, equipment_id),
            )
        ]
        gas_at, value = None, None
        if gas:
            gas_at, equipment_id = min(gas)
            value = _one(
                self.connection,
                f"SELECT value FROM device_reading WHERE meter_id = ? AND equipment_id = ? AND instant = ?"
                f" AND {COUNTS} ORDER BY id LIMIT 1",
                self.meter_id,
                equipment_id,
                gas_at,
            )
        one, two, three, four = positions or (None, None, None, None)
        return FirstReadings(at, one, two, three, four, gas_at, value)


def quarters_in(connection: Connection, meter_id: int, equipment_id: int, start: int, end: int) -> list[Quarter]:
    """The quarters of a set of registers that begin in a time, in order."""
    if equipment_id == ELECTRICITY:
        rows = connection.execute(
            "SELECT instant, delivered_1, returned_1, delivered_2, returned_2, delivered_1_position,"
            " returned_1_position, delivered_2_position, returned_2_position, lowest_power, highest_power,"
            " start_estimated, end_estimated, first_at, last_at"
            " FROM quarter WHERE meter_id = ? AND instant >= ? AND instant < ? ORDER BY instant",
            (meter_id, start, end),
        )
    else:
        rows = connection.execute(
            "SELECT instant, amount, 0, 0, 0, position, 0, 0, 0, NULL, NULL, start_estimated, end_estimated,"
            " first_at, last_at FROM device_quarter"
            " WHERE meter_id = ? AND instant >= ? AND instant < ? AND equipment_id = ? ORDER BY instant",
            (meter_id, start, end, equipment_id),
        )
    return [
        Quarter(row[0], row[0] + QUARTER, row[1:5], row[5:9], row[9], row[10], bool(row[11]), bool(row[12]), *row[13:])
        for row in rows
    ]


def _start(quarter: Quarter) -> int:
    return quarter.start


def _within(quarters: list[Quarter], start: int, end: int) -> list[Quarter]:
    return quarters[bisect_left(quarters, start, key=_start) : bisect_left(quarters, end, key=_start)]


def _touched(marks: list[int], start: int, end: int) -> bool:
    """Whether one of the marks, in order, lies in a span."""
    index = bisect_left(marks, start)
    return index < len(marks) and marks[index] < end


def _amounts(row: SpanRow) -> tuple[int | None, ...]:
    amounts = row.amounts
    return amounts.delivered_1, amounts.returned_1, amounts.delivered_2, amounts.returned_2, amounts.gas


def _one(connection: Connection, sql: str, *parameters: object) -> int | None:
    """The value that a query finds; ``None`` when it finds none."""
    row = connection.execute(sql, parameters).fetchone()
    return None if row is None else row[0]
