"""Tests of dsmr_tw.backupfiles: the backups in a directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.archive import Told, note_of
from dsmr_tw.backupfiles import BackupDirectory, Original, backups_in, instant_in, make, prune, shares
from dsmr_tw.domain.localtime import utc
from dsmr_tw.domain.reading import DAY, SECOND
from dsmr_tw.domain.tally import Sums, Tally
from dsmr_tw.errors import BackupError, BackupStopped
from dsmr_tw.interfaces import IBackups
from tests.arrivals import NOON

NAME = "dsmr-20240402T100000Z.tar.gz"
HELD = Tally(6, {"price": 24}, {1: {"reading": 9}})


def unseen(done: int, length: int) -> None:
    """Nobody watches."""


@define
class Small:
    """A database of some bytes."""

    found: Tally = HELD
    """What is found in its copy."""
    bytes: int = 9
    begun: Callable[[Path], object] = field(default=lambda path: None)
    kind: str = "sqlite"
    member: str = "dsmr.sqlite3"

    def size(self) -> int:
        """See ``Original``."""
        return self.bytes

    def may_examine(self) -> None:
        """See ``Original``."""

    def copy(self, to: Path, told: Told, /) -> Tally:
        """See ``Original``."""
        to.write_bytes(b"x" * 99)
        self.begun(to)
        told(1, 1)
        return HELD

    def examine(self, copy: Path, told: Told, /) -> Tally:
        """See ``Original``."""
        return self.found

    def since(self, then: Tally, told: Told, /) -> dict[int, Sums] | None:
        """See ``Original``."""
        return None


class MakeTests(SynchronousTestCase):
    """A backup is there when it is whole and good, and else not at all."""

    def setUp(self) -> None:
        """An empty directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def names(self) -> list[str]:
        """All that is there."""
        return sorted(path.name for path in self.directory.iterdir())

    def refused(self, original: Original, now: int = NOON) -> str:
        """Make one so that it fails; why."""
        return str(self.assertRaises(BackupError, make, original, self.directory, now, unseen))

    def test_a_backup(self) -> None:
        """It is named by its date in UTC, is its owner's alone, and says what it has to hold."""
        made = make(Small(), self.directory, NOON + 1, unseen)
        path = self.directory / NAME
        self.assertEqual((made.name, made.made_at, made.bytes), (NAME, NOON, path.stat().st_size))
        self.assertEqual(self.names(), [NAME])
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        note = note_of(path)
        self.assertEqual((note.kind, note.made_at, note.tally), ("sqlite", "2024-04-02T10:00:00Z", HELD))

    def test_nothing_is_shown_before(self) -> None:
        """While it is made there are hidden files alone, which only their owner reads."""
        seen: list[tuple[str, int]] = []
        make(
            Small(begun=lambda path: seen.append((path.name, path.stat().st_mode & 0o777))),
            self.directory,
            NOON,
            unseen,
        )
        self.assertEqual(seen, [(".dsmr-20240402T100000Z.copy", 0o600)])

    def test_how_far_it_is(self) -> None:
        """It tells how far it is, up to the end."""
        seen: list[tuple[int, int]] = []
        make(Small(), self.directory, NOON, lambda done, length: seen.append((done, length)))
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(seen[-1][0], seen[-1][1])

    def test_a_copy_that_differs(self) -> None:
        """A copy that lacks something is no backup, and is removed; what it lacks is said."""
        told = self.refused(Small(found=Tally(6, {"price": 24}, {1: {"reading": 8}})))
        self.assertEqual(told, "The copy does not hold what the database held: reading of meter 1: 9 became 8")
        told = self.refused(Small(found=Tally(6, {"price": 23}, {1: {"reading": 8}})))
        self.assertEqual(told, "The copy does not hold what the database held: price: 24 became 23, and 1 more")
        self.assertEqual(self.names(), [])

    def test_it_is_stopped(self) -> None:
        """Whoever stops it leaves nothing."""

        def told(done: int, length: int) -> None:
            raise BackupStopped("enough")

        self.assertRaises(BackupStopped, make, Small(), self.directory, NOON, told)
        self.assertEqual(self.names(), [])

    def test_a_disk_that_lies(self) -> None:
        """What is read otherwise than it was written is no backup."""

        def change(path: Path) -> None:
            self.changing = path

        def told(done: int, length: int) -> None:
            # Packed, and not read again yet.
            if done == length * 8 // 9:
                self.changing.write_bytes(b"y" * 99)

        error = self.assertRaises(BackupError, make, Small(begun=change), self.directory, NOON, told)
        self.assertIn("is read differently: its disk is not to be trusted", str(error))
        self.assertEqual(self.names(), [])

    def test_twice_in_a_second(self) -> None:
        """A backup takes the place of no other."""
        make(Small(), self.directory, NOON, unseen)
        self.assertIn("is there already", self.refused(Small(bytes=5)))
        self.assertEqual(self.names(), [NAME])

    def test_no_directory(self) -> None:
        """A disk that is not mounted is said to be missing; nothing is made in its place."""
        self.directory.rmdir()
        self.assertIn("is not there: make the directory, or mount the disk that it is on", self.refused(Small()))
        self.assertFalse(self.directory.exists())

    def test_no_room(self) -> None:
        """Where the copy does not fit it is not begun."""
        self.assertIn("the copy alone takes 1,000,000,000,000 MB", self.refused(Small(bytes=10**18)))
        self.assertEqual(self.names(), [])

    def test_no_disk(self) -> None:
        """What the system says is told in a sentence."""

        def fail(path: Path) -> None:
            raise OSError(28, "No space left on device")

        self.assertEqual(self.refused(Small(begun=fail)), f"{self.directory} can't be used: No space left on device")

    def test_what_was_left(self) -> None:
        """What a backup left that was killed goes with the next one, a day later: sooner it may be another's."""
        for name, age in (
            (".dsmr-20240101T000000Z.copy", 2),
            (".dsmr-20240402T000000Z.unfinished", 0),
            (".profile", 9),
        ):
            (self.directory / name).touch()
            at = (NOON - age * DAY) // SECOND
            os.utime(self.directory / name, (at, at))
        make(Small(), self.directory, NOON, unseen)
        self.assertEqual(self.names(), [".dsmr-20240402T000000Z.unfinished", ".profile", NAME])

    def test_parts(self) -> None:
        """Parts of a work follow each other, each as long as it is said to be."""
        seen: list[tuple[int, int]] = []
        first, second = shares(lambda done, length: seen.append((done, length)), (1, 3))
        first(1, 2)
        first(2, 2)
        second(0, 0)
        second(3, 3)
        self.assertEqual(seen, [(500, 4_000), (1_000, 4_000), (1_000, 4_000), (4_000, 4_000)])


