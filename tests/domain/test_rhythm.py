"""Tests of dsmr_tw.domain.rhythm: how long to wait between recorded telegrams."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.rhythm import Rhythm
from dsmr_tw.domain.telegram import RawTelegram


class RhythmTests(SynchronousTestCase):
    """Pauses between clocks."""

    def pauses(self, *clocks: str | None) -> list[float]:
        """The pauses before telegrams whose clocks show this; ``None`` for one without a clock."""
        rhythm = Rhythm(MeterZone("Europe/Amsterdam"))
        lines = ["" if clock is None else f"0-0:1.0.0({clock})\r\n" for clock in clocks]
        return [rhythm.pause(RawTelegram(f"/TST5\r\n\r\n{line}!".encode(), None)) for line in lines]

    def test_as_recorded(self) -> None:
        """As many seconds as between the clocks, and none before the first telegram."""
        self.assertEqual(self.pauses("240402120000S", "240402120001S", "240402120011S"), [0, 1, 10])

    def test_when_the_clock_changes(self) -> None:
        """The hour that comes twice is no hour of silence."""
        self.assertEqual(self.pauses("241027025959S", "241027020004W"), [0, 5])

    def test_gaps(self) -> None:
        """A gap of the recording is cut to half a minute."""
        self.assertEqual(self.pauses("240402120000S", "240402120029S", "240403120000S"), [0, 29, 30])

    def test_without_clocks(self) -> None:
        """A second where a clock is missing, was never set, stands still or goes back."""
        self.assertEqual(self.pauses(None, None, "240402120000S", "000101000000W"), [0, 1, 1, 1])
        self.assertEqual(self.pauses("240402120000S", "240402120000S", "240402110000S"), [0, 1, 1])
