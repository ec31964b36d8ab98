"""Tests of dsmr_tw.leftspools."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.leftspools import LeftSpools
from dsmr_tw.spool import Spool
from tests.serving import Work


class LeftSpoolsTests(SynchronousTestCase):
    """Telegrams that were left behind are found."""

    def setUp(self) -> None:
        """A server beside which others have been."""
        self.parent = Path(self.mktemp()).resolve()
        self.own = self.parent / "dsmr"
        self.own.mkdir(parents=True)
        self.left = LeftSpools(self.own, maybeDeferred)

    def fill(self, name: str) -> Spool:
        """A spool with a telegram in it, in use."""
        spool = Spool(self.parent / name / "spool", maybeDeferred)
        spool.open()
        self.addCleanup(spool.close)
        self.successResultOf(spool.append([b"a telegram"]))
        return spool

    def found(self) -> list[str]:
        """What is found now, by the names of the state directories."""
        self.assertIsNone(self.successResultOf(self.left.look()))
        return [Path(path).parent.name for path in self.left.found()]

    def test_one_that_nobody_drains(self) -> None:
        """It is found until it is drained, and while nobody uses it."""
        self.assertEqual(self.left.found(), ())
        spool = self.fill("before")
        self.assertEqual(self.found(), [])
        spool.close()
        self.assertEqual(self.found(), ["before"])
        self.assertEqual(self.left.found(), [str(self.parent / "before" / "spool")])
        spool.open()
        self.successResultOf(spool.read(9, bytes))
        self.successResultOf(spool.forget(1))
        spool.close()
        self.assertEqual(self.found(), [])

    def test_ones_own_is_none(self) -> None:
        """What waits for this very server is no news."""
        self.fill("dsmr").close()
        self.assertEqual(self.found(), [])

    def test_what_others_call_a_spool(self) -> None:
        """A directory of another program is left alone."""
        (self.parent / "printer" / "spool").mkdir(parents=True)
        (self.parent / "printer" / "spool" / "0000000001.spool").write_text("a letter, to be printed")
        (self.parent / "mail").mkdir()
        (self.parent / "mail" / "spool").write_text("a file")
        (self.parent / "news").write_text("a file")
        odd = self.parent / "odd" / "spool" / "0000000001.spool"
        odd.mkdir(parents=True)
        self.fill("before").close()
        self.assertEqual(self.found(), ["before"])

    def test_a_parent_that_cannot_be_looked_at(self) -> None:
        """Then there is nothing to tell."""
        self.left = LeftSpools(self.parent / "no" / "such", maybeDeferred)
        self.assertEqual(self.found(), [])

    def test_looking_never_fails(self) -> None:
        """Whatever goes wrong is in the log, and the next look may succeed."""
        self.left = LeftSpools(self.own, Work(RuntimeError("a bug")))
        self.assertEqual(self.found(), [])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
