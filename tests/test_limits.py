"""Tests of dsmr_tw.limits: how often each bound was met."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.limits import NAMES, Limits


class LimitsTests(SynchronousTestCase):
    """The counters that /health shows."""

    def test_every_limit_is_shown_before_it_is_met(self) -> None:
        """Zero is an answer, too."""
        self.assertEqual(dict(Limits().hits), dict.fromkeys(NAMES, 0))

    def test_each_time_is_counted_for_its_own_limit(self) -> None:
        """Once, or several times at once."""
        limits = Limits()
        limits.hit("page_rows")
        limits.hit("page_rows", 2)
        limits.hit("unknown_lines")
        self.assertEqual((limits.hits["page_rows"], limits.hits["unknown_lines"]), (3, 1))
        self.assertEqual(sum(limits.hits.values()), 4)

    def test_two_services_count_apart(self) -> None:
        """One process may hold several, in tests at least."""
        first, second = Limits(), Limits()
        first.hit("connections")
        self.assertEqual(second.hits["connections"], 0)
