"""Tests of dsmr_tw.domain.reading: what may enter ledger, today and live values."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT
from dsmr_tw.domain.reading import DAY, HOUR, SECOND, YEAR_2000, YEAR_2020, counts
from tests.arrivals import NOON


class CountsTests(SynchronousTestCase):
    """Which instants count, given when they arrived."""

    def test_what_is_dated_by_its_arrival_counts(self) -> None:
        """The usual telegram was printed a moment ago."""
        self.assertTrue(counts(NOON, NOON))
        self.assertTrue(counts(NOON - SECOND, NOON))

    def test_the_past_counts_however_late_it_comes(self) -> None:
        """Old readings may be brought in at any time, from the year 2000 on."""
        self.assertTrue(counts(NOON - 20 * 365 * DAY, NOON))
        self.assertTrue(counts(YEAR_2000, NOON))

    def test_what_is_before_2000_does_not_count(self) -> None:
        """No smart meter was there yet: it is a clock that was never set."""
        self.assertFalse(counts(YEAR_2000 - 1, NOON))
        self.assertFalse(counts(FIRST_INSTANT, NOON))
        self.assertFalse(counts(0, 0))

    def test_a_day_ahead_is_a_clock_in_another_zone(self) -> None:
        """Up to twenty-four hours after the arrival an instant counts, and not a microsecond more."""
        self.assertTrue(counts(NOON + HOUR, NOON))
        self.assertTrue(counts(NOON + DAY, NOON))
        self.assertFalse(counts(NOON + DAY + 1, NOON))
        self.assertFalse(counts(LAST_INSTANT, NOON))

    def test_a_server_that_was_not_told_the_time_does_not_judge(self) -> None:
        """A small computer without a clock boots in 1970; its meter knows better."""
        self.assertTrue(counts(NOON, 5 * SECOND))
        self.assertTrue(counts(NOON, YEAR_2020 - 1))
        self.assertFalse(counts(NOON, YEAR_2020))
        self.assertFalse(counts(YEAR_2000 - 1, 5 * SECOND))

    def test_the_named_years_begin_where_they_say(self) -> None:
        """2000 and 2020 begin at midnight UTC, twenty years and five leap days apart."""
        self.assertEqual(YEAR_2020 - YEAR_2000, (20 * 365 + 5) * DAY)
        self.assertEqual(YEAR_2000, (30 * 365 + 7) * DAY)
