"""Tests of dsmr_tw.export: tables of a store, as CSV."""

from __future__ import annotations

import csv
from datetime import date
from io import StringIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.columns import DAY_HEADINGS, HOUR_HEADINGS, READING_HEADINGS, reading_cells, shown
from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.export import PAGE, PART, TABLES, Export, Period, csv_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import NOON, posted
from tests.past import AMSTERDAM, compute, local, store_readings
from tests.prices import contract
from tests.serving import ServedCase


def read_back(data: bytes) -> list[list[str]]:
    """The rows of a CSV file, as Python's own reader reads it."""
    return list(csv.reader(StringIO(data.decode("utf-8"), newline="")))


class ExportCase(ServedCase):
    """A store whose tables are exported."""

    def begin(self, name: str, period: Period | None = None, meter_id: int = 1) -> Export[Any]:
        """An export that nothing was taken of yet."""
        begun = TABLES[name](self.served.store, meter_id, AMSTERDAM, period or Period())
        return self.successResultOf(Deferred.fromCoroutine(begun))

    def part(self, export: Export[Any]) -> bytes:
        """The next part."""
        return self.successResultOf(Deferred.fromCoroutine(export.part()))

    def rest(self, export: Export[Any]) -> list[list[str]]:
        """The rows that are left."""
        parts = []
        while not export.done:
            parts.append(self.part(export))
        return read_back(b"".join(parts))

    def rows(self, name: str, period: Period | None = None) -> list[list[str]]:
        """A whole table, the headings first."""
        return self.rest(self.begin(name, period))

    def fill(self, number: int, at: int = NOON, step: int = SECOND) -> None:
        """Store so many readings, from an instant on, a step apart."""
        arrivals = [[posted(at + n * step, received_at=NOON, delivered_1=n)] for n in range(number)]
        self.successResultOf(self.served.store.readings.add(arrivals, NOON))

    def delivered(self, rows: list[list[str]]) -> list[int]:
        """The numbers that ``fill`` gave the readings."""
        return [int(row[1].replace(".", "")) for row in rows]


