"""Tests of dsmr_tw.cli.restore: a backup takes the place of a database, or nothing is changed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner
from twisted.internet.defer import maybeDeferred

from dsmr_tw.archive import pack, unpack
from dsmr_tw.backupfiles import NAME
from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.migrate import migrations
from dsmr_tw.store.sqlite_backup import SqliteOriginal
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import NOON, heard
from tests.cli.besidecase import BesideCase


def unseen(done: int, length: int) -> None:
    """Nobody watches."""


class RestoreTests(BesideCase):
    """A server that has gone, and a backup of it."""

    verb = "restore"

    def setUp(self) -> None:
        """Make the backup, and another place."""
        super().setUp()
        self.add(*(heard(NOON + n * HOUR) for n in range(30)))
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        result = CliRunner().invoke(main, ["backup", str(self.directory), *self.where()])
        self.assertEqual(result.exit_code, 0, result.output)
        [self.file] = self.directory.iterdir()
        self.assertRegex(self.file.name, NAME)
        result_of(self.store.close())
        self.old, self.path = self.path, Path(self.mktemp()).resolve()

    def readings(self, path: Path) -> int:
        """How many readings a server finds that starts there; it writes one more."""
        store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(store.open())
        found = result_of(store.readings.page(ReadingFilter(1), False, 0, 1)).count
        result_of(store.readings.add([[heard(NOON + 99 * HOUR)]], NOON + 99 * HOUR))
        result_of(store.close())
        return int(found)

    def names(self) -> list[str]:
        """What lies in the state directory, but for its lock."""
        return sorted(path.name for path in self.path.iterdir() if path.name != "dsmr.lock")

    def test_a_new_card(self) -> None:
        """In a state directory that is not there yet a server finds all that was stored, and goes on."""
        told = self.done(str(self.file))
        self.assertRegex(told, r"^.*dsmr\.sqlite3 is what was stored at 20.*Z\. Start the server\.$")
        self.assertEqual(self.names(), ["dsmr.sqlite3"])
        self.assertEqual((self.path / "dsmr.sqlite3").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.readings(self.path / "dsmr.sqlite3"), 30)

    def test_a_database_that_is_there(self) -> None:
        """It stays unless --force is said, and is kept then, with what is in its WAL."""
        self.path = self.old
        with closing(sqlite3.connect(self.path / "dsmr.sqlite3")) as connection:
            # Open, so that what it writes stays in the WAL.
            connection.execute("UPDATE meter SET name = 'Another'")
            connection.commit()
            self.assertIn("is there already. Move it away, or let it be kept", self.refused(str(self.file)))
            told = self.done(str(self.file), "--force")
        kept = Path(told.splitlines()[0].removeprefix("The database that was there is kept as ").removesuffix("."))
        self.assertEqual(self.readings(self.path / "dsmr.sqlite3"), 30)
        with closing(sqlite3.connect(kept)) as connection:
            self.assertEqual(connection.execute("SELECT name FROM meter").fetchall(), [("Another",)])

    def test_a_wal_without_a_database(self) -> None:
        """What is left of another database does not get into the one that is restored."""
        self.path.mkdir()
        (self.path / "dsmr.sqlite3-wal").write_bytes(b"left over")
        self.assertIn("dsmr.sqlite3-wal is there already", self.refused(str(self.file)))
        self.done(str(self.file), "--force")
        self.assertEqual(self.readings(self.path / "dsmr.sqlite3"), 30)

    def test_a_server_that_runs(self) -> None:
        """While a server runs nothing is done, whatever is said."""
        for name in ("dsmr.lock", "elsewhere/dsmr.sqlite3.lock"):
            held = self.path / name
            held.parent.mkdir(parents=True, exist_ok=True)
            state = StateDir(held.parent)
            state.lock(held)
            database = f"sqlite:{self.path}/elsewhere/dsmr.sqlite3"
            told = self.refused(str(self.file), "--force", "--database", database)
            self.assertIn("Another server is using", told)
            state.release()

    def test_another_place(self) -> None:
        """A database that --database names, in a directory that is not there yet."""
        path = self.path / "disk" / "meter.db"
        self.done(str(self.file), "--database", f"sqlite:{path}")
        self.assertEqual(self.readings(path), 30)

    def test_a_damaged_file(self) -> None:
        """A file that was cut short, or that lost a row before it was packed, changes nothing."""
        os.truncate(self.file, self.file.stat().st_size // 2)
        self.assertIn("is no backup that can be used", self.refused(str(self.file)))
        self.assertEqual(self.names(), [])
        self.assertIn("No such file", self.refused(str(self.directory / "gone")))

    def repacked(self, sql: str) -> None:
        """Let the copy in the backup be another one than its note says."""
        copy = self.directory / "copy"
        note = unpack(self.file, copy, unseen)
        with closing(sqlite3.connect(copy)) as connection:
            connection.executescript(sql)
        pack(note, "dsmr.sqlite3", copy, self.file, unseen)

    def test_a_copy_that_lacks_something(self) -> None:
        """What the backup noted of itself has to be in it."""
        self.repacked("DELETE FROM reading WHERE id = 3")
        told = self.refused(str(self.file))
        self.assertIn("The copy does not hold what the database held: reading of meter 1: 30 became 29", told)
        self.assertEqual(self.names(), [])

    def test_a_newer_schema(self) -> None:
        """A backup that a newer program made is left to that program."""
        copy = self.directory / "copy"
        note = unpack(self.file, copy, unseen)
        told = note.as_json().replace(f'"schema": {note.tally.schema}'.encode(), b'"schema": 99')
        pack(type(note).from_json(told), "dsmr.sqlite3", copy, self.file, unseen)
        self.assertIn("is of a newer dsmr_tw: its schema is number 99", self.refused(str(self.file)))

    def test_an_older_schema(self) -> None:
        """A backup of before an upgrade is restored, and the server brings it up to date."""
        old = self.directory / "old"
        with closing(sqlite3.connect(old)) as connection:
            for step in migrations("sqlite")[:4]:
                connection.executescript(step.sql)
            connection.execute("INSERT INTO meter (id, name, zone) VALUES (1, 'Home', 'Europe/Amsterdam')")
            connection.execute("PRAGMA user_version = 4")
            connection.commit()
        note = unpack(self.file, self.directory / "copy", unseen)
        tally = SqliteOriginal(old).examine(old, unseen)
        pack(type(note)(note.kind, note.made_at, note.program, tally), "dsmr.sqlite3", old, self.file, unseen)
        self.done(str(self.file))
        self.assertEqual(self.readings(self.path / "dsmr.sqlite3"), 0)

    def test_of_another_kind(self) -> None:
        """A backup of a file does not go to a server; a sentence tells the way."""
        told = self.refused(str(self.file), "--database", "postgresql://nobody@nowhere/db")
        self.assertIn("is of a SQLite database, and --database names another kind", told)
        self.assertIn("dsmr migrate-store", told)

    def test_it_is_stopped(self) -> None:
        """Ctrl-C changes nothing."""
        said, _ = self.interrupted(str(self.file), percent=1)
        self.assertEqual(said, "Stopped; nothing is changed.\n")
        self.assertEqual(self.names(), [])
