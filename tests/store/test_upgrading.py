"""Tests of docs/upgrading.md: going up, and going back by the commands of the page."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import StoreRefused
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.migrate import migrate_sqlite, migrations
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, heard

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "upgrading.md").read_text("utf-8")
OLDER = migrations("sqlite")[:-1]
"""What a program knows that is one schema older."""

COMMAND = re.compile(r"^    sudo ((?:mv|rm|cp) .*dsmr\.sqlite3.*)$", re.MULTILINE)
NUMBERS = re.compile(r"number \d+, this program knows \d+")


class GoingBackTests(SynchronousTestCase):
    """An upgrade, and the way back."""

    def setUp(self) -> None:
        """A database that an older program has written, and in which a newer one has stored a reading since."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "dsmr.sqlite3"
        self.open_with_older()
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("INSERT INTO meter (name, zone) VALUES ('before the upgrade', 'Europe/Amsterdam')")
        store = sqlite_store(self.path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(store.open())
        result_of(store.readings.add([[heard(NOON)]], NOON))
        result_of(store.close())

    def open_with_older(self) -> None:
        """Start the older program, which brings the database to the schema that it knows."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate_sqlite(connection, self.path, OLDER)

    def found(self, path: Path) -> tuple[str, int]:
        """The meter's name, and the number of readings."""
        with closing(sqlite3.connect(path)) as connection:
            [(name,)] = connection.execute("SELECT name FROM meter")
            [(readings,)] = connection.execute("SELECT count(*) FROM reading")
        return str(name), int(readings)

    def test_the_older_program_refuses_what_the_newer_one_wrote(self) -> None:
        """In the words of the page, and without touching it."""
        before = self.path.read_bytes()
        error = self.assertRaises(StoreRefused, self.open_with_older)
        [sentence] = re.findall(r"^    dsmr: /var/lib/dsmr_tw/dsmr\.sqlite3 (.*) …$", PAGE, re.MULTILINE)
        self.assertIn(NUMBERS.sub("", sentence), NUMBERS.sub("", str(error)))
        self.assertEqual(self.path.read_bytes(), before)

    def test_going_back_by_the_commands_of_the_page(self) -> None:
        """The older program finds what it knew, and what was stored since is kept aside."""
        commands = COMMAND.findall(PAGE)
        self.assertEqual([command.split()[0] for command in commands], ["mv", "rm", "cp"])
        for command in commands:
            said = re.sub(r"schema-\d+\.backup", f"schema-{OLDER[-1].number}.backup", command)
            subprocess.run(said, shell=True, check=True, cwd=self.path.parent)
        self.open_with_older()
        self.assertEqual(self.found(self.path), ("before the upgrade", 0))
        self.assertEqual(self.found(self.path.with_name("dsmr.sqlite3.newer"))[1], 1)
