"""Tests of dsmr_tw.store.migrate: a schema that is brought up to date, or left alone."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import DAY, GAS, HOUR
from dsmr_tw.errors import StoreRefused, StoreUnavailable
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.migrate import Migration, migrate_sqlite, migrations
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import MINUTE, NOON, WATER, heard

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE house (name TEXT NOT NULL); INSERT INTO house VALUES ('ours');")
SECOND = Migration(2, "0002_rooms.sql", "ALTER TABLE house ADD COLUMN rooms INTEGER; UPDATE house SET rooms = 5;")
THIRD = Migration(3, "0003_garden.sql", "CREATE TABLE garden (trees INTEGER);")
BROKEN = Migration(
    3, "0003_broken.sql", "CREATE TABLE garden (trees INTEGER); DELETE FROM house; INSERT INTO shed VALUES (1);"
)


class MigrateTests(SynchronousTestCase):
    """Numbered steps, forward only."""

    def setUp(self) -> None:
        """Open a new file, written as the store writes it."""
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.path /= "dsmr.sqlite3"
        self.connection = self.connect(self.path)

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection like the store's, closed after the test."""
        connection = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        return connection

    def migrate(self, *steps: Migration) -> Path | None:
        """Bring the file to the last of the steps."""
        return migrate_sqlite(self.connection, self.path, steps)

    def content(self, connection: sqlite3.Connection | None = None) -> str:
        """Everything in a database, as text."""
        connection = connection or self.connection
        [(number,)] = connection.execute("PRAGMA user_version")
        return "\n".join([f"number {number}", *connection.iterdump()])

    def files(self) -> set[str]:
        """The files beside the database, its log and index apart."""
        names = {path.name for path in self.path.parent.iterdir()}
        return names - {"dsmr.sqlite3", "dsmr.sqlite3-wal", "dsmr.sqlite3-shm"}

    def test_a_new_database_gets_every_step(self) -> None:
        """The first start makes the tables, and there is nothing to back up."""
        self.assertIsNone(self.migrate(FIRST, SECOND, THIRD))
        self.assertEqual(self.connection.execute("SELECT name, rooms FROM house").fetchall(), [("ours", 5)])
        self.assertEqual(self.connection.execute("PRAGMA user_version").fetchone(), (3,))
        self.assertEqual(self.files(), set())

    def test_a_database_that_is_up_to_date_is_not_touched(self) -> None:
        """The next start changes nothing, and makes no backup."""
        self.migrate(FIRST, SECOND)
        before = self.path.stat().st_size, self.content()
        self.assertIsNone(self.migrate(FIRST, SECOND))
        self.assertEqual((self.path.stat().st_size, self.content()), before)
        self.assertEqual(self.files(), set())

    def test_an_upgrade_keeps_the_database_as_it_was_beside_the_new_one(self) -> None:
        """What was there before an upgrade can be had back, rows that were in the log only included."""
        self.migrate(FIRST)
        self.connection.execute("INSERT INTO house VALUES ('theirs')")
        before = self.content()
        backup = self.migrate(FIRST, SECOND, THIRD)
        assert backup is not None
        self.assertEqual(backup.parent, self.path.parent)
        with closing(sqlite3.connect(backup)) as old:
            self.assertEqual(self.content(old), before)
        self.assertEqual(
            self.connection.execute("SELECT name, rooms FROM house").fetchall(), [("ours", 5), ("theirs", 5)]
        )

    def test_the_backup_is_one_whole_file(self) -> None:
        """It can be copied and restored as it lies there."""
        self.migrate(FIRST)
        backup = self.migrate(FIRST, SECOND)
        assert backup is not None
        self.assertEqual(self.files(), {backup.name})

    def test_a_newer_database_is_refused_in_words(self) -> None:
        """A program that was downgraded says so, and leaves the file as it is."""
        self.migrate(FIRST, SECOND, THIRD)
        before = self.content()
        with self.assertRaises(StoreRefused) as caught:
            self.migrate(FIRST, SECOND)
        for words in (str(self.path), "newer", "number 3", "knows 2"):
            self.assertIn(words, str(caught.exception))
        self.assertEqual(self.content(), before)
        self.assertEqual(self.files(), set())

    def test_a_step_that_fails_leaves_everything_as_it_was(self) -> None:
        """Half a step is none: tables, rows and number are those from before, and a repaired step can follow."""
        self.migrate(FIRST, SECOND)
        before = self.content()
        with self.assertRaises(sqlite3.OperationalError):
            self.migrate(FIRST, SECOND, BROKEN)
        self.assertEqual(self.content(), before)
        self.assertFalse(self.connection.in_transaction)
        self.migrate(FIRST, SECOND, THIRD)
        self.assertIn("garden", self.content())

    def test_the_steps_before_the_one_that_fails_are_kept(self) -> None:
        """Each step is a whole; the next start begins with the one that failed."""
        self.migrate(FIRST)
        with self.assertRaises(sqlite3.OperationalError):
            self.migrate(FIRST, SECOND, BROKEN)
        self.assertEqual(self.connection.execute("PRAGMA user_version").fetchone(), (2,))
        self.assertEqual(self.connection.execute("SELECT name, rooms FROM house").fetchall(), [("ours", 5)])

    def test_a_backup_that_was_interrupted_is_made_again(self) -> None:
        """What a cut left behind is neither taken for a backup nor in the way of one."""
        self.migrate(FIRST)
        before = self.content()
        backup = self.path.with_name("dsmr.sqlite3.schema-1.backup")
        unfinished = backup.with_name(backup.name + ".unfinished")
        unfinished.write_bytes(b"half a database")
        unfinished.with_name(unfinished.name + "-journal").write_bytes(b"half a journal" * 100)
        self.assertEqual(self.migrate(FIRST, SECOND), backup)
        self.assertEqual(self.files(), {backup.name})
        with closing(sqlite3.connect(backup)) as old:
            self.assertEqual(self.content(old), before)

    def test_without_a_backup_there_is_no_upgrade(self) -> None:
        """If the copy can't be made, the database stays what it was."""
        self.migrate(FIRST)
        before = self.content()
        self.path.with_name("dsmr.sqlite3.schema-1.backup.unfinished").mkdir()
        with self.assertRaises(OSError):
            self.migrate(FIRST, SECOND)
        self.assertEqual(self.content(), before)

    def test_two_programs_that_start_at_once_bring_it_up_together(self) -> None:
        """The one that comes second finds the step done, and goes on."""
        other = self.connect(self.path)

        def be_first(sql: str) -> None:
            if sql.startswith("BEGIN"):
                self.connection.set_trace_callback(None)
                migrate_sqlite(other, self.path, [FIRST, SECOND])

        self.connection.set_trace_callback(be_first)
        self.migrate(FIRST, SECOND)
        self.assertEqual(self.connection.execute("SELECT name, rooms FROM house").fetchall(), [("ours", 5)])