class KeepTests(SynchronousTestCase):
    """Old backups are removed, and nothing else."""

    def setUp(self) -> None:
        """An empty directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def fill(self, *names: str) -> None:
        """Put files there."""
        for name in names:
            (self.directory / name).touch()

    def test_other_files(self) -> None:
        """What is named otherwise, even by a hair, is nobody's business."""
        others = [
            "dsmr-20240402T100000Z.tar.gz.part",
            "dsmr-20240402.tar.gz",
            "my-dsmr-20240402T100000Z.tar.gz",
            "dsmr-20241302T100000Z.tar.gz",
            "dsmr-٢٠٢٤٠٤٠٢T100000Z.tar.gz",
            "holiday.jpg",
        ]
        self.fill(*others, NAME, "dsmr-20240401T100000Z.tar.gz")
        self.assertEqual(prune(self.directory, 1, NOON), ["dsmr-20240401T100000Z.tar.gz"])
        self.assertEqual(sorted(path.name for path in self.directory.iterdir()), sorted([*others, NAME]))

    def test_dated_ahead(self) -> None:
        """Files that a wrong clock dated ahead neither count nor go: the backup of today stays."""
        self.fill(NAME, "dsmr-20990101T000000Z.tar.gz")
        self.assertEqual(prune(self.directory, 1, NOON), [])
        self.assertEqual([backup.name for backup in backups_in(self.directory, NOON)], [NAME])

    @given(st.sets(st.integers(0, 60), max_size=20), st.integers(1, 20))
    def test_the_newest_stay(self, ages: set[int], keep: int) -> None:
        """Of any backups the newest stay, as many as are wanted, and the others go."""
        for path in self.directory.iterdir():
            path.unlink()
        made = sorted(NOON - age * DAY for age in ages)
        self.fill(*(utc(at).strftime("dsmr-%Y%m%dT%H%M%SZ.tar.gz") for at in made))
        prune(self.directory, keep, NOON)
        self.assertEqual(
            sorted(filter(None, (instant_in(path.name) for path in self.directory.iterdir()))), made[-keep:]
        )


class DirectoryTests(SynchronousTestCase):
    """The port of the service."""

    def setUp(self) -> None:
        """Backups of a small database, of which two are kept."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.released: list[bool] = []
        self.backups = BackupDirectory(Small(), self.directory, 2, maybeDeferred, lambda: self.released.append(True))

    def test_interface(self) -> None:
        """It is what it says."""
        self.assertTrue(verifyObject(IBackups, self.backups))

    def test_days(self) -> None:
        """Of three days the newest two are kept, and the newest of all is found again."""
        self.assertIsNone(self.successResultOf(self.backups.newest(NOON)))
        for day in range(3):
            made = self.successResultOf(self.backups.make(NOON + day * DAY))
        self.assertEqual(self.successResultOf(self.backups.newest(NOON + 2 * DAY)), made)
        self.assertEqual(len(list(self.directory.iterdir())), 2)

    def test_the_end(self) -> None:
        """When the server stops, what is under way ends, and its thread goes."""
        self.backups.stop()
        self.failureResultOf(self.backups.make(NOON), BackupStopped)
        self.backups.close()
        self.assertEqual(self.released, [True])

    def test_no_directory(self) -> None:
        """A directory that is gone is said to be."""
        self.directory.rmdir()
        self.failureResultOf(self.backups.newest(NOON), BackupError)
