"""The forms of values in JSON. Whole answers are tested with the routes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.api import shapes
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import StoredReading
from tests.arrivals import gas, reading

ZONE = meter_zone("Europe/Amsterdam")


class ReadingTests(SynchronousTestCase):
    """Readings."""

    def test_values(self) -> None:
        """Decimals are texts, voltages with one decimal, currents whole, absent is ``None``."""
        stored = StoredReading(7, reading(voltages=(230_149, 230_150, None), currents=(1_499, 1_500, None)), gas())
        shown = shapes.stored_reading(stored, shapes.shown_in(None))
        self.assertEqual(len(shown), 22)
        self.assertEqual(shown["id"], 7)
        self.assertEqual(shown["timestamp"], "2024-04-02T10:00:00Z")
        self.assertEqual(shown["electricity_delivered_1"], "1000.000")
        self.assertEqual(shown["phase_currently_delivered_l2"], "0.100")
        self.assertEqual([shown[f"phase_voltage_l{n}"] for n in (1, 2, 3)], ["230.1", "230.2", None])
        self.assertEqual([shown[f"phase_power_current_l{n}"] for n in (1, 2, 3)], [1, 2, None])
        self.assertEqual(shown["extra_device_delivered"], "500.000")

    def test_local(self) -> None:
        """Instants may be shown in the meter's zone."""
        stored = StoredReading(7, reading(), gas())
        shown = shapes.stored_reading(stored, shapes.shown_in(ZONE))
        self.assertEqual(shown["timestamp"], "2024-04-02T12:00:00+02:00")
        self.assertEqual(shown["extra_device_timestamp"], "2024-04-02T12:00:00+02:00")
