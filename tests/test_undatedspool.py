"""Tests of dsmr_tw.undatedspool: where telegrams wait that nobody can date yet."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.clock import Boot
from dsmr_tw.domain.spooled import record_of
from dsmr_tw.spool import Spool
from dsmr_tw.undatedspool import undated_spool
from tests.arrivals import NOON
from tests.spoolingcase import taken


class UndatedSpoolTests(SynchronousTestCase):
    """A state directory, over several runs of a machine."""

    def setUp(self) -> None:
        """Nothing was ever there."""
        self.state = Path(self.mktemp()).resolve()
        self.state.mkdir()
        self.clock = Clock()

    def spool(self, boot: str, leave: int = 0) -> tuple[int | None, str]:
        """Begin in this run and leave so many telegrams: how many waited, ``None`` for no spool; and the log."""
        with capturedLogs() as events:
            spool = undated_spool(self.state, self.clock, Boot(boot), maybeDeferred)  # type: ignore[arg-type]
        waited = None
        if spool is not None:
            waited = spool.records
            if leave:
                self.successResultOf(spool.append([record_of(taken(number)) for number in range(leave)]))
            spool.close()
        return waited, "\n".join(formatEvent(event) for event in events)

    def test_a_clock_that_is_set(self) -> None:
        """Nothing waits for a date, so there is nothing on disk either."""
        self.clock.advance(NOON / 1_000_000)
        self.assertEqual(self.spool("one"), (None, ""))
        self.assertEqual(list(self.state.iterdir()), [])

    def test_another_process_of_the_same_run(self) -> None:
        """It finds what the one before it left, also when the clock was set meanwhile."""
        self.assertEqual(self.spool("one", leave=2), (0, ""))
        self.assertEqual(self.spool("one"), (2, ""))
        self.clock.advance(NOON / 1_000_000)
        self.assertEqual(self.spool("one"), (2, ""))

    def test_the_next_run(self) -> None:
        """What nobody can date any more is told of and kept; an empty directory goes."""
        self.spool("one", leave=2)
        self.spool("two")
        waited, logged = self.spool("three")
        self.assertEqual(waited, 0)
        self.assertIn("2 telegrams have no date, and nobody knows it", logged)
        self.assertIn(str(self.state / "undated" / "one"), logged)
        self.assertEqual(sorted(path.name for path in (self.state / "undated").iterdir()), ["one", "three"])
        left = Spool(self.state / "undated" / "one", maybeDeferred)
        left.survey()
        self.assertEqual(left.records, 2)

    def test_a_stray_file(self) -> None:
        """What is no directory is no concern of ours."""
        (self.state / "undated").mkdir()
        (self.state / "undated" / "note").write_text("hello")
        self.assertEqual(self.spool("one"), (0, ""))
