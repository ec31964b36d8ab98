"""A server all of whose files are on one disk, which is full, or can only be read: it says so, and loses nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.brief import tried_once
from tests.live.running import RunningServer
from tests.live.test_outages import IN_CI, at_rest, fill_up, small_disk
from tests.live.traffic import READINGS, Line, Poster, Traffic, wait_until

TOLD_S = 60
BACK_S = 30

Told = dict[str, Any]


class BadDiskCase(SynchronousTestCase):
    """A server that is posted to, with nothing but a bad disk."""

    def begin(self, state: Path) -> tuple[RunningServer, Poster]:
        """Start it, and post for a second."""
        server = RunningServer(state, is_measured=False).start()
        self.addCleanup(lambda: server.process.kill())
        poster = Poster(server, "POST-0", 0.02, insists=True)
        self.addCleanup(poster.stop)
        poster.start()
        time.sleep(1)
        return server, poster

    def assert_told(self, server: RunningServer, *words: str) -> None:
        """Soon ``/health`` has a sentence with each of these words, and says that the service fails."""
        began, client = time.monotonic(), server.client()

        def is_told(health: Told) -> bool:
            told = all(any(word in problem for problem in health["problems"]) for word in words)
            # It fails when the spool has tried, too, which is a moment later.
            return told and health["status"] == "failing"

        wait_until(client, is_told)
        self.assertLess(time.monotonic() - began, TOLD_S)
        self.assertEqual(client.status("/health"), 503)
        client.connection.close()

    def assert_nothing_is_lost(self, server: RunningServer, poster: Poster) -> None:
        """All that was answered with 201 is there once, and the file is sound."""
        poster.stop()
        client = server.client()
        wait_until(client, at_rest)
        self.assertEqual(Traffic([poster], Line(-1, "", 1)).missing(client), {})
        client.connection.close()
        self.assertTrue(server.stop(), server.log.decode(errors="replace")[-5000:])
        with closing(sqlite3.connect(server.state / "dsmr.sqlite3")) as connection:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])

    def fold(self, server: RunningServer) -> None:
        """Fold the log into the file, which the next start would do, and so make some room."""
        with closing(sqlite3.connect(server.state / "dsmr.sqlite3")) as connection:
            connection.execute("SELECT count(*) FROM meter").fetchall()


@tried_once
class FullDiskTests(BadDiskCase):
    """No room for anything."""

    def test_full_for_a_while_and_a_start_meanwhile(self) -> None:
        """Posts are answered with 503, also by a server that starts then; it goes on by itself when there is room."""
        with small_disk(self, Path(self.mktemp()).resolve(), 8) as disk:
            server, poster = self.begin(disk / "state")
            filler = fill_up(disk)
            self.assert_told(server, "the store takes no readings: dsmr.sqlite3: ", "(make room on that disk")
            server.kill()
            self.fold(server)
            fill_up(disk)
            server.start(ready=False)
            self.assert_told(server, "the store can't be opened", "(make room on that disk", "the spool takes no")
            self.assertEqual(set(poster.answers) - {0}, {201, 503})
            before, began = poster.answers[201], time.monotonic()
            filler.unlink()
            client = server.client()
            wait_until(client, lambda told: at_rest(told) and not told["problems"] and poster.answers[201] > before)
            self.assertLess(time.monotonic() - began, BACK_S)
            client.connection.close()
            self.assert_nothing_is_lost(server, poster)


@tried_once
class ReadOnlyDiskTests(BadDiskCase):
    """The kernel has found an error on the disk, and lets nobody write to it any more."""

    def test_it_is_told(self) -> None:
        """Posts are answered with 503, what was stored can be read, and all of it is there when the disk is mended."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        device = self.loop_device(folder / "image")
        disk = folder / "disk"
        with mounted(device, disk):
            server, poster = self.begin(disk / "state")
            Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("a test")
            self.assert_told(server, "dsmr.sqlite3: attempt to write a readonly database (the disk can only be read")
            time.sleep(0.2)
            self.assertEqual(set(poster.answers), {201, 503})
            client = server.client()
            self.assertGreater(client.get(READINGS)["count"], 0)
            client.connection.close()
            poster.stop()
            server.kill()
        with mounted(device, disk):
            server.start()
            self.assert_nothing_is_lost(server, poster)

    def loop_device(self, image: Path) -> str:
        """A disk of 16 MB in a file, with a file system that nobody writes to after an error."""
        with image.open("wb") as file:
            file.truncate(16 << 20)
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
        try:
            if shutil.which("mkfs.ext4", path=path) is None:
                raise FileNotFoundError("there is no mkfs.ext4")
            words = ["mkfs.ext4", "-q", "-O", "^has_journal", "-e", "remount-ro", str(image)]
            subprocess.run(words, check=True, env={"PATH": path}, capture_output=True)
            words = ["losetup", "--find", "--show", str(image)]
            made = subprocess.run(words, check=True, env={"PATH": path}, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            if IN_CI:
                self.fail(f"no disk can be made in a file: {error}")
            raise SkipTest("only root can make a disk in a file, with mkfs.ext4 and losetup") from error
        device = made.stdout.strip()
        self.addCleanup(subprocess.run, ["losetup", "--detach", device], check=True, env={"PATH": path})
        return device


@contextmanager
def mounted(device: str, folder: Path) -> Iterator[None]:
    """A disk, in a directory."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", device, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
