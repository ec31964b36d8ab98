"""Tests of dsmr_tw.domain.months: which months and years are whole."""

from __future__ import annotations

from datetime import date, timedelta

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.months import complete
from dsmr_tw.domain.spans import SpanKind

ZONE = MeterZone("Europe/Amsterdam")


def days(first: date, last: date, *without: date) -> list[int]:
    """The starts of the days from one to another, but for some."""
    all_days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [ZONE.day_start(day) for day in all_days if day not in without]


class CompleteTests(SynchronousTestCase):
    """Months and years of which every day is there."""

    def months(self, starts: list[int], kind: SpanKind = SpanKind.MONTH) -> list[str]:
        """The whole months (years), by the local days that they begin and end with."""
        spans = complete(kind, starts, ZONE)
        for start, end in spans:
            self.assertEqual((ZONE.local(start).hour, ZONE.local(end).hour), (0, 0))
        return [f"{ZONE.day_of(start)} {ZONE.day_of(end - 1)}" for start, end in spans]

    def test_without_days_there_are_no_months(self) -> None:
        """Before the first day is closed, no month is."""
        self.assertEqual(self.months([]), [])
        self.assertEqual(self.months([], SpanKind.YEAR), [])

    def test_a_month_is_whole_with_its_last_day(self) -> None:
        """The month that is under way is not listed until its last day is closed."""
        march = date(2024, 3, 1)
        self.assertEqual(self.months(days(march, date(2024, 3, 30))), [])
        self.assertEqual(self.months(days(march, date(2024, 3, 31))), ["2024-03-01 2024-03-31"])
        self.assertEqual(self.months(days(march, date(2024, 4, 29))), ["2024-03-01 2024-03-31"])

    def test_the_days_before_the_first_one_are_not_missed(self) -> None:
        """The month in which the meter was first heard counts from that day on, and has its own bounds."""
        self.assertEqual(self.months(days(date(2023, 11, 17), date(2023, 11, 30))), ["2023-11-01 2023-11-30"])
        self.assertEqual(
            self.months(days(date(2023, 11, 30), date(2024, 1, 31))),
            ["2023-11-01 2023-11-30", "2023-12-01 2023-12-31", "2024-01-01 2024-01-31"],
        )

    def test_a_month_with_a_hole_is_not_whole(self) -> None:
        """A day that waits to be computed again takes its month from the list, and no other."""
        hole = date(2024, 2, 29)
        self.assertEqual(
            self.months(days(date(2024, 1, 1), date(2024, 3, 31), hole)),
            ["2024-01-01 2024-01-31", "2024-03-01 2024-03-31"],
        )
        far = [*days(date(2024, 1, 31), date(2024, 1, 31)), *days(date(2024, 3, 1), date(2024, 3, 31))]
        self.assertEqual(self.months(far), ["2024-01-01 2024-01-31", "2024-03-01 2024-03-31"])

    def test_a_year_is_whole_with_its_last_day(self) -> None:
        """Years go by the same rule: the first from its first day on, the last when it is over."""
        first, last = date(2022, 6, 5), date(2024, 12, 31)
        self.assertEqual(
            self.months(days(first, last), SpanKind.YEAR),
            ["2022-01-01 2022-12-31", "2023-01-01 2023-12-31", "2024-01-01 2024-12-31"],
        )
        self.assertEqual(
            self.months(days(first, last, date(2023, 7, 1), last), SpanKind.YEAR), ["2022-01-01 2022-12-31"]
        )

    def test_the_last_month_that_can_be_told_is_a_month(self) -> None:
        """A clock in the far future does no harm."""
        spans = complete(SpanKind.MONTH, days(date(9999, 12, 1), date(9999, 12, 31)), ZONE)
        self.assertEqual(len(spans), 1)
        self.assertEqual(complete(SpanKind.YEAR, days(date(9999, 12, 1), date(9999, 12, 31)), ZONE)[0][1], spans[0][1])