class OurStepsTests(SynchronousTestCase):
    """The files that come with the program."""

    def test_they_are_numbered_without_gaps(self) -> None:
        """Each file is the one after the file before."""
        steps = migrations("sqlite")
        self.assertEqual([step.number for step in steps], list(range(1, len(steps) + 1)))
        self.assertTrue(all(step.sql.strip() for step in steps))

    def test_a_store_opens_at_the_newest(self) -> None:
        """A new file, and one that was opened before, have the schema of the last file."""
        path, newest = Path(self.mktemp()) / "dsmr.sqlite3", migrations("sqlite")[-1].number
        for _ in range(2):
            store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
            result_of(store.open())
            result_of(store.close())
            with closing(sqlite3.connect(path)) as connection:
                self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (newest,))

    def test_a_store_refuses_a_newer_file(self) -> None:
        """The sentence reaches whoever opens the store, and the readings stay."""
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(store.open())
        result_of(store.readings.add([[heard(NOON)]], NOON))
        result_of(store.close())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 999")
        again = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        with self.assertRaises(StoreRefused):
            result_of(again.open())
        result_of(again.close())
        with closing(sqlite3.connect(path)) as connection:
            self.assertEqual(connection.execute("SELECT count(*) FROM reading").fetchone(), (1,))

    def test_a_file_with_tables_of_somebody_else_is_left_alone(self) -> None:
        """A database that is not ours is not made ours: the store can't be opened, and says what is in the way."""
        path = Path(self.mktemp())
        path.mkdir()
        path /= "dsmr.sqlite3"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE meter (not_ours TEXT)")
            before = list(connection.iterdump())
        store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        with self.assertRaises(StoreUnavailable) as caught:
            result_of(store.open())
        self.assertIn("meter", str(caught.exception))
        result_of(store.close())
        with closing(sqlite3.connect(path)) as connection:
            self.assertEqual(list(connection.iterdump()), before)


