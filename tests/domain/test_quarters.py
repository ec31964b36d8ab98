"""Tests of dsmr_tw.domain.quarters: a gap of days is told as one, and is what its quarters would be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain import ledger
from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.pace import Pace
from dsmr_tw.domain.quarters import Gap, Quarter, count, each, within
from tests.walking import TEN_A_MINUTE, TEN_A_MINUTE_OF_GAS, finished, minute

DAY = 24 * 60


class GapTests(SynchronousTestCase):
    """Readings far apart."""

    def test_a_gap_is_told_as_one(self) -> None:
        """Ten years without a reading take no more memory than ten days."""
        for days in (10, 3650):
            walk = finished(f"5=100 {days * DAY + 5}=200")
            self.assertEqual([type(one) for one in walk.told], [Quarter, Gap, Quarter])
            self.assertEqual(count(walk.told), days * 96 + 1)

    @given(
        st.sampled_from([TEN_A_MINUTE, TEN_A_MINUTE_OF_GAS]),
        st.integers(0, 16),
        st.integers(DAY - 20, 3 * DAY),
        st.integers(-50, 5000),
        st.sampled_from(["", "A", "B"]),
    )
    def test_its_quarters_are_those_of_a_walk(
        self, pace: Pace, start: int, length: int, rise: int, letter: str
    ) -> None:
        """Told as one or one by one, the quarters are the same: rising, staying, or of another meter."""
        text = f"{start}=100A {start + length}={100 + rise}{letter} {start + length + 1}={101 + rise}{letter}"
        whole = finished(text, pace)
        patched = self.patch(ledger, "LONG", NEVER)
        single = finished(text, pace)
        patched.restore()
        self.assertTrue(all(isinstance(one, Quarter) for one in single.told))
        self.assertEqual(whole.quarters, single.quarters)
        self.assertEqual(whole.epochs, single.epochs)

    def test_a_part_of_it(self) -> None:
        """What is asked of a time that cuts a gap is that part of it, and nothing where there is none."""
        walk = finished(f"5=100 {10 * DAY + 5}=200")
        for start, end in ((DAY, 2 * DAY), (-DAY, DAY), (9 * DAY, 20 * DAY), (0, 15), (-DAY, 0), (11 * DAY, 12 * DAY)):
            bounds = minute(start), minute(end)
            expected = [quarter for quarter in walk.quarters if bounds[0] <= quarter.start < bounds[1]]
            self.assertEqual(list(each(within(walk.told, *bounds))), expected)
