"""The row of a day is there within a minute after midnight, on a day of 23 or 25 hours, too."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.domain.spans import SpanKind
from dsmr_tw.rollup import RollupService
from dsmr_tw.store.connect import store_at
from dsmr_tw.stored import SpanFilter
from tests.arrivals import MINUTE, gas, heard

ZONE = meter_zone("Europe/Amsterdam")
EVERY = 5 * MINUTE


class MidnightTests(SynchronousTestCase):
    """A service whose clock runs through months, and a meter that prints a telegram every five minutes."""

    def make_url(self) -> str | None:
        """An empty database, if it is not a file."""
        return None

    def serve(self, day: date) -> None:
        """Begin at the midnight that a day begins with."""
        self.clock = Clock()
        self.clock.advance(ZONE.day_start(day) / SECOND)
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = store_at(self.make_url(), path, ZONE.name, maybeDeferred, maybeDeferred)
        self.successResultOf(self.store.open())
        self.addCleanup(self.store.close)
        rollup = RollupService(self.clock, self.store.ledger)
        rollup.startService()
        self.addCleanup(rollup.stopService)

    def pass_time(self, until: int, gas_until: int | None = None) -> None:
        """Let telegrams come up to an instant, each with the gas of its mark unless the gas meter is silent."""
        now = int(self.clock.seconds()) * SECOND
        for at in range(now - now % EVERY + EVERY, until + 1, EVERY):
            self.clock.advance((at + 5 * SECOND) / SECOND - self.clock.seconds())
            # The gas meter reports on the mark; the telegram that tells of it is five seconds younger.
            devices = () if gas_until is not None and at > gas_until else (gas(at, value=at // MINUTE % 10_000_000),)
            telegram = heard(at + 5 * SECOND, *devices)
            self.successResultOf(self.store.readings.add([[telegram]], at + 5 * SECOND))

    def days(self) -> list[date]:
        """The days whose rows are there."""
        page = self.successResultOf(self.store.statistics.page(SpanFilter(SpanKind.DAY, 1), False, 0, 100))
        return [ZONE.day_of(row.start) for row in page.rows]

    def assert_prompt(self, first: date, number: int) -> None:
        """After each midnight the row of the day that ended is there within a minute, and not before."""
        self.serve(first)
        expected: list[date] = []
        for day in (first + timedelta(days) for days in range(number)):
            midnight = ZONE.bounds(day)[1]
            self.pass_time(midnight - EVERY)
            self.assertEqual(self.days(), expected)
            self.pass_time(midnight)
            self.clock.advance(60 - 5)
            expected.append(day)
            self.assertEqual(self.days(), expected)

    def test_a_month(self) -> None:
        """Each day of a month is there on time, the one of 23 hours among them."""
        self.assert_prompt(date(2024, 3, 3), 31)

    def test_the_day_of_25_hours(self) -> None:
        """So is the longest day of the year."""
        self.assert_prompt(date(2024, 10, 26), 3)

    def test_a_device_that_is_late(self) -> None:
        """A day is not closed before the gas of its last minutes is known; then it is, within a minute."""
        day = date(2024, 4, 2)
        self.serve(day)
        midnight = ZONE.bounds(day)[1]
        self.pass_time(midnight + HOUR, gas_until=midnight - HOUR)
        self.clock.advance(60)
        self.assertEqual(self.days(), [])
        self.pass_time(midnight + HOUR + EVERY)
        self.clock.advance(60)
        self.assertEqual(self.days(), [day])

    def test_a_device_that_is_silent(self) -> None:
        """A gas meter that has not been heard for four hours is waited for no longer than one hour."""
        day = date(2024, 4, 2)
        self.serve(day)
        midnight = ZONE.bounds(day)[1]
        self.pass_time(midnight + HOUR - EVERY, gas_until=midnight - 4 * HOUR)
        self.clock.advance(60)
        self.assertEqual(self.days(), [])
        self.pass_time(midnight + HOUR, gas_until=midnight - 4 * HOUR)
        self.clock.advance(60)
        self.assertEqual(self.days(), [day])

    def test_a_meter_that_is_silent(self) -> None:
        """A day in whose night nothing came is closed by the first telegram after it."""
        day = date(2024, 4, 2)
        self.serve(day)
        midnight = ZONE.bounds(day)[1]
        self.pass_time(midnight - 2 * HOUR)
        self.clock.advance((DAY // 4) / SECOND)
        self.assertEqual(self.days(), [])
        now = int(self.clock.seconds()) * SECOND
        self.pass_time(now - now % EVERY + EVERY)
        self.clock.advance(60)
        self.assertEqual(self.days(), [day])
