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

    def test_nothing_to_do(self) -> None:
        """A work without steps is done at once, on a terminal and off it."""
        for stream in (Terminal(), io.StringIO()):
            with capturedLogs() as events:
                Progress("Thinning out", stream).advance(0, 0)
            self.assertEqual(events, [])

    def test_what_is_done_may_be_told_in_all(self) -> None:
        """A work that tells how far it is, now and then a little too much, fills the bar once and no further."""
        terminal = Terminal()
        progress = Progress("Rebuilding", terminal)
        for done in (30, 30, 20, 90, 120):
            progress.reach(done, 100)
        self.assertIn("90%", terminal.getvalue())
        self.assertEqual(terminal.getvalue().count("\n"), 1)

    def test_a_work_that_is_broken_off(self) -> None:
        """What is printed next does not stand behind the bar; a work that never began has none."""
        terminal = Terminal()
        progress = Progress("Rebuilding", terminal)
        progress.end()
        self.assertEqual(terminal.getvalue(), "")
        progress.advance(30, 100)
        progress.end()
        progress.end()
        self.assertTrue(terminal.getvalue().endswith("\n"))
        self.assertEqual(terminal.getvalue().count("\n"), 1)
