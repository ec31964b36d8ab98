"""Tests of dsmr_tw.statedir: one server to a directory, and a key that only its owner reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import SettingsError, StoreRefused
from dsmr_tw.statedir import StateDir


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


class StateDirCase(SynchronousTestCase):
    """A state directory that does not exist yet, under a umask that hides nothing."""

    def setUp(self) -> None:
        """Name a directory in one that does not exist either."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.state = self.state_dir(Path(self.mktemp()) / "dsmr")

    def state_dir(self, path: Path) -> StateDir:
        """A state directory whose locks end with the test."""
        state = StateDir(path)
        self.addCleanup(state.release)
        return state


class PrepareTests(StateDirCase):
    """The directory."""

    def test_it_is_made_for_its_owner_only(self) -> None:
        """Nobody else on the machine looks at a household's readings."""
        self.state.prepare()
        self.assertEqual(mode(self.state.path), 0o700)

    def test_one_that_is_there_is_taken_as_it_is(self) -> None:
        """Systemd may have made it, with a mode of its own choice."""
        self.state.path.mkdir(parents=True, mode=0o755)
        self.state.prepare()
        self.assertEqual(mode(self.state.path), 0o755)

    def test_one_that_cannot_be_made_is_told_in_words(self) -> None:
        """The sentence names the option, the directory and the reason."""
        in_the_way = Path(self.mktemp())
        in_the_way.write_text("a file")
        for path in (in_the_way, in_the_way / "dsmr"):
            with self.assertRaises(SettingsError) as caught:
                self.state_dir(path).prepare()
            self.assertIn(f"--state-dir {path} can't be made:", str(caught.exception))

    def test_one_that_cannot_be_written_to_is_told_in_words(self) -> None:
        """It is found out before the database is."""
        path = Path(mkdtemp())
        self.addCleanup(path.rmdir)
        path.chmod(0o555)
        if os.geteuid() == 0:
            # Root may write to every directory, so for a moment we are somebody else.
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        with self.assertRaises(SettingsError) as caught:
            self.state_dir(path).prepare()
        self.assertIn("can't be written to", str(caught.exception))


class LockTests(StateDirCase):
    """Who works in the directory."""

    def setUp(self) -> None:
        """Make the directory."""
        super().setUp()
        self.state.prepare()

    def test_a_second_server_is_refused_in_words(self) -> None:
        """Two servers never write one database; the sentence names the directory and the way out."""
        self.state.lock()
        with self.assertRaises(StoreRefused) as caught:
            self.state_dir(self.state.path).lock()
        self.assertIn(str(self.state.path), str(caught.exception))
        self.assertIn("--state-dir", str(caught.exception))

    def test_a_server_that_stopped_lets_the_next_one_in(self) -> None:
        """The lock is not the file, which stays, but the process that holds it."""
        self.state.lock()
        self.state.release()
        self.state_dir(self.state.path).lock()

    def test_a_server_that_was_refused_can_try_again(self) -> None:
        """It has left nothing behind that would keep it, or others, out."""
        self.state.lock()
        other = self.state_dir(self.state.path)
        self.assertRaises(StoreRefused, other.lock)
        self.state.release()
        other.lock()

    def test_a_database_elsewhere_has_a_lock_of_its_own(self) -> None:
        """Two servers with two state directories do not share a database either."""
        database = Path(self.mktemp())
        self.state.lock()
        self.state.lock(database)
        other = self.state_dir(Path(self.mktemp()))
        other.prepare()
        other.lock()
        self.assertRaises(StoreRefused, other.lock, database)
        self.state.release()
        other.lock(database)

    def test_others_can_ask_whether_it_is_held(self) -> None:
        """Asking keeps nobody out, and needs no lock to be there."""
        other = self.state_dir(self.state.path)
        database = Path(self.mktemp())
        self.assertEqual((other.is_held(), other.is_held(database)), (False, False))
        self.state.lock()
        self.assertEqual((other.is_held(), other.is_held(database)), (True, False))
        self.state.lock(database)
        self.assertTrue(other.is_held(database))
        self.state.release()
        self.assertEqual((other.is_held(), other.is_held(database)), (False, False))
        self.state.lock()

    def test_a_lock_that_cannot_be_written_is_told_in_words(self) -> None:
        """A directory that is not there is the operator's to make."""
        nowhere = self.state.path / "nowhere" / "dsmr.sqlite3.lock"
        with self.assertRaises(SettingsError) as caught:
            self.state.lock(nowhere)
        self.assertIn(f"{nowhere} can't be written", str(caught.exception))

    def test_the_lock_file_is_the_owners(self) -> None:
        """Nobody else may hold it, and so keep the server from starting."""
        self.state.lock()
        self.assertEqual([mode(path) for path in self.state.path.iterdir()], [0o600])


class KeyTests(StateDirCase):
    """The owner's key."""

    def setUp(self) -> None:
        """Make the directory."""
        super().setUp()
        self.state.prepare()

    def test_only_the_owner_reads_it(self) -> None:
        """Whatever the umask is, nobody else sees the key, not for a moment."""
        self.state.write_key("a key")
        self.assertEqual(self.state.key_file, self.state.path / "api.key")
        self.assertEqual(self.state.key_file.read_text(), "a key\n")
        self.assertEqual(mode(self.state.key_file), 0o600)

    def test_a_new_key_takes_the_place_of_the_old_one(self) -> None:
        """There is always one whole key in the file, and no other file beside it."""
        self.state.write_key("an old and rather longer key")
        self.state.write_key("a key")
        self.assertEqual(self.state.key_file.read_text(), "a key\n")
        self.assertEqual(list(self.state.path.iterdir()), [self.state.key_file])

    def test_a_key_whose_writing_was_cut_off_is_written_again(self) -> None:
        """A power cut in the midst of it leaves nothing that is in the way, or readable by others."""
        self.state.key_file.with_suffix(".unfinished").write_text("half a k")
        self.state.write_key("a key")
        self.assertEqual(mode(self.state.key_file), 0o600)
        self.assertEqual(list(self.state.path.iterdir()), [self.state.key_file])

    def test_the_key_can_be_read_again(self) -> None:
        """The next start knows the owner's key; without a file, or with an empty one, there is none."""
        self.assertIsNone(self.state.read_key())
        self.state.write_key("a key")
        self.assertEqual(self.state.read_key(), "a key")
        self.state.key_file.write_text("\n")
        self.assertIsNone(self.state.read_key())

    def test_a_key_that_is_valid_no_more_is_forgotten(self) -> None:
        """A revoked key does not come back with the next start; another one's revocation leaves the file alone."""
        self.state.forget_key(lambda key: True)
        self.state.write_key("a key")
        self.state.forget_key(lambda key: key == "another key")
        self.assertEqual(self.state.read_key(), "a key")
        self.state.forget_key(lambda key: key == "a key")
        self.assertFalse(self.state.key_file.exists())
