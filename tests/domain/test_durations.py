"""Tests of dsmr_tw.domain.durations: how long something took, without remembering each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.durations import BOUNDS, Durations


class DurationsTests(SynchronousTestCase):
    """Counts, and a sum."""

    @given(st.lists(st.integers(0, 10_000_000)))
    def test_each_is_counted_once(self, took: list[int]) -> None:
        """Of any durations it is known how many were within each bound, and what they add up to."""
        durations = Durations()
        for each in took:
            durations.add(each)
        self.assertEqual(durations.within(), [*(sum(t <= bound for t in took) for bound in BOUNDS), len(took)])
        self.assertEqual(durations.sum_us, sum(took))

    def test_a_clock_that_is_set_back(self) -> None:
        """Nothing takes less than no time."""
        durations = Durations()
        durations.add(-3_600_000_000)
        self.assertEqual((durations.sum_us, durations.within()[0]), (0, 1))
