"""Tests of dsmr_tw.lasting, and of who relies on it: what was made is there after a power cut."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from twisted.internet.defer import maybeDeferred

from dsmr_tw.lasting import make_directory, put_into_place
from dsmr_tw.spool import Spool
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.migrate import migrate_sqlite, migrations
from dsmr_tw.store.threads import result_of
from tests.powercut.poweredcase import PoweredCase

CUTS = 12
"""Each of them would lose what is not synced in one of two cases."""


class LastingTests(PoweredCase):
    """Directories and files."""

    def test_a_directory_with_all_above_it(self) -> None:
        """It is not enough to sync the last one."""
        for seed in range(CUTS):
            path = self.path / f"var-{seed}" / "lib" / "dsmr"
            make_directory(path)
            self.cut(seed)
            self.assertTrue(path.is_dir(), seed)

    def test_a_directory_that_is_there(self) -> None:
        """It stays as it is."""
        make_directory(self.path / "lib", 0o700)
        make_directory(self.path / "lib", 0o755)
        self.assertEqual((self.path / "lib").stat().st_mode & 0o777, 0o700)

    def test_a_file_is_in_the_way(self) -> None:
        """That is said."""
        (self.path / "lib").touch()
        for path in (self.path / "lib", self.path / "lib" / "dsmr"):
            with self.assertRaises(OSError):
                make_directory(path)

    def test_a_file_put_into_place(self) -> None:
        """The new one is there, the old one is not."""
        for seed in range(CUTS):
            (self.path / "unfinished").write_text(str(seed))
            self.disk.make_safe()
            put_into_place(self.path / "unfinished", self.path / "file")
            self.cut(seed)
            self.assertEqual([(path.name, path.read_text()) for path in self.path.iterdir()], [("file", str(seed))])


class OwnerTests(PoweredCase):
    """Those whose promise it is."""

    def test_the_key_in_the_state_directory(self) -> None:
        """An owner who has read the key can use it after the cut, too."""
        for seed in range(CUTS):
            state = StateDir(self.path / f"lib-{seed}" / "dsmr")
            state.prepare()
            state.write_key("a key")
            self.cut(seed)
            self.assertEqual(state.read_key(), "a key")

    def test_a_key_that_is_valid_no_more(self) -> None:
        """It does not come back."""
        for seed in range(CUTS):
            state = StateDir(self.path)
            state.write_key("a key")
            state.forget_key(lambda key: True)
            self.cut(seed)
            self.assertIsNone(state.read_key())

    def test_the_spool(self) -> None:
        """What is appended to a spool is there, whatever was missing above it."""
        for seed in range(CUTS):
            spool = Spool(self.path / f"lib-{seed}" / "dsmr" / "spool", maybeDeferred)
            spool.open()
            result_of(spool.append([b"a telegram"]))
            spool.close()
            self.cut(seed)
            spool.open()
            self.assertEqual(result_of(spool.read(9, bytes)), [b"a telegram"])
            spool.close()

    def test_a_database_in_a_directory_of_its_own(self) -> None:
        """The first commit finds a directory that stays."""
        for seed in range(CUTS):
            path = self.path / f"lib-{seed}" / "dsmr" / "dsmr.sqlite3"
            store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
            result_of(store.open())
            result_of(store.keys.add("somebody", "read", bytes(32), "", 0))
            result_of(store.close())
            self.cut(seed)
            store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
            result_of(store.open())
            self.assertEqual([key.name for key in result_of(store.keys.all())], ["somebody"])
            result_of(store.close())

    def test_the_backup_before_a_new_schema(self) -> None:
        """Whoever finds the new schema finds the backup."""
        steps = migrations("sqlite")
        for seed in range(CUTS):
            path = self.path / f"{seed}.sqlite3"
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                migrate_sqlite(connection, path, steps[:1])
                self.disk.make_safe()
                backup = migrate_sqlite(connection, path, steps)
            assert backup is not None
            self.cut(seed)
            with closing(sqlite3.connect(backup)) as connection:
                self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (steps[0].number,))
