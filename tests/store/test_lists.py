"""Tests of dsmr_tw.store.minutes and devices: what only the SQLite store can say of its lists."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing

from dsmr_tw.domain.reading import DAY, GAS, HOUR, SECOND
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import (
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    SECOND_CABLE,
    devices_only,
    gas,
    heard,
    water,
)
from tests.contracts.storecase import FIRST
from tests.store.test_sqlite import SqliteCase


class CountTests(SqliteCase):
    """The counts that lists go by are those of the rows."""

    def test_minutes_are_counted_by_hours_and_days(self) -> None:
        """Each hour and each day knows how many of its minutes hold readings, in every year."""
        far = [NOON - 700_000 * DAY, -HOUR, -1, NOON - 1, NOON, NOON + DAY - NOON % DAY, NOON + 2_000_000 * DAY]
        self.add(*(heard(at + n * 25 * SECOND, received_at=NOON) for at in far for n in range(150)))
        for at in far:
            self.add(heard(at - 3 * SECOND, received_at=NOON))
        minutes = {instant // MINUTE * MINUTE for (instant,) in self.rows("SELECT instant FROM reading")}
        expected: Counter[tuple[int, int]] = Counter()
        for hours in (1, 24):
            expected.update((hours, minute - minute % (hours * HOUR)) for minute in minutes)
        counted = self.rows("SELECT hours, instant, minutes FROM reading_count")
        self.assertEqual({(hours, instant): number for hours, instant, number in counted}, expected)

    def test_values_are_counted_by_days(self) -> None:
        """Each day knows how many values each device, and those of each type, gave in it, before 1970 too."""
        far = [-DAY - 1, -1, 0, NOON]
        for at in far:
            self.add(*(heard(NOON, gas(at + n), gas(at + n, 1, OTHER_GAS_METER), water(at)) for n in range(3)))
        stored = self.rows(
            "SELECT d.instant, device_type FROM device_reading AS d JOIN equipment AS e ON e.id = d.equipment_id"
        )
        expected = Counter((instant - instant % DAY, device_type) for instant, device_type in stored)
        self.assertEqual(len(expected), 2 * 4)
        counted = self.rows("SELECT instant, device_type, readings FROM device_reading_count")
        self.assertEqual({(day, device_type): readings for day, device_type, readings in counted}, expected)
        stored = self.rows("SELECT instant, equipment_id FROM device_reading")
        expected = Counter((instant - instant % DAY, equipment_id) for instant, equipment_id in stored)
        self.assertEqual(len(expected), 3 * 4)
        counted = self.rows("SELECT instant, equipment_id, readings FROM equipment_reading_count")
        self.assertEqual({(day, equipment_id): readings for day, equipment_id, readings in counted}, expected)


class MemoryTests(SqliteCase):
    """A minute that is known to hold a reading is not looked for, and never known wrongly."""

    sqlite_only = True

    def looked_for(self, *seconds: int) -> int:
        """How often a minute is looked into while readings are stored, one commit each."""
        asked: list[str] = []
        self.store.database.writer().set_trace_callback(asked.append)
        for second in seconds:
            self.add(heard(NOON + second * SECOND, received_at=NOON))
        self.store.database.writer().set_trace_callback(None)
        return sum("LIMIT 1" in sql and "FROM reading" in sql for sql in asked)

    def test_a_minute_is_looked_for_once(self) -> None:
        """Readings of the same minute, one after the other, cost one look."""
        self.assertEqual(self.looked_for(0, 10, 20, 30, 5, 59), 1)
        self.assertEqual(self.looked_for(60, 70, 50, 119), 3)

    def test_two_meters_have_a_minute_each(self) -> None:
        """What is known of one house's minute says nothing of the other's."""
        for second in range(3):
            self.add(heard(NOON + second * SECOND))
            self.add(heard(NOON + second * SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        self.assertEqual(
            self.rows("SELECT meter_id, minutes FROM reading_count WHERE hours = 1 ORDER BY meter_id"),
            [(FIRST, 1), (FIRST + 1, 1)],
        )

    def test_a_minute_that_another_program_emptied_is_counted_again(self) -> None:
        """Readings that were deleted beside the server do not hold their minute any more."""
        self.add(heard(NOON))
        with closing(sqlite3.connect(self.path)) as other, other:
            other.execute("DELETE FROM reading")
            other.execute("DELETE FROM reading_count")
        self.add(heard(NOON + SECOND))
        self.assertEqual(self.rows("SELECT minutes FROM reading_count"), [(1,), (1,)])


class CostTests(SqliteCase):
    """A page costs the same however long its list is."""

    sqlite_only = True

    def gas_meter(self) -> int:
        """Its number."""
        [(number,)] = self.rows(f"SELECT id FROM equipment WHERE device_type = {GAS}")
        return int(number)

    def ask_for_pages(self, gas_meter: int) -> None:
        """Ask for pages of minutes and of gas, here and there."""
        readings, wanted = self.store.readings, ReadingFilter(FIRST, NOON + SECOND, NOON + 90 * HOUR + SECOND)
        for descending in (False, True):
            self.ask(readings.minutes, wanted, descending, 40, 10)
            self.ask(readings.devices, wanted, GAS, descending, 40, 10)
            self.ask(readings.device, wanted, gas_meter, descending, 40, 10)
            self.ask(self.store.facts.peaks, ReadingFilter(FIRST), descending, 0, 10)
            self.ask(self.store.facts.events, ReadingFilter(FIRST), descending, 0, 10)

    def test_no_question_reads_a_whole_table(self) -> None:
        """Pages and counts go through the keys of the tables that grow."""
        self.add(*(heard(NOON + n * HOUR, gas(NOON + n * HOUR), received_at=NOON + 100 * HOUR) for n in range(100)))
        asked: list[str] = []
        gas_meter = self.gas_meter()
        self.ask(self.store.database.read, lambda connection: connection.set_trace_callback(asked.append))
        self.ask_for_pages(gas_meter)
        self.ask(self.store.database.read, lambda connection: connection.set_trace_callback(None))
        plans = {sql: self.rows(f"EXPLAIN QUERY PLAN {sql}") for sql in asked if "SELECT" in sql}
        self.assertGreater(len(plans), 15)
        for sql, plan in plans.items():
            for step in plan:
                self.assertFalse(re.match(r"SCAN (?!minute\b|CONSTANT)", step[3]), f"{step[3]}: {sql}")

    def test_the_last_page_costs_what_the_first_one_does(self) -> None:
        """Behind thousands of rows a page takes no more steps than a count of days explains."""
        late = NOON + 5_000 * HOUR
        self.add(*(heard(NOON + n * HOUR, received_at=late) for n in range(5_000)))
        self.add(*(devices_only(late, gas(NOON + n * HOUR, n)) for n in range(5_000)))
        for offset in (0, 2_500, 4_990):
            for descending in (False, True):
                self.assertLess(self.steps(offset, descending), 12_000)

    def steps(self, offset: int, descending: bool) -> int:
        """How many steps of its machine SQLite takes for a page of each list, in hundreds of them."""
        steps, gas_meter = 0, self.gas_meter()

        def count() -> None:
            nonlocal steps
            steps += 100

        self.ask(self.store.database.read, lambda connection: connection.set_progress_handler(count, 100))
        self.ask(self.store.readings.minutes, ReadingFilter(FIRST), descending, offset, 10)
        self.ask(self.store.readings.devices, ReadingFilter(FIRST), GAS, descending, offset, 10)
        self.ask(self.store.readings.device, ReadingFilter(FIRST), gas_meter, descending, offset, 10)
        self.ask(self.store.database.read, lambda connection: connection.set_progress_handler(None, 0))
        return steps
