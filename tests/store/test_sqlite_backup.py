"""Tests of dsmr_tw.store.sqlite_backup: a copy of one instant, while the server goes on writing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.archive import create
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.errors import BackupError, BackupStopped, StoreUnavailable
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.migrate import migrations
from dsmr_tw.store.sqlite_backup import PAGES, SYNCED, SqliteOriginal
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, gas, heard

LENGTH = SYNCED * PAGES * 4_096


def unseen(done: int, length: int) -> None:
    """Nobody watches."""


class SqliteBackupTests(SynchronousTestCase):
    """A store of two days, open as a server has it."""

    def setUp(self) -> None:
        """Fill it."""
        self.path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = sqlite_store(self.path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))
        self.run_sql("PRAGMA synchronous = OFF")
        self.at = NOON
        for _ in range(48):
            self.write()
        result_of(self.store.ledger.recompute(1, self.at))
        result_of(self.store.ledger.close(1, self.at))
        self.original = SqliteOriginal(self.path)
        self.copy = self.path.with_name("copy")

    def run_sql(self, sql: str) -> None:
        """Run a statement as the server does."""
        self.store.database.writer().execute(sql)

    def write(self) -> None:
        """A reading, an hour later."""
        self.at += HOUR
        result_of(self.store.readings.add([[heard(self.at, gas(self.at, self.at // HOUR))]], self.at))

    def rows(self, path: Path, sql: str) -> list[tuple[object, ...]]:
        """What a statement finds in a file."""
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(sql).fetchall()

    def test_the_server_goes_on(self) -> None:
        """While a copy is made the server stores readings, and the copy holds those of before, whole."""
        self.run_sql("CREATE TABLE big (content BLOB)")
        self.run_sql(f"INSERT INTO big VALUES (zeroblob({LENGTH}))")
        steps: list[int] = []

        def told(done: int, length: int) -> None:
            if done:
                self.write()
                steps.append(done)
                self.assertLess(len(steps), 99, "it never ends")

        create(self.copy).close()
        found = self.original.copy(self.copy, told)
        self.assertEqual(steps, sorted(set(steps)), "it began again")
        self.assertGreater(len(steps), 2)
        self.assertEqual(found.meters[1]["reading"], 48)
        self.assertEqual(self.rows(self.copy, "SELECT count(*) FROM reading"), [(48,)])
        self.assertEqual(self.rows(self.path, "SELECT count(*) FROM reading"), [(48 + len(steps),)])
        self.assertEqual(found.differences(self.original.examine(self.copy, unseen)), [])

    def copied(self) -> None:
        """Make a copy."""
        create(self.copy).close()
        self.held = self.original.copy(self.copy, unseen)

    def test_what_is_noted(self) -> None:
        """Readings, values, quarters, hours and days are counted, and their registers summed, for each meter."""
        self.copied()
        sums = self.held.meters[1]
        (readings, delivered), *_ = self.rows(self.path, "SELECT count(*), sum(delivered_2) FROM reading")
        self.assertEqual((sums["reading"], sums["reading.delivered_2"]), (readings, delivered))
        (quarters, amount), *_ = self.rows(self.path, "SELECT count(*), sum(delivered_2) FROM quarter")
        self.assertEqual((sums["quarter"], sums["quarter.delivered_2"]), (quarters, amount))
        self.assertEqual((sums["device_reading"], sums["day_statistics"], sums["hour_statistics"]), (48, 2, 47))
        self.assertEqual(self.held.tables["meter"], 1)
        self.assertEqual(self.held.schema, migrations("sqlite")[-1].number)

    def test_a_copy_that_is_not_the_same(self) -> None:
        """A row that a copy lacks is found, though the copy is sound."""
        self.copied()
        with closing(sqlite3.connect(self.copy)) as connection, connection:
            connection.execute("DELETE FROM quarter WHERE instant = (SELECT max(instant) FROM quarter)")
        self.assertIn("quarter of meter 1", " ".join(self.held.differences(self.original.examine(self.copy, unseen))))

    def test_a_damaged_copy(self) -> None:
        """A page that was overwritten is found, also where no count reads it, as is a file of something else."""
        self.run_sql("CREATE TABLE big (content BLOB)")
        self.run_sql(f"INSERT INTO big VALUES (zeroblob({LENGTH // 8}))")
        self.copied()
        whole = self.copy.read_bytes()
        middle = len(whole) // 2 // 4_096 * 4_096
        unread = whole[:middle] + b"\xff" * 4 + whole[middle + 4 :]
        for damaged in (unread, whole[:20_000] + b"\xff" * 4_096 + whole[24_096:], b"no database" * 999):
            self.copy.write_bytes(damaged)
            error = str(self.assertRaises(BackupError, self.original.examine, self.copy, unseen))
            self.assertTrue(error.startswith("copy is damaged: "), error)

    def test_it_leaves_nothing(self) -> None:
        """Looking into a copy makes no files beside it, so that it may lie where nothing can be written."""
        self.copied()
        before = sorted(self.path.parent.iterdir())
        self.original.examine(self.copy, unseen)
        self.assertEqual(sorted(self.path.parent.iterdir()), before)

    def test_it_is_stopped(self) -> None:
        """Whoever makes a copy can end that at once, also within one long statement."""
        self.run_sql(
            "INSERT INTO temperature WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000)"
            " SELECT i, 0 FROM n"
        )
        self.copied()
        looks = 0

        def told(done: int, length: int) -> None:
            nonlocal looks
            looks += 1
            # The first look is before the database is asked anything.
            if looks == stop_at:
                raise BackupStopped("enough")

        for stop_at in (1, 2, 3):
            looks = 0
            self.assertRaises(BackupStopped, self.original.examine, self.copy, told)
            self.assertEqual(looks, stop_at)
        create(self.copy).close()
        looks = 0
        self.assertRaises(BackupStopped, self.original.copy, self.copy, told)

    def test_a_newer_schema(self) -> None:
        """A database that a newer program wrote is left to that program."""
        self.run_sql("PRAGMA user_version = 99")
        create(self.copy).close()
        error = str(self.assertRaises(BackupError, self.original.copy, self.copy, unseen))
        self.assertIn("its schema is number 99", error)

    def test_an_older_schema(self) -> None:
        """A database of before an upgrade is copied as it is, without the tables that it does not have yet."""
        old = self.path.with_name("old")
        with closing(sqlite3.connect(old)) as connection:
            for step in migrations("sqlite")[:3]:
                connection.executescript(step.sql)
            connection.execute("INSERT INTO meter (id, name, zone) VALUES (1, 'Home', 'Europe/Amsterdam')")
            connection.execute("PRAGMA user_version = 3")
            connection.commit()
        create(self.copy).close()
        held = SqliteOriginal(old).copy(self.copy, unseen)
        self.assertEqual((held.schema, held.meters[1]["reading"]), (3, 0))
        self.assertNotIn("thinned", held.tables)

    def test_a_database_that_is_gone(self) -> None:
        """It is named."""
        original = SqliteOriginal(self.path.with_name("nothing"))
        create(self.copy).close()
        self.assertIn("nothing", str(self.assertRaises(StoreUnavailable, original.copy, self.copy, unseen)))

    def since(self) -> list[str] | None:
        """What is different in the database of now."""
        now = self.original.since(self.held, unseen)
        return None if now is None else self.held.changed_since(now)

    def test_what_changed(self) -> None:
        """A database that went on holds the same and more; one that lost a reading, or counts a day anew, does not."""
        self.copied()
        self.assertEqual(self.since(), [])
        for _ in range(24):
            self.write()
        result_of(self.store.ledger.recompute(1, self.at))
        result_of(self.store.ledger.close(1, self.at))
        self.assertEqual(self.since(), [])
        self.run_sql("DELETE FROM reading WHERE id = 5")
        self.run_sql("UPDATE day_statistics SET delivered_2 = delivered_2 + 1")
        told = self.since()
        assert told is not None
        self.assertEqual(told[0], "reading of meter 1: 48 are 47 now")
        self.assertIn("day_statistics.delivered_2 of meter 1", told[1])

    def test_where_nothing_can_be_written(self) -> None:
        """All that is stored can be read, too, where nobody may write: on a card that takes no writes any more."""
        self.copied()
        top = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, top)
        pulled, ended = top / "pulled", top / "ended"
        shutil.copytree(self.path.parent, pulled)
        self.assertTrue((pulled / "dsmr.sqlite3-wal").stat().st_size)
        result_of(self.store.close())
        shutil.copytree(self.path.parent, ended)
        for path in (*pulled.iterdir(), *ended.iterdir()):
            path.chmod(0o444)
        for folder, mode in ((top, 0o755), (pulled, 0o555), (ended, 0o555)):
            folder.chmod(mode)
            self.addCleanup(folder.chmod, 0o755)
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        for folder in (pulled, ended):
            self.original = SqliteOriginal(folder / "dsmr.sqlite3")
            self.assertEqual(self.since(), [])

    def test_a_database_of_before(self) -> None:
        """One that has not even given out the ids of the backup is older; no meter is said to have lost anything."""
        self.copied()
        self.run_sql("UPDATE counter SET last_id = 47 WHERE name = 'reading'")
        self.assertIsNone(self.since())

    def test_a_meter_that_had_nothing(self) -> None:
        """What a meter got later is no difference, where it had nothing before; a meter that is gone is one."""
        self.run_sql("INSERT INTO meter (id, name, zone) VALUES (2, 'Cellar', 'Europe/Amsterdam')")
        self.copied()
        self.assertEqual(self.since(), [])
        self.run_sql(
            "INSERT INTO day_statistics (meter_id, instant, end_at, delivered_1, returned_1, delivered_2,"
            f" returned_2, estimated, gas_estimated) VALUES (2, {NOON}, {NOON}, 1, 1, 1, 1, 0, 0)"
        )
        self.assertEqual(self.since(), [])
        self.run_sql("DELETE FROM meter WHERE id = 2")
        self.assertEqual(self.since(), ["meter 2 is not there any more"])
