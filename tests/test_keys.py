"""Tests of dsmr_tw.keys."""

from __future__ import annotations

import stat
from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import SettingsError
from dsmr_tw.keys import checked, digest_of, new_key, owner_key
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.stored import ApiKey


class OwnerKeyTests(SynchronousTestCase):
    """The owner of a new store has a key."""

    def setUp(self) -> None:
        """A new store."""
        self.state = StateDir(Path(self.mktemp()))
        self.state.prepare()
        self.store = sqlite_store(self.state.path / "dsmr.sqlite3", "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        self.successResultOf(self.store.open())
        self.addCleanup(lambda: self.successResultOf(self.store.close()))

    def begin(self) -> ApiKey | None:
        """What a start does."""
        return self.successResultOf(Deferred.fromCoroutine(owner_key(self.store.keys, self.state, 0)))

    def test_the_first_start_makes_one(self) -> None:
        """It may do everything, and only its owner can read it."""
        key = self.begin()
        assert key is not None
        written = self.state.read_key()
        assert written is not None
        self.assertEqual((key.scope, key.digest), ("admin", digest_of(written)))
        self.assertEqual(stat.S_IMODE(self.state.key_file.stat().st_mode), 0o600)

    def test_the_next_start_leaves_it(self) -> None:
        """A key stays the same over restarts."""
        self.begin()
        first = self.state.read_key()
        self.assertIsNone(self.begin())
        self.assertEqual(self.state.read_key(), first)

    def test_a_start_that_was_cut_short_is_finished(self) -> None:
        """A key that was written, but not stored any more, becomes valid with the next start."""
        self.state.write_key("the-key-of-a-start-cut-short")
        key = self.begin()
        assert key is not None
        self.assertEqual(key.digest, digest_of("the-key-of-a-start-cut-short"))

    def test_no_two_keys_are_alike(self) -> None:
        """Generated keys are long and random."""
        keys = {new_key() for _ in range(100)}
        self.assertEqual(len(keys), 100)
        self.assertEqual({len(key) for key in keys}, {32})


class CheckedTests(SynchronousTestCase):
    """A key that an owner chose must fit in a header."""

    def test_what_fits(self) -> None:
        """Letters, digits and signs are fine."""
        self.assertEqual(checked("ORACLE-KEY-0123456789"), "ORACLE-KEY-0123456789")

    def test_what_does_not(self) -> None:
        """Too short, with a space, or not ASCII: refused in words."""
        for key in ("seven-7", "with a space", "sleutel-é-lang-genoeg", ""):
            self.assertRaisesRegex(SettingsError, "at least 8 characters", checked, key)
