"""The power is cut while a database is brought up to date: the next start does it, and the database as it was stays."""

from __future__ import annotations

import select
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

from dsmr_tw.store.migrate import migrate_sqlite, migrations
from tests.brief import tried_once
from tests.live.running import ROOT, unmeasured
from tests.powercut.poweredcase import PoweredCase

CUTS = 4
READINGS = 3_000
CHANGES = 250
"""An upgrade with so many readings is not so many changes of the disk; a cut after it is one, too."""

OPEN = """
import sys
from pathlib import Path
from twisted.internet.defer import maybeDeferred
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
store = sqlite_store(Path(sys.argv[1]), "Europe/Amsterdam", maybeDeferred, maybeDeferred)
result_of(store.open())
result_of(store.close())
"""


@tried_once
class UpgradeTests(PoweredCase):
    """A database of the first schema, with readings."""

    def old_database(self, path: Path) -> None:
        """Write it; it is safe."""
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate_sqlite(connection, path, migrations("sqlite")[:1])
            connection.execute("BEGIN")
            connection.execute("INSERT INTO meter VALUES (1, 'Meter 1', 'Europe/Amsterdam', 0)")
            connection.executemany(
                "INSERT INTO reading VALUES (1, ?, ?, 0, NULL, 1, 2, 3, 4, 5, NULL, NULL)",
                [(number * 10_000_000, number) for number in range(READINGS)],
            )
            connection.execute("COMMIT")
        self.disk.make_safe()

    def upgrading(self, path: Path) -> subprocess.Popen[bytes]:
        """A program that opens it."""
        return subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)], cwd=ROOT, stdout=subprocess.PIPE, env=unmeasured()
        )

    def test_cut_anywhere(self) -> None:
        """Each reading is there once, in the new schema; and in the old one in the backup."""
        newest, chance = migrations("sqlite")[-1].number, Random(1)
        for number in range(CUTS):
            path = self.path / f"{number}.sqlite3"
            self.old_database(path)
            self.disk.cut_after(chance.randint(1, CHANGES))
            with self.upgrading(path) as process:
                assert process.stdout is not None
                readable, _, _ = select.select([process.stdout.fileno(), self.disk.fileno()], [], [])
                if self.disk.fileno() not in readable:
                    self.disk.cut_after(0)
                self.disk.wait_for("dark")
                process.kill()
                self.disk.power_on(str(number))
            with self.upgrading(path) as process:
                self.assertEqual(process.wait(), 0)
            self.assertEqual(self.held(path), (newest, READINGS, "ok"))
            self.assertEqual(self.held(path.with_name(f"{path.name}.schema-1.backup")), (1, READINGS, "ok"))

    def held(self, path: Path) -> tuple[int, int, str]:
        """Its schema, how many readings it holds, and whether it is whole."""
        with closing(sqlite3.connect(path)) as connection:
            asked = ("PRAGMA user_version", "SELECT count(*) FROM reading", "PRAGMA integrity_check")
            schema, readings, whole = (connection.execute(sql).fetchone()[0] for sql in asked)
        return schema, readings, whole
