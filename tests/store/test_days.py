"""Tests of dsmr_tw.store.days: days as they were closed, and the months and years that they make up."""

from __future__ import annotations

from datetime import date

from dsmr_tw.domain.reading import DAY, GAS, HOUR
from dsmr_tw.domain.spans import QUARTER, Amounts, FirstReadings, SpanKind, SpanRow
from dsmr_tw.stored import DaySum
from tests.contracts.storecase import FIRST
from tests.store.rowscase import LOCAL, OTHER, RowsCase


class DayTests(RowsCase):
    """Days, as they were closed, and what they add up to."""

    def test_a_day_is_listed_with_where_the_meter_stood(self) -> None:
        """It has its own bounds, 25 hours apart in autumn, and the first readings as the meter printed them."""
        day = date(2024, 10, 27)
        self.put_days(day, day)
        start, end = LOCAL.bounds(day)
        self.assertEqual(end - start, 25 * HOUR)
        first = FirstReadings(11, day.toordinal(), 13, 14, 15, 16, 17)
        self.assertEqual(
            self.rows_of(SpanKind.DAY),
            [SpanRow(start, end, Amounts(1, 2, 3, 4, 5), estimated=False, gas_estimated=True, first=first)],
        )

    def test_stretches_are_summed_by_their_days(self) -> None:
        """A day belongs to the stretch that it begins in; a stretch without days has nothing, and no gas."""
        first = date(2024, 4, 1)
        self.put_days(first, date(2024, 4, 9))
        self.put_days(date(2024, 4, 10), date(2024, 4, 10), gas=None)
        self.put_days(first, first, meter_id=OTHER)
        starts = [LOCAL.day_start(date(2024, 4, day)) for day in (1, 4, 10, 11)]
        stretches = [(starts[0], starts[1]), (starts[1] + 1, starts[3]), (starts[2], starts[3]), (0, 1)]
        sums: list[DaySum] = self.ask(self.store.statistics.sums, FIRST, stretches)
        self.assertEqual(
            sums,
            [
                DaySum(3, Amounts(3, 6, 9, 12, 15)),
                DaySum(6, Amounts(6, 12, 18, 24, 25)),
                DaySum(1, Amounts(1, 2, 3, 4, None)),
                DaySum(0, Amounts(0, 0, 0, 0, None)),
            ],
        )
        self.assertEqual(self.ask(self.store.statistics.sums, FIRST, []), [])


