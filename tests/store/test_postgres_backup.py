"""Tests of dsmr_tw.store.postgres_backup: on a real server, with its own pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import evolve
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.archive import create
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.errors import BackupError, BackupStopped, SettingsError, StoreUnavailable
from dsmr_tw.store.connect import postgres_store
from dsmr_tw.store.postgres import dsn
from dsmr_tw.store.postgres_backup import PostgresOriginal
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, heard
from tests.brief import BRIEF
from tests.onpostgres import emptied
from tests.postgres import programs, server

WATCHED: Final = """\
#!/bin/sh
case "$*" in --version) exec {program} --version;; esac
echo "$@" > {said}
echo "$PGPASSWORD" >> {said}
exec {program} "$@"
"""
"""A program that notes how it is called."""


def unseen(done: int, length: int) -> None:
    """Nobody watches."""


class PostgresBackupTests(SynchronousTestCase):
    """A database that servers are connected to."""

    def setUp(self) -> None:
        """Fill it."""
        self.url = emptied()
        self.store = postgres_store(self.url, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))
        self.number = 0
        for _ in range(9):
            self.write()
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.copy = self.directory / "copy"
        create(self.copy).close()
        self.original = self.original_at(self.url)

    def write(self) -> None:
        """A reading, an hour later."""
        self.number += 1
        at = NOON + self.number * HOUR
        result_of(self.store.readings.add([[heard(at)]], at))

    def original_at(self, url: str, environment: Mapping[str, str] | None = None) -> PostgresOriginal:
        """A database, with the server's own programs unless the test has others."""
        where = programs()
        assert where is not None
        given = {"PATH": f"{where}:{os.environ['PATH']}"} if environment is None else environment
        return PostgresOriginal(dsn(url, "dsmr_tw backup"), given)

    def script(self, name: str, text: str) -> dict[str, str]:
        """The environment in which a program of this name is another one."""
        folder = self.directory / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / name
        program.write_text(text)
        program.chmod(0o755)
        return {"PATH": f"{folder}:{self.original.environment['PATH']}"}

    def databases(self) -> list[str]:
        """Those made for verifying."""
        return [name for (name,) in server().ask("SELECT datname FROM pg_database WHERE datname LIKE 'dsmr_verify%'")]

    def test_readings_that_come_meanwhile(self) -> None:
        """What is counted is what is dumped, though a server writes between the two, and while it is dumped."""
        looks = 0

        def told(done: int, length: int) -> None:
            nonlocal looks
            looks += 1
            self.write()

        held = self.original.copy(self.copy, told)
        self.assertGreater(looks, 2)
        self.assertEqual(held.meters[1]["reading"], 9)
        self.assertEqual(held.differences(self.original.examine(self.copy, unseen)), [])
        self.assertEqual(self.databases(), [])
        self.assertGreater(self.original.size(), 1_000_000)
        self.assertEqual(self.original.tally(unseen).meters[1]["reading"], self.number)

    def test_a_dump_that_is_not_the_same(self) -> None:
        """A row that is lost on the way is found."""
        held = self.original.copy(self.copy, unseen)
        server().ask("DELETE FROM reading WHERE id = (SELECT max(id) FROM reading)", self.url)
        self.original.copy(self.copy, unseen)
        found = held.differences(self.original.examine(self.copy, unseen))
        self.assertEqual(found[0], "reading of meter 1: 9 became 8")

    def test_what_changed(self) -> None:
        """A database that went on holds the same; one that lost a reading does not."""
        held = self.original.copy(self.copy, unseen)
        self.write()
        now = self.original.since(held, unseen)
        assert now is not None
        self.assertEqual(held.changed_since(now), [])
        server().ask("DELETE FROM reading WHERE id = (SELECT min(id) FROM reading)", self.url)
        now = self.original.since(held, unseen)
        assert now is not None
        self.assertEqual(held.changed_since(now), ["reading of meter 1: 9 are 8 now"])

    def test_a_damaged_dump(self) -> None:
        """A dump that ends too early is refused in the words of pg_restore, and its database is removed."""
        self.original.copy(self.copy, unseen)
        os.truncate(self.copy, self.copy.stat().st_size // 2)
        error = str(self.assertRaises(BackupError, self.original.examine, self.copy, unseen))
        self.assertTrue(error.startswith("pg_restore failed: "), error)
        self.assertEqual(self.databases(), [])

    def test_one_that_was_left(self) -> None:
        """The database of a verification that was killed does not stand in the way of the next one."""
        held = self.original.copy(self.copy, unseen)
        server().ask(f"CREATE DATABASE dsmr_verify_{self.url.rpartition('/')[2]}")
        self.assertEqual(held.differences(self.original.examine(self.copy, unseen)), [])
        self.assertEqual(self.databases(), [])

    def test_who_may_not_make_databases(self) -> None:
        """A role without that right is told how it gets it."""
        server().ask("CREATE ROLE plain LOGIN")
        self.addCleanup(server().ask, "DROP ROLE plain")
        original = self.original_at(server().url_of(self.url.rpartition("/")[2], login="plain"))
        self.original.may_examine()
        # A server that may not is told before it dumps anything.
        self.assertRaises(BackupError, original.may_examine)
        error = str(self.assertRaises(BackupError, original.examine, self.copy, unseen))
        self.assertIn("plain may not make one: allow it with ALTER ROLE plain CREATEDB", error)

    def test_it_is_stopped(self) -> None:
        """Whoever stops it ends pg_dump, even where that hangs."""
        ready = self.directory / "ready"
        hangs = "#!/bin/sh\ntest $1 = --version && exec echo 99.1\n"

        def told(done: int, length: int) -> None:
            if ready.exists():
                raise BackupStopped("enough")

        for script in ("touch {0}\nexec sleep 600", "trap '' TERM\ntouch {0}\nwhile true; do sleep 0.05; done"):
            original = self.original_at(self.url, self.script("pg_dump", hangs + script.format(ready)))
            self.assertRaises(BackupStopped, evolve(original, patience=0.2).copy, self.copy, told)
            ready.unlink()

    def test_the_password(self) -> None:
        """The password of the URL is in the program's environment, and not on its command line."""
        program, said = shutil.which("pg_dump", path=self.original.environment["PATH"]), self.directory / "said"
        environment = self.script("pg_dump", WATCHED.format(program=program, said=said))
        url = self.url.replace("dsmr@", "dsmr:it's%20%5Csecret@")
        self.original_at(url, environment).copy(self.copy, unseen)
        words, password = said.read_text().splitlines()
        self.assertEqual(password, r"it's \secret")
        self.assertNotIn("secret", words)
        self.assertNotIn("secret", repr(self.original_at(url, environment)))
        original = self.original_at(f"{url}?sslpassword=hidden")
        error = str(self.assertRaises(SettingsError, original.copy, self.copy, unseen))
        self.assertIn("use a key without a password", error)

    def test_programs(self) -> None:
        """A program that is absent, too old, or fails without a word: each is a sentence that says what to do."""
        original = self.original_at(self.url, {"PATH": str(self.directory)})
        error = str(self.assertRaises(BackupError, original.copy, self.copy, unseen))
        self.assertRegex(error, r"There is no pg_dump on the path: install PostgreSQL's client programs of version \d+")
        for told, version in (("pg_dump (PostgreSQL) 9.6.24", "9.6.24"), ("hello", "unknown")):
            original = self.original_at(self.url, self.script("pg_dump", f"#!/bin/sh\necho '{told}'\n"))
            error = str(self.assertRaises(BackupError, original.copy, self.copy, unseen))
            self.assertRegex(error, rf"bin/pg_dump is of version {version}, and the server of \d+: install")
        environment = self.script("pg_dump", "#!/bin/sh\ntest $1 = --version && exec echo 99.1\nexit 3\n")
        error = str(self.assertRaises(BackupError, self.original_at(self.url, environment).copy, self.copy, unseen))
        self.assertEqual(error, "pg_dump failed: it did not say why")

    def test_other_databases(self) -> None:
        """One with nothing of ours, one of a newer program, and one that is not there: each is told as such."""
        url = server().database()
        self.addCleanup(server().drop, url)
        empty = self.original_at(url)
        self.assertIn("holds nothing of dsmr_tw", str(self.assertRaises(BackupError, empty.copy, self.copy, unseen)))
        server().ask("INSERT INTO schema_number VALUES (99)", self.url)
        try:
            error = str(self.assertRaises(BackupError, self.original.copy, self.copy, unseen))
        finally:
            server().ask("DELETE FROM schema_number WHERE number = 99", self.url)
        self.assertIn("its schema is number 99", error)
        gone = evolve(empty, place=dsn(f"{url}_gone", "dsmr_tw backup"))
        self.assertRaises(StoreUnavailable, gone.copy, self.copy, unseen)

    def test_restoring(self) -> None:
        """A dump goes into an empty database as a whole; into another one, or where a part does not fit, not at all."""
        held = self.original.copy(self.copy, unseen)
        self.assertIn("is not empty", str(self.assertRaises(BackupError, self.original.restore, self.copy, unseen)))
        url = server().database()
        self.addCleanup(server().drop, url)
        empty = self.original_at(url)
        server().ask("CREATE SEQUENCE mark_number", url)
        error = str(self.assertRaises(BackupError, empty.restore, self.copy, unseen))
        self.assertIn("mark_number", error)
        empty.needs_empty()
        server().ask("DROP SEQUENCE mark_number", url)
        empty.restore(self.copy, unseen)
        self.assertEqual(held.differences(empty.tally(unseen)), [])


if BRIEF:
    # On the other Python they run.
    del PostgresBackupTests
