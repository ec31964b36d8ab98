"""Servers and commands that are killed in the midst of their work: nothing that was acknowledged is lost or doubled.

The same with as many kills as one likes: ``python -m benchmarks.kills``.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.brief import tried_once
from tests.live.killing import Tally
from tests.live.lives import Life
from tests.live.shortlives import Beginning, Migrating, Thinning
from tests.postgres import own_server


@tried_once
class KillTests(SynchronousTestCase):
    """Twenty kills in all, seven in a brief run."""

    def setUp(self) -> None:
        """Count from nothing, with the same chance each time."""
        self.folder = Path(self.mktemp()).resolve()
        self.tally, self.chance = Tally(), Random(20)

    def assert_all_is_well(self, kills: int) -> None:
        """Nothing was wrong after so many kills."""
        self.assertEqual(self.tally.wrong, [])
        self.assertEqual(sum(self.tally.kills.values()), kills)
        self.assertGreater(self.tally.looked_for, 0)

    def live(self, life: Life, cycles: int) -> None:
        """A life with four kills in each cycle."""
        with life.living():
            for _ in range(cycles):
                life.cycle()
            life.verify()
        self.assert_all_is_well(4 * cycles)

    def test_with_sqlite(self) -> None:
        """In commits, in the spool while it grows and while it drains, and in rebuilds: all is there once."""
        self.live(Life(self.folder, self.tally, self.chance), 2)
        self.assertGreater(self.tally.inside["commit"], 0)

    def test_with_postgresql(self) -> None:
        """The same with a database on a server."""
        server = own_server(fsync=True)
        self.addCleanup(server.dispose)
        url = server.database()
        self.live(Life(self.folder, self.tally, self.chance, url, lambda sql: server.ask(sql, url)), 1)

    def test_in_migrations(self) -> None:
        """The next start goes on from where the last one was: every reading is there, and a whole backup."""
        migrating = Migrating(self.folder, self.tally, self.chance)
        kills = 3
        for _ in range(kills):
            migrating.kill_migrating()
        self.assert_all_is_well(kills)

    def test_in_retention(self) -> None:
        """Run again, it leaves what it would have left the first time, and the ledger as it was."""
        thinning = Thinning(self.folder, self.tally, self.chance)
        kills = 2
        for _ in range(kills):
            thinning.kill_thinning()
        self.assert_all_is_well(kills)

    def test_in_first_starts(self) -> None:
        """The owner has a key that is valid, and no other than the one that was in the file already."""
        beginning = Beginning(self.folder, self.tally, self.chance)
        kills = 3
        for _ in range(kills):
            beginning.kill_writing()
        self.assertEqual(self.tally.wrong, [])
        self.assertEqual(sum(self.tally.kills.values()), kills)