class MonthTests(RowsCase):
    """Months and years, of which every day is closed."""

    def setUp(self) -> None:
        """A gas meter, and the days of two months and some before and after."""
        super().setUp()
        self.put_devices(GAS)
        self.put_days(date(2024, 1, 20), date(2024, 4, 15))

    def bounds(self, month: int) -> tuple[int, int]:
        """Start and end of a month."""
        return LOCAL.day_start(date(2024, month, 1)), LOCAL.day_start(date(2024, month + 1, 1))

    def put_ends(self, month: int, electricity: tuple[bool, bool], gas: tuple[bool, bool] | None) -> None:
        """The quarters at the two ends of a month, inner ends in gaps; the outer ones as told."""
        start, end = self.bounds(month)
        last = end - QUARTER
        self.put(
            "quarter",
            [
                (FIRST, start, *(0,) * 8, None, None, electricity[0], True, None, None),
                (FIRST, last, *(0,) * 8, None, None, True, electricity[1], None, None),
            ],
        )
        if gas is not None:
            self.put_gas(1, start, 0, start=gas[0], end=True)
            self.put_gas(1, last, 0, start=True, end=gas[1])

    def test_a_month_is_the_sum_of_its_days(self) -> None:
        """It has the bounds of the calendar, all amounts, and the first readings of its first day."""
        self.put_ends(3, (False, False), (False, False))
        march = self.rows_of(SpanKind.MONTH)[2]
        first = FirstReadings(11, date(2024, 3, 1).toordinal(), 13, 14, 15, 16, 17)
        self.assertEqual(
            march,
            SpanRow(*self.bounds(3), Amounts(31, 62, 93, 124, 155), estimated=False, gas_estimated=False, first=first),
        )
        self.assertEqual(march.end - march.start, 31 * DAY - HOUR)

    def test_the_first_month_begins_with_the_first_day(self) -> None:
        """It has the bounds of the calendar, and is estimated, since it begins before the first reading."""
        january = self.rows_of(SpanKind.MONTH)[0]
        self.assertEqual((january.start, january.end), self.bounds(1))
        self.assertEqual((january.amounts.delivered_1, january.estimated, january.gas_estimated), (12, True, True))
        assert january.first is not None
        self.assertEqual(january.first.delivered_1, date(2024, 1, 20).toordinal())

    def test_a_month_is_estimated_by_its_own_two_ends(self) -> None:
        """A gap in the middle of a month takes nothing from it; one at an end does, for electricity or gas alone."""
        for ends in ((False, False), (True, False), (False, True)):
            for gas in ((False, False), (True, False), (False, True), None):
                self.on_writer("DELETE FROM quarter")
                self.on_writer("DELETE FROM device_quarter")
                self.put_ends(2, ends, gas)
                row = self.rows_of(SpanKind.MONTH)[1]
                self.assertEqual((row.estimated, row.gas_estimated), (any(ends), gas is None or any(gas)), (ends, gas))

    def test_a_month_that_ends_without_a_quarter_is_estimated(self) -> None:
        """Where the ledger has nothing to say of an end, the end is an estimate."""
        self.put_ends(2, (False, False), (False, False))
        self.on_writer(f"DELETE FROM quarter WHERE instant > {self.bounds(2)[0]}")
        row = self.rows_of(SpanKind.MONTH)[1]
        self.assertEqual((row.estimated, row.gas_estimated), (True, False))

    def test_a_month_without_gas_has_none_and_estimates_none(self) -> None:
        """Gas is absent while no day had any; with one day that had, the month has it."""
        self.on_writer("UPDATE day_statistics SET gas = NULL")
        for row in self.rows_of(SpanKind.MONTH):
            self.assertEqual((row.amounts.gas, row.gas_estimated), (None, False))
        self.on_writer(f"UPDATE day_statistics SET gas = 9 WHERE instant = {LOCAL.day_start(date(2024, 2, 20))}")
        rows = self.rows_of(SpanKind.MONTH)
        self.assertEqual([(row.amounts.gas, row.gas_estimated) for row in rows[:2]], [(None, False), (9, True)])

    def test_what_is_not_whole_is_not_listed(self) -> None:
        """April goes on; and a day that waits to be computed again keeps its month from the list."""
        self.assertEqual([row.start for row in self.rows_of(SpanKind.MONTH)], [self.bounds(n)[0] for n in (1, 2, 3)])
        self.on_writer(f"DELETE FROM day_statistics WHERE instant = {LOCAL.day_start(date(2024, 2, 20))}")
        self.assertEqual([row.start for row in self.rows_of(SpanKind.MONTH)], [self.bounds(n)[0] for n in (1, 3)])

    def test_days_that_were_made_anew(self) -> None:
        """Months are found in whatever order the rows of their days were written."""
        self.on_writer("DELETE FROM day_statistics")
        for day in (*range(16, 32), *range(1, 16)):
            self.put_days(date(2024, 3, day), date(2024, 3, day))
        self.assertEqual([row.start for row in self.rows_of(SpanKind.MONTH)], [self.bounds(3)[0]])

    def test_a_span_of_time_is_over_the_starts(self) -> None:
        """Both bounds are included."""
        january, february, march = (self.bounds(n)[0] for n in (1, 2, 3))
        for bounds, expected in (
            ((february, march), [february, march]),
            ((january + 1, march - 1), [february]),
            ((march, None), [march]),
            ((None, january), [january]),
        ):
            self.assertEqual([row.start for row in self.rows_of(SpanKind.MONTH, *bounds)], expected)

    def test_a_year_is_the_sum_of_its_days(self) -> None:
        """It is listed when it is over, from the first day on."""
        self.assertEqual(self.rows_of(SpanKind.YEAR), [])
        self.put_days(date(2024, 4, 16), date(2025, 12, 31))
        rows = self.rows_of(SpanKind.YEAR, descending=True)
        self.assertEqual([row.amounts.delivered_1 for row in rows], [365, 366 - 19])
        self.assertEqual((rows[0].start, rows[1].end), (LOCAL.day_start(date(2025, 1, 1)),) * 2)
