"""Tests of dsmr_tw.progress."""

from __future__ import annotations

import io

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.progress import Progress


class Terminal(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class ProgressTests(SynchronousTestCase):
    """A person sees how far a long work is."""

    def test_a_terminal_shows_a_bar(self) -> None:
        """The bar is full at the end."""
        terminal = Terminal()
        progress = Progress("Filling the past", terminal)
        for _ in range(4):
            progress.advance(25, 100)
        self.assertIn("Filling the past", terminal.getvalue())
        self.assertIn("100%", terminal.getvalue())

    def test_a_log_tells_of_each_tenth(self) -> None:
        """A service without a terminal logs ten lines, whatever the size of the work."""
        progress = Progress("Filling the past", io.StringIO())
        with capturedLogs() as events:
            for _ in range(1000):
                progress.advance(1, 1000)
        told = [formatEvent(event) for event in events]
        self.assertEqual(told, [f"Filling the past: {tenth}0 %" for tenth in range(1, 11)])
