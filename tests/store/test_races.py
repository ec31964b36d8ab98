"""Tests of dsmr_tw.store.pieces and marks: whatever happens between two transactions of a tick, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

from dsmr_tw.store import pieces
from tests.store.test_ledger import LATER, MarksCase, Meanwhile
from tests.walking import gas_values, minute, steady, telegrams

LATE = "7:30=9 61:30=63 133:30=134"
"""Readings near both ends of what is computed, and in the middle."""

POINTS = range(1, 16)
"""A tick has fewer transactions of each kind than the last of these."""


class RacesTests(MarksCase):
    """Somebody else is at work between any two transactions of a tick."""

    def setUp(self) -> None:
        """Let a tick have many transactions."""
        super().setUp()
        self.patch(pieces, "QUARTERS_AT_ONCE", 3)

    def add_late(self) -> None:
        """Another program stores readings."""
        with self.beside():
            self.add(*telegrams(LATE), *gas_values("65=1"))

    def tick_beside(self) -> None:
        """Another program computes what is marked."""
        with self.beside():
            self.tick(minute(LATER))

    def add_and_tick(self) -> None:
        """Another program does both."""
        self.add_late()
        self.tick_beside()

    def check_everywhere(self, action: Callable[[], object]) -> None:
        """Wherever it happens, no mark is left in the end, and the ledger is what a rebuild makes of the readings."""
        happened = {self.points(runner, action) for runner in (self.reading, self.writing)}
        self.assertNotIn(0, happened)
        self.assertGreater(max(happened), 4)
        self.assertLess(max(happened), len(POINTS))

    def points(self, runner: Meanwhile, action: Callable[[], object]) -> int:
        """Let it happen after the first, the second … transaction; behind how many there are it did."""
        happened = []

        def happen() -> None:
            happened.append(point)
            action()

        for point in POINTS:
            self.begin_anew()
            self.add(*telegrams(steady(0, 150)), *gas_values("0=0 60=3 120=6"))
            runner.after(point, happen)
            self.tick(minute(LATER))
            runner.after(0, lambda: None)
            self.catch_up(minute(LATER))
            self.assertEqual(self.marks(), [], point)
            self.assert_as_if_computed_anew()
        return len(happened)

    def test_late_readings(self) -> None:
        """They are in the ledger, whatever was computed without them."""
        self.check_everywhere(self.add_late)

    def test_a_second_ticker(self) -> None:
        """What both compute is written once."""
        self.check_everywhere(self.tick_beside)

    def test_late_readings_that_the_other_computes(self) -> None:
        """What was computed before is not written over it."""
        self.check_everywhere(self.add_and_tick)
