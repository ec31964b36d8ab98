"""Tests of dsmr_tw.cli.backup: on the store of a server that is still open."""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner

from dsmr_tw.archive import unpack
from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, heard
from tests.cli.besidecase import BesideCase
from tests.postgres import server


class BackupTests(BesideCase):
    """Backups are made beside the server, and looked into."""

    verb = "backup"

    def setUp(self) -> None:
        """A store of some hours, and a place for backups."""
        super().setUp()
        self.add(*(heard(NOON + n * HOUR) for n in range(30)))
        result_of(self.store.ledger.recompute(1, NOON + 29 * HOUR))
        result_of(self.store.ledger.close(1, NOON + 29 * HOUR))
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def made(self) -> Path:
        """Make a backup; its file."""
        told = self.done(str(self.directory))
        [path] = self.directory.iterdir()
        self.assertEqual(told, f"{path}: {path.stat().st_size:,} bytes.\n")
        return path

    def test_a_backup(self) -> None:
        """It is made while the server has the database open, verified, and found to be the same as what is there."""
        path = self.made()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        told = self.done("--verify", str(path))
        self.assertEqual(
            told.splitlines(),
            [
                f"{path} is good: it holds what was stored then, 30 readings of 1 meters.",
                "The database of now still holds the same.",
            ],
        )
        self.assertEqual(list(self.directory.iterdir()), [path])

    def test_a_database_that_lost_something(self) -> None:
        """What is not there any more is told, and that the backup has it."""
        path = self.made()
        self.store.database.writer().execute("DELETE FROM reading WHERE id = 7")
        told = self.done("--verify", str(path))
        self.assertIn("is good", told)
        self.assertIn("The database of now differs in what it held then:\n  reading of meter 1: 30 are 29 now\n", told)
        self.assertIn("anything else is a reason to restore", told)

    def test_a_database_of_before(self) -> None:
        """A database that is older than the backup is said to be."""
        path = self.made()
        self.store.database.writer().execute("UPDATE counter SET last_id = 9 WHERE name = 'reading'")
        self.assertIn("The database of now is older than the backup.", self.done("--verify", str(path)))

    def test_without_a_database(self) -> None:
        """A backup is verified on another machine as well, in another directory than its own."""
        path = self.made()
        scratch = Path(self.mktemp())
        scratch.mkdir()
        words = ["--verify", str(path), "--scratch", str(scratch), "--state-dir", str(self.path / "nothing")]
        result = CliRunner().invoke(main, ["backup", *words])
        self.assertEqual((result.exit_code, len(result.output.splitlines())), (0, 1), result.output)
        self.assertEqual(list(scratch.iterdir()), [])

    def test_a_damaged_backup(self) -> None:
        """A file that was cut short is refused in a sentence, and leaves nothing."""
        path = self.made()
        os.truncate(path, path.stat().st_size - 5)
        self.assertIn("is no backup that can be used, it was cut short or damaged", self.refused("--verify", str(path)))
        self.assertEqual(list(self.directory.iterdir()), [path])

    def test_what_can_not_be(self) -> None:
        """Each mistake is told in a sentence that says what to do."""
        gone = str(self.directory / "gone")
        self.assertIn("Name the directory of the new backup, or a file", self.refused())
        self.assertIn("Name the directory of the new backup, or a file", self.refused(gone, "--verify", gone))
        self.assertIn("make the directory, or mount the disk", self.refused(gone))
        self.assertIn("gone: No such file or directory.", self.refused("--verify", gone))
        path = self.made()
        self.assertIn("there is no such directory", self.refused("--verify", str(path), "--scratch", gone))
        result = CliRunner().invoke(main, ["backup", str(self.directory), "--state-dir", gone])
        self.assertIn("There is no database", result.output)

    def test_it_is_stopped(self) -> None:
        """Ctrl-C leaves nothing, while making one and while verifying one."""
        said, bar = self.interrupted(str(self.directory), percent=1)
        self.assertEqual(said, "Stopped; nothing is left of the backup.\n")
        self.assertIn("Backing up", bar)
        self.assertEqual(list(self.directory.iterdir()), [])
        path = self.made()
        said, bar = self.interrupted("--verify", str(path), percent=1)
        self.assertEqual(said, "Stopped; nothing is changed.\n")
        self.assertEqual(list(self.directory.iterdir()), [path])


class BackupOfPostgresTests(BesideCase):
    """The same commands, of a database on a server."""

    verb = "backup"

    def setUp(self) -> None:
        """A database with readings."""
        super().setUp()
        self.add(*(heard(NOON + n * HOUR) for n in range(9)))
        result_of(self.store.close())
        self.url = server().database()
        self.addCleanup(lambda: server().drop(self.url))
        result = CliRunner().invoke(main, ["migrate-store", f"sqlite:{self.path / 'dsmr.sqlite3'}", self.url])
        self.assertEqual(result.exit_code, 0, result.output)
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def where(self) -> list[str]:
        """The database on the server."""
        return ["--state-dir", str(self.path), "--database", self.url]

    def test_there_and_back(self) -> None:
        """A backup is made, verified on the server, restored to an empty database, and is the same there."""
        self.done(str(self.directory))
        [path] = self.directory.iterdir()
        told = self.done("--verify", str(path))
        self.assertIn("is good: it holds what was stored then, 9 readings of 1 meters.", told)
        self.assertIn("The database of now still holds the same.", told)
        self.verb = "restore"
        self.assertIn("is not empty: it has", self.refused(str(path)))
        first, self.url = self.url, server().database()
        self.addCleanup(lambda: server().drop(first))
        self.assertRegex(self.done(str(path)), "has what was stored at 20.*Z. Start the server.")
        rows = "SELECT * FROM reading ORDER BY id"
        self.assertEqual(server().ask(rows, self.url), server().ask(rows, first))
        self.assertEqual(
            server().ask("SELECT nextval('reading_id')", self.url), server().ask("SELECT nextval('reading_id')", first)
        )
        self.assertEqual(list(self.directory.iterdir()), [path])

    def test_of_another_kind(self) -> None:
        """A backup of one kind of database does not go into the other, nor is it verified without such a server."""
        self.done(str(self.directory))
        [path] = self.directory.iterdir()
        words = [str(path), "--state-dir", str(self.path)]
        result = CliRunner().invoke(main, ["backup", "--verify", *words])
        self.assertIn("is of a PostgreSQL database: name one on such a server with --database", result.output)
        result = CliRunner().invoke(main, ["restore", *words])
        self.assertIn("is of a PostgreSQL database, and --database names another kind", result.output)
        unpack(path, self.path / "dump", lambda *_: None)
        self.assertTrue((self.path / "dump").read_bytes().startswith(b"PGDMP"))
