"""Tests of dsmr_tw.cli.rebuild."""

from __future__ import annotations

import io
import shlex
from contextlib import redirect_stderr, redirect_stdout

from click.testing import CliRunner

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import DAY, HOUR
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, gas, heard
from tests.cli.besidecase import BesideCase, Impatient


class RebuildTests(BesideCase):
    """The ledger is computed anew beside a running server."""

    verb = "rebuild"

    def setUp(self) -> None:
        """Three days of a house, whose rows somebody has spoilt."""
        super().setUp()
        self.add(*(heard(NOON + n * HOUR, gas(NOON + n * HOUR, n), delivered_1=n) for n in range(73)))
        self.settle()
        self.assertEqual(self.hours(), [1] * 72)
        self.spoil()

    def settle(self, meter_id: int = 1) -> None:
        """Compute what is marked."""
        while result_of(self.store.ledger.recompute(meter_id, NOON + 9 * DAY)):
            pass
        while result_of(self.store.ledger.close(meter_id, NOON + 9 * DAY)):
            pass

    def spoil(self) -> None:
        """Make the amount of each hour a wrong one."""
        self.store.database.writer().execute("UPDATE hour_statistics SET delivered_1 = 999")
        self.assertEqual(set(self.hours()), {999})

    def test_everything(self) -> None:
        """All is right again, and a sentence says how much it was; there is no bar off a terminal."""
        said = self.done()
        self.assertRegex(said, r"^Rebuilt Meter 1: 146 readings and values in \d+\.\d seconds\.\n$")
        self.assertEqual(self.hours(), [1] * 72)

    def test_some_days(self) -> None:
        """From the midnight before the first day to the one after the last; other days are left alone."""
        self.done("--from", "2024-04-03", "--to", "2024-04-04")
        self.assertEqual(self.hours(), [999] * 12 + [1] * 48 + [999] * 12)
        self.spoil()
        self.done("--from", "2024-04-05")
        self.assertEqual(self.hours(), [999] * 60 + [1] * 12)
        self.spoil()
        self.done("--to", "2024-04-02")
        self.assertEqual(self.hours(), [1] * 12 + [999] * 60)

    def test_days_the_wrong_way_round(self) -> None:
        """A typing error is told."""
        self.assertIn(
            "--from 2024-04-04 is after --to 2024-04-03.", self.refused("--from", "2024-04-04", "--to", "2024-04-03")
        )
        self.assertEqual(set(self.hours()), {999})

    def test_meters(self) -> None:
        """All of them, or the one that is named by its id or name."""
        later = NOON + 73 * HOUR
        other = [heard(later + n * HOUR, origin=SECOND_CABLE, equipment_id=OTHER_METER) for n in range(5)]
        self.add(heard(later), *other)
        self.assertRegex(self.done("--meter", "Meter 2"), "^Rebuilt Meter 2: 5 readings")
        self.assertEqual(set(self.hours()), {999})
        self.assertIn(
            "There is no meter '3'; those that there are: 1 (Meter 1), 2 (Meter 2).", self.refused("--meter", "3")
        )
        self.assertRegex(self.done(), "^Rebuilt Meter 1, Meter 2: 152 readings and values in")
        self.assertNotIn(999, self.hours())

    def test_nothing_to_compute(self) -> None:
        """A meter without a reading is rebuilt in no time."""
        self.store.database.writer().execute("DELETE FROM reading")
        self.assertIn("Rebuilt Meter 1: 73 readings", self.done())
        self.assertEqual(self.hours(), [])

    def test_a_bar(self) -> None:
        """A terminal shows how far it is."""
        terminal = Impatient(101)
        with redirect_stdout(io.StringIO()), redirect_stderr(terminal), self.assertRaises(SystemExit) as caught:
            main([self.verb, "--state-dir", str(self.path)])
        self.assertEqual(caught.exception.code, 0)
        self.assertIn("Rebuilding", terminal.getvalue())
        self.assertIn("100%", terminal.getvalue())

    def test_ctrl_c(self) -> None:
        """It stops with a sentence on a line of its own; what is done is right, and it can be run again."""
        said, shown = self.interrupted(percent=50)
        self.assertEqual(
            said, "Stopped. What is computed anew is right, and so is the rest; run it again at any time.\n"
        )
        self.assertTrue(shown.endswith("\n"), shown)
        self.assertEqual(self.hours(), [1] * 72)
        self.done()

    def test_examples(self) -> None:
        """The examples in the help can be typed as they stand."""
        self.add(heard(NOON + 73 * HOUR), heard(NOON + 73 * HOUR, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        shown = CliRunner().invoke(main, ["rebuild", "--help"]).output
        for line in shown.splitlines():
            if line.startswith("    dsmr rebuild"):
                self.done(*shlex.split(line)[2:])
