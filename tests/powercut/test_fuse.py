"""Tests of the disk whose power is cut, as programs see it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.powercut.poweredcase import PoweredCase

WAITS_FOR_THE_DISK = """
import os, sys
os.write(1, b"begins")
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(file, b"some")
os.fsync(file)
os.write(1, b"is safe")
"""


def outcome(does: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives, or what went wrong."""
    try:
        return does(*arguments)
    except OSError as error:
        return error.errno


def used(place: Path) -> list[Any]:
    """Use a directory in every way that programs do which keep something; all that can be seen of it."""
    one, two, inner = place / "one", place / "two", place / "inner"
    seen: list[Any] = [
        outcome(one.read_bytes),
        one.write_bytes(b"0123456789"),
        outcome(os.open, one, os.O_CREAT | os.O_EXCL | os.O_WRONLY),
        outcome(os.truncate, one, 4),
        outcome(os.truncate, one, 6),
        one.read_bytes(),
        one.open("ab").write(b"more"),
        one.read_bytes(),
        one.write_bytes(b"new"),
        one.stat().st_size,
        outcome(one.chmod, 0o600),
        one.stat().st_mode,
        outcome(inner.mkdir, 0o700),
        outcome(inner.mkdir),
        inner.stat().st_mode,
        (inner / "large").write_bytes(bytes(range(256)) * 2000),
        (inner / "large").read_bytes() == bytes(range(256)) * 2000,
        outcome(inner.rmdir),
        one.rename(two).name,
        outcome(one.stat),
        one.write_bytes(b"another"),
        one.replace(two).name,
        two.read_bytes(),
        [outcome((inner / f"file {number} of a long list").touch) for number in range(300)],
        sorted(path.name for path in inner.iterdir()),
    ]
    with two.open("rb") as file:
        two.unlink()
        seen += [file.read(), outcome(two.unlink)]
    for path in inner.iterdir():
        path.unlink()
    inner.rmdir()
    return [*seen, list(place.iterdir()), os.access(place, os.W_OK)]


class UseTests(PoweredCase):
    """While its power is on, it is a disk like another."""

    def test_like_another(self) -> None:
        """Files and directories are made, read, changed, renamed and removed."""
        other = Path(self.mktemp())
        other.mkdir()
        self.assertEqual(used(self.path), used(other))
        self.assertGreater(os.statvfs(self.path).f_bavail, 0)

    def test_nothing_is_put_elsewhere(self) -> None:
        """What it can't do it refuses."""
        (self.path / "inner").mkdir()
        (self.path / "one").touch()
        for does in (lambda: (self.path / "one").rename(self.path / "inner" / "one"), lambda: self.path.rmdir()):
            with self.assertRaises(OSError):
                does()

    def test_locks_hold(self) -> None:
        """Two programs do not hold the same file."""
        with (self.path / "lock").open("w") as one, (self.path / "lock").open("w") as two:
            fcntl.flock(one, fcntl.LOCK_EX)
            with self.assertRaises(BlockingIOError):
                fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_sqlite_with_two_connections(self) -> None:
        """They share memory through a file, and see each other's rows."""
        with closing(sqlite3.connect(self.path / "db")) as one, closing(sqlite3.connect(self.path / "db")) as two:
            self.assertEqual(one.execute("PRAGMA journal_mode = WAL").fetchall(), [("wal",)])
            one.execute("CREATE TABLE number (n)")
            for number in range(50):
                with one:
                    one.execute("INSERT INTO number VALUES (?)", (number,))
                self.assertEqual(two.execute("SELECT count(*) FROM number").fetchone(), (number + 1,))


class CutTests(PoweredCase):
    """When its power goes."""

    def test_what_was_synced_is_there(self) -> None:
        """The file's bytes, and its name."""
        for seed in range(5):
            path = self.path / f"file-{seed}"
            with path.open("wb") as file:
                file.write(b"A")
                file.flush()
                os.fsync(file.fileno())
            directory = os.open(self.path, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
            self.cut(seed)
            self.assertEqual(path.read_bytes(), b"A")

    def test_what_was_not_may_be_gone(self) -> None:
        """The same disk keeps it at other times."""
        kept = []
        for seed in range(20):
            path = self.path / f"file-{seed}"
            path.write_bytes(b"A")
            self.cut(seed)
            kept.append(path.exists() and path.read_bytes())
        self.assertEqual(set(kept), {False, b"", b"A"})

    def test_what_was_made_safe_is_there(self) -> None:
        """A test can begin with what nobody synced."""
        (self.path / "a").write_bytes(b"A")
        self.disk.make_safe()
        self.cut()
        self.assertEqual((self.path / "a").read_bytes(), b"A")

    def test_in_the_midst_of_a_change(self) -> None:
        """Whoever waits for that gets no answer, and what it was told before is so."""
        for changes, told in ((1, b"begins"), (2, b"begins"), (3, b"begins"), (4, b"beginsis safe")):
            self.disk.cut_after(changes)
            command = [sys.executable, "-c", WAITS_FOR_THE_DISK, str(self.path / f"file-{changes}")]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                if changes == 4:
                    process.wait()
                    self.disk.cut_after(0)
                self.disk.wait_for("dark")
                process.kill()
                self.disk.power_on("0")
                assert process.stdout is not None
                self.assertEqual(process.stdout.read(), told)

    def test_the_same_seed_leaves_the_same(self) -> None:
        """What was found can be looked at again."""
        left = []
        for _ in range(2):
            for number in range(20):
                (self.path / f"file-{number}").write_bytes(b"A" * number)
            self.cut(7)
            left.append({path.name: path.read_bytes() for path in self.path.iterdir()})
            for path in self.path.iterdir():
                path.unlink()
            self.disk.make_safe()
        self.assertEqual(left[0], left[1])
        self.assertTrue(0 < len(left[0]) < 20, left)