class OldReadingsTests(SynchronousTestCase):
    """A database of the first schema, with readings: what later schemas keep beside them is there after the upgrade."""

    INSTANTS = (-DAY - 1, -1, 0, NOON, NOON + MINUTE - 1, NOON + MINUTE, NOON + 30 * HOUR)
    """Of its readings, each with the values of a gas and of a water meter."""

    def setUp(self) -> None:
        """Bring it up to date by opening it."""
        path = Path(self.mktemp())
        path.mkdir()
        path /= "dsmr.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            migrate_sqlite(connection, path, migrations("sqlite")[:1])
            self.fill(connection)
        self.store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())

    def tearDown(self) -> None:
        """Close it."""
        result_of(self.store.close())

    def fill(self, connection: sqlite3.Connection) -> None:
        """Store readings as the first schema has them."""
        connection.execute("INSERT INTO meter VALUES (1, 'Meter 1', 'Europe/Amsterdam', 0)")
        for device, of in ((1, GAS), (2, WATER)):
            connection.execute("INSERT INTO equipment VALUES (?, 1, ?, NULL, ?, 0, 0)", (device, of, device))
        for number, at in enumerate(self.INSTANTS):
            connection.execute("INSERT INTO reading VALUES (1, ?, ?, 0, NULL, 1, 2, 3, 4, 5, NULL, NULL)", (at, number))
            for device in (1, 2):
                connection.execute(
                    "INSERT INTO device_reading VALUES (1, ?, ?, ?, 0, ?)", (device, at, 2 * number + device, number)
                )
        for hours in (1, 24):
            connection.executemany(
                "INSERT INTO reading_count VALUES (1, ?, ?, ?)",
                [(hours, *counted) for counted in Counter(at - at % (hours * HOUR) for at in self.INSTANTS).items()],
            )

    def rows(self, sql: str) -> list[tuple[int, ...]]:
        """What the database holds."""
        return self.store.database.writer().execute(sql).fetchall()

    def test_minutes_are_counted(self) -> None:
        """Each hour and each day knows how many of its minutes hold readings, and all are listed."""
        starts = sorted({at - at % MINUTE for at in self.INSTANTS})
        expected = Counter((hours, at - at % (hours * HOUR)) for hours in (1, 24) for at in starts)
        counted = self.rows("SELECT hours, instant, minutes FROM reading_count")
        self.assertEqual({(hours, at): minutes for hours, at, minutes in counted}, expected)
        page = result_of(self.store.readings.minutes(ReadingFilter(1), False, 0, 10))
        self.assertEqual((page.count, [minute.start for minute in page.minutes]), (len(starts), starts))

    def test_values_of_devices_are_counted(self) -> None:
        """Each day knows how many values each type of device gave in it, and all are listed."""
        expected = Counter((of, at - at % DAY) for of in (GAS, WATER) for at in self.INSTANTS)
        counted = self.rows("SELECT device_type, instant, readings FROM device_reading_count WHERE meter_id = 1")
        self.assertEqual({(of, day): readings for of, day, readings in counted}, expected)
        counted = self.rows(
            "SELECT device_type, instant, readings FROM equipment_reading_count AS c"
            " JOIN equipment AS e ON e.id = c.equipment_id WHERE c.meter_id = 1"
        )
        self.assertEqual({(of, day): readings for of, day, readings in counted}, expected)
        page = result_of(self.store.readings.devices(ReadingFilter(1), GAS, False, 0, 10))
        self.assertEqual((page.count, [stored.reading.at for stored in page.readings]), (7, list(self.INSTANTS)))
