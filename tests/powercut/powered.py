"""Responsible for a disk in use: a process of its own serves it, and cuts its power when it is told to.

It is told a word a line, and answers when it is done:

    safe          everything on the disk is safe from now on                             safe
    cut N         the power goes in the midst of the N-th change from now; of 0: now     dark, when that happens
    on SEED       the power returns: what is left is mounted anew, chosen by the seed    on UNSAFE

``UNSAFE`` is how many changes a cut could lose. While it is dark, whoever uses the disk waits for ever, as a program
does whose computer is off; ``on`` ends that, so it is killed before.

Tests: ``tests/powercut/test_fuse.py``
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

from attrs import define, field
from twisted.trial.unittest import SkipTest

from tests.live.running import unmeasured
from tests.powercut.disk import Directory
from tests.powercut.fuse import BUFFER, Requests

DEVICE: Final = Path("/dev/fuse")
PATIENCE_S: Final = 60
HERE: Final = Path(__file__).resolve().parents[2]

_DETACH: Final = 2
_NO_SUID_NO_DEVICES: Final = 2 | 4

libc = ctypes.CDLL(None, use_errno=True)


@define(eq=False)
class Serving:
    """The process that serves the disk: one request or one word at a time."""

    mountpoint: Path
    root: Directory = field(factory=lambda: Directory(stat.S_IFDIR | 0o755))
    requests: Requests = field(init=False)
    device: int = field(init=False, default=-1)
    dark_at: int | None = None
    """When so many changes have come, the power goes."""

    def mount(self) -> None:
        """Let programs use the disk as it is."""
        self.requests = Requests(self.root)
        self.device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"powercut", bytes(self.mountpoint), b"fuse", _NO_SUID_NO_DEVICES, options):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def unmount(self) -> None:
        """Nothing that is not here yet comes any more; who waits for an answer gets an error."""
        if self.device >= 0:
            os.close(self.device)
            self.device = -1
        libc.umount2(bytes(self.mountpoint), _DETACH)

    @property
    def is_dark(self) -> bool:
        """Whether the power is off."""
        return self.dark_at is not None and self.requests.changes >= self.dark_at

    def serve(self) -> None:
        """Do so until nobody can tell us anything any more."""
        words = ""
        tell("on 0")
        while True:
            wanted = [0] if self.is_dark else [0, self.device]
            readable, _, _ = select.select(wanted, [], [])
            if 0 in readable:
                data = os.read(0, 4096).decode()
                if not data:
                    return
                *lines, words = (words + data).split("\n")
                for line in lines:
                    self.obey(*line.split())
            elif readable:
                self.answer()

    def answer(self) -> None:
        """Answer one request, unless the power goes in its midst."""
        try:
            request = os.read(self.device, BUFFER)
            answer = self.requests.answer(request, self.dark_at)
            if answer is not None and not self.is_dark:
                os.write(self.device, answer)
        except (FileNotFoundError, InterruptedError):
            # Who asked was killed meanwhile.
            return
        if self.is_dark:
            tell("dark")

    def obey(self, word: str, number: str = "") -> None:
        """Do what we are told."""
        if word == "safe":
            self.root.sync_all()
            tell("safe")
        elif word == "cut" and not self.is_dark:
            self.dark_at = self.requests.changes + int(number)
            if not int(number):
                tell("dark")
        elif word == "on":
            self.unmount()
            unsafe = sum(1 for _ in self.root.unsafe())
            self.root, self.dark_at = self.root.left(Random(number)), None
            self.mount()
            tell(f"on {unsafe}")


def tell(line: str) -> None:
    """Tell the test."""
    os.write(1, f"{line}\n".encode())


def needed() -> None:
    """Raises: ``SkipTest`` where no disk can be made whose power is cut; with ``DSMR_CI=1`` that is a failure."""
    reason = f"a disk whose power is cut needs root and {DEVICE}"
    if os.geteuid() != 0 or not os.access(DEVICE, os.R_OK | os.W_OK):
        if os.environ.get("DSMR_CI") == "1":
            raise AssertionError(reason)
        raise SkipTest(reason)


@define(eq=False)
class Powered:
    """What a test has of a disk in use."""

    mountpoint: Path
    process: subprocess.Popen[bytes] = field(init=False)
    _told: bytearray = field(factory=bytearray, init=False)

    def start(self) -> Powered:
        """Mount an empty one.

        Raises: ``SkipTest`` where that is not possible.
        """
        needed()
        self.mountpoint.mkdir(parents=True)
        command = [sys.executable, "-m", "tests.powercut.powered", str(self.mountpoint)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE, env=unmeasured()
        )
        self.wait_for("on")
        return self

    def end(self) -> None:
        """Unmount it; nothing stays."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def make_safe(self) -> None:
        """No power cut takes what is on it now."""
        self._tell("safe")
        self.wait_for("safe")

    def cut_after(self, changes: int) -> None:
        """Let the power go in the midst of the last of so many changes, now if that are none."""
        self._tell(f"cut {changes}")

    def power_on(self, seed: str) -> int:
        """Let it return, when who used the disk is killed; how many changes the cut could lose."""
        self._tell(f"on {seed}")
        return int(self.wait_for("on"))

    def fileno(self) -> int:
        """Where it tells us something, to wait for that and something else."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def wait_for(self, word: str) -> str:
        """What stands behind the word, when it is told."""
        end = time.monotonic() + PATIENCE_S
        while b"\n" not in self._told:
            readable, _, _ = select.select([self], [], [], max(0, end - time.monotonic()))
            data = os.read(self.fileno(), 4096) if readable else b""
            if not data:
                raise AssertionError(f"the disk did not say {word!r}")
            self._told += data
        line, _, rest = self._told.partition(b"\n")
        self._told = rest
        told, _, number = line.decode().partition(" ")
        assert told == word, f"the disk said {told!r}, not {word!r}"
        return number

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()


def main() -> None:
    """Serve a disk at the path that is named."""
    # Ctrl-C is for the test; it ends us when it has ended those who use the disk.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serving = Serving(Path(sys.argv[1]))
    try:
        serving.mount()
        serving.serve()
    finally:
        serving.unmount()


if __name__ == "__main__":
    main()
