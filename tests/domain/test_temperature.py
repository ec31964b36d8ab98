"""Tests of dsmr_tw.domain.temperature."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.temperature import Temperature, TemperatureSummary, summary
from tests.arrivals import NOON


class TemperatureTests(SynchronousTestCase):
    """One measurement."""

    def test_a_fraction_of_a_second_is_cut_off(self) -> None:
        """Two measurements of one second are one, before 1970 too."""
        self.assertEqual(Temperature(NOON + 999_999, 73), Temperature(NOON, 73))
        self.assertEqual(Temperature(-1, 73).at, -SECOND)


class SummaryTests(SynchronousTestCase):
    """What the measurements of a stretch of time come to."""

    def test_nothing_was_measured(self) -> None:
        """Then there is no temperature, and not one of 0 degrees."""
        self.assertIsNone(summary(None, None, None, 0))

    def test_the_average_is_rounded_half_up(self) -> None:
        """To the tenth that is nearer; in the middle, away from zero."""
        for total, measurements, average in (
            (0, 3, 0),
            (4, 3, 1),
            (5, 3, 2),
            (5, 2, 3),
            (-5, 2, -3),
            (-4, 3, -1),
            (-1, 3, 0),
        ):
            self.assertEqual(summary(-9, 9, total, measurements), TemperatureSummary(-9, 9, average), total)
