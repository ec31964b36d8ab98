"""The power is cut under a server: nothing that it has acknowledged is lost or doubled, and it starts again."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.brief import tried_once
from tests.powercut.cutting import START_S, Life, Wrong
from tests.powercut.lives import CARELESS_SPOOL, SQLITE_NORMAL, SQLITE_OFF, SpoolLife, SqliteLife

SQLITE_CUTS = 14
SPOOL_CUTS = 6
CARELESS_CUTS = 12


@tried_once
class CutsTests(SynchronousTestCase):
    """A disk, a server, and clients that post."""

    def live(self, life: Life, cuts: int) -> None:
        """Live through so many cuts."""
        self.addCleanup(life.end)
        for _ in life.live(cuts):
            pass
        self.assertGreater(life.posting.stored, 0)
        self.assertGreater(life.unsafe, 0)
        self.assertLess(max(life.starts_s), START_S)

    def test_sqlite(self) -> None:
        """All that was answered with 201 is served once, with the ledger that a rebuild makes of it."""
        self.live(SqliteLife(Path(self.mktemp()).resolve(), 1), SQLITE_CUTS)

    def test_spool(self) -> None:
        """While the database is away it waits in the spool, and is stored once when that is back."""
        self.live(SpoolLife(Path(self.mktemp()).resolve(), 1), SPOOL_CUTS)


@tried_once
class CarelessTests(SynchronousTestCase):
    """Servers that must fail here, or the others would prove nothing."""

    def fails(self, life: Life) -> None:
        """It loses something soon."""
        self.addCleanup(life.end)
        with self.assertRaises(Wrong) as caught:
            for _ in life.live(CARELESS_CUTS):
                pass
        self.assertRegex(str(caught.exception), "CUT-. lost|CUT-.: lost|does not start|damaged")

    def test_sqlite_that_does_not_wait_for_the_disk(self) -> None:
        """With ``synchronous=OFF`` acknowledged readings are lost."""
        self.fails(SqliteLife(Path(self.mktemp()).resolve(), 1, SQLITE_OFF))

    def test_sqlite_that_waits_for_the_disk_now_and_then(self) -> None:
        """So they are with ``synchronous=NORMAL``, as is often advised with a write-ahead log."""
        self.fails(SqliteLife(Path(self.mktemp()).resolve(), 1, SQLITE_NORMAL))

    def test_a_spool_that_does_not_wait_for_the_disk(self) -> None:
        """Without fsync acknowledged telegrams are lost."""
        self.fails(SpoolLife(Path(self.mktemp()).resolve(), 1, CARELESS_SPOOL))