class PageTests(ExportCase):
    """How the store is asked."""

    def test_nothing_stored(self) -> None:
        """The table of a meter that was never read has its headings, and no rows."""
        for name, headings in (("readings", READING_HEADINGS), ("hours", HOUR_HEADINGS), ("days", DAY_HEADINGS)):
            export = self.begin(name)
            self.assertFalse(export.done)
            self.assertEqual(self.rest(export), [headings])
            self.assertEqual((export.rows, export.count), (0, 0))

    def test_over_pages(self) -> None:
        """Every reading comes once, in order, whether the pages end with the table or not."""
        for number in (PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + PART // 2):
            self.served = self.serve()
            self.fill(number)
            export = self.begin("readings")
            headings, *rows = self.rest(export)
            self.assertEqual(headings, READING_HEADINGS)
            self.assertEqual(self.delivered(rows), list(range(number)))
            self.assertEqual((export.rows, export.count), (number, number))

    def test_parts(self) -> None:
        """A part is a hundred rows, and how many there will be is known from the first."""
        self.fill(PAGE + 5)
        export = self.begin("readings")
        self.assertEqual(len(read_back(self.part(export))), 1 + PART)
        self.assertEqual((export.rows, export.count, export.done), (PART, PAGE + 5, False))
        self.assertEqual(len(read_back(self.part(export))), PART)

    def test_many_readings_of_one_instant(self) -> None:
        """Where a clock stands still for pages on end, every reading still comes once."""
        self.fill(10, NOON - HOUR)
        self.fill(2 * PAGE + 7, step=0)
        self.fill(10, NOON + HOUR)
        export = self.begin("readings")
        _, *rows = self.rest(export)
        self.assertEqual(self.delivered(rows), [*range(10), *range(2 * PAGE + 7), *range(10)])
        self.assertEqual((export.rows, export.count), (len(rows), len(rows)))

    def test_what_happens_meanwhile(self) -> None:
        """Readings that arrive or are removed behind the page under way neither double nor hide another."""
        self.fill(PAGE + 10)
        export = self.begin("readings")
        [_, *rows] = read_back(self.part(export))
        self.fill(20, NOON - DAY)
        writer = self.served.store.database.writer()
        for number in (3, PAGE - 1):
            writer.execute("DELETE FROM reading WHERE instant = ?", (NOON + number * SECOND,))
        rows += self.rest(export)
        self.assertEqual(self.delivered(rows), [number for number in range(PAGE + 10) if number != PAGE - 1])

    def test_how_many_there_will_be(self) -> None:
        """What arrives behind the last row is exported and counted, too, if its page was not read yet."""
        self.fill(PAGE)
        export = self.begin("readings")
        self.part(export)
        self.fill(10, NOON + HOUR)
        self.rest(export)
        self.assertEqual((export.rows, export.count), (PAGE + 10, PAGE + 10))


class TableTests(ExportCase):
    """What is in the tables."""

    def setUp(self) -> None:
        """Readings over the day of 23 hours, and the ledger of them."""
        super().setUp()
        store_readings(self.served, "2024-03-29T00:00", "2024-04-02T12:00")
        compute(self.served)

    def test_readings(self) -> None:
        """Every reading is there as the store has it, gas included."""
        stored = self.successResultOf(self.served.store.readings.page(ReadingFilter(1), False, 0, 10_000))
        _, *rows = self.rows("readings")
        self.assertEqual(rows, [reading_cells(one, AMSTERDAM) for one in stored.readings])
        self.assertEqual(len(rows), stored.count)

    def test_hours(self) -> None:
        """Closed hours, with their local starts: in spring one is left out."""
        _, *rows = self.rows("hours", Period(date(2024, 3, 31), date(2024, 3, 31)))
        self.assertEqual(len(rows), 23)
        self.assertEqual(rows[1], ["2024-03-31T01:00:00+01:00", "0.400", "0.100", "0.040", "0.000", "0.080"])
        self.assertEqual(rows[2][0], "2024-03-31T03:00:00+02:00")

    def test_days(self) -> None:
        """Each day costs what its contract says, and nothing without one."""
        self.successResultOf(self.served.store.contracts.add(contract(start=date(2024, 3, 30), end=date(2024, 3, 30))))
        headings, *rows = self.rows("days")
        days = [dict(zip(headings, row, strict=True)) for row in rows]
        self.assertEqual(
            [(day["Day"], day["Delivered 1 (kWh)"], day["Total Cost (EUR)"]) for day in days],
            [
                ("2024-03-29", "9.600", "0.00"),
                ("2024-03-30", "9.600", "5.83"),
                ("2024-03-31", "9.200", "0.00"),
                ("2024-04-01", "9.600", "0.00"),
            ],
        )
        self.assertEqual(days[0]["Delivered 1 At First Reading (kWh)"], "10844.800")
        self.assertEqual(days[0]["First Gas Reading At"], "2024-03-29T00:00:00+01:00")

    def test_periods(self) -> None:
        """Both days are included, in the meter's zone; an open end goes as far as there is something."""
        for first, last, expected in (
            (None, None, ["2024-03-29", "2024-03-30", "2024-03-31", "2024-04-01"]),
            (date(2024, 3, 31), None, ["2024-03-31", "2024-04-01"]),
            (None, date(2024, 3, 30), ["2024-03-29", "2024-03-30"]),
            (date(2024, 3, 30), date(2024, 3, 30), ["2024-03-30"]),
            (date.min, date.max, ["2024-03-29", "2024-03-30", "2024-03-31", "2024-04-01"]),
            (date.min, date.min, []),
            (date.max, date.max, []),
        ):
            period = Period(first, last)
            self.assertEqual([row[0] for row in self.rows("days", period)[1:]], expected, period)
            starts = [row[0][:10] for row in self.rows("hours", period)[1:]]
            self.assertLessEqual(set(expected), set(starts), period)

    def test_the_last_instant_of_a_day(self) -> None:
        """A reading at midnight belongs to the day that begins with it."""
        _, *rows = self.rows("readings", Period(date(2024, 3, 31), date(2024, 3, 31)))
        self.assertEqual((rows[0][0], rows[-1][0]), ("2024-03-31T00:00:00+01:00", "2024-03-31T23:45:00+02:00"))
        start, end = Period(date(2024, 3, 31), date(2024, 3, 31)).instants(AMSTERDAM)
        self.assertEqual((start, end), (local("2024-03-31T00:00"), local("2024-04-01T00:00") - 1))

    def test_another_meter(self) -> None:
        """A meter without readings has none of another's."""
        self.assertEqual(self.rest(self.begin("readings", meter_id=2)), [READING_HEADINGS])

    def test_backwards(self) -> None:
        """A period whose last day is before its first is none."""
        day, next_day = date(2024, 3, 30), date(2024, 3, 31)
        self.assertTrue(Period(next_day, day).is_backwards)
        for period in (Period(day, day), Period(day, next_day), Period(day, None), Period(None, day), Period()):
            self.assertFalse(period.is_backwards, period)


class CsvTests(SynchronousTestCase):
    """Bytes."""

    def test_the_form(self) -> None:
        """UTF-8, lines that end with CR LF, and quotes only where they are needed."""
        data = csv_of([["a", "m³", 'say "x"'], ["1.000", "", "b,c"], ["=1", "-1", "-1+1"]])
        self.assertEqual(data, 'a,m³,"say ""x"""\r\n1.000,,"b,c"\r\n\'=1,-1,\'-1+1\r\n'.encode())
        self.assertEqual(csv_of([]), b"")

    @given(st.lists(st.lists(st.text(), min_size=1)))
    def test_what_is_read_back(self, lines: list[list[str]]) -> None:
        """Whatever is written is read back cell by cell; only the apostrophes before formulas are added."""
        self.assertEqual(read_back(csv_of(lines)), [[shown(cell) for cell in cells] for cells in lines])
