"""Responsible for kills: when one falls, whether it fell inside what it was meant for, and what all have shown."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from attrs import define, field

PATIENCE_S: Final = 30

WAITING_FOR_DISK: Final = {"x86_64": {"74", "75"}, "aarch64": {"82", "83"}}
"""The numbers of ``fsync`` and ``fdatasync`` by machine."""

SLOWEST_START_S: Final = 5.0


@define
class Tally:
    """What was killed, and what came of it."""

    kills: Counter[str] = field(factory=Counter)
    """By what was under way."""
    inside: Counter[str] = field(factory=Counter)
    """Of these, those that fell inside it for sure."""
    starts: int = 0
    slowest_start_s: float = 0.0
    """Less the time for which other programs had the processors."""
    longest_start_s: float = 0.0
    """By the clock."""
    looked_for: int = 0
    """Readings that had to be there, each once."""
    wrong: list[str] = field(factory=list)
    """What must not be, in words."""

    def killed(self, what: str, is_inside: bool) -> None:
        """Count a kill."""
        self.kills[what] += 1
        self.inside[what] += is_inside

    def started(self, seconds: float, queued_s: float) -> None:
        """Count a start: how long it took until the server had opened its store, and for how long it had to queue."""
        self.starts += 1
        self.longest_start_s = max(self.longest_start_s, seconds)
        seconds -= queued_s
        self.slowest_start_s = max(self.slowest_start_s, seconds)
        if seconds >= SLOWEST_START_S:
            self.wrong.append(f"a start took {seconds:.1f} s")

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Note what is not as it has to be."""
        if not is_so:
            self.wrong.append(otherwise)


@define
class Moment:
    """A random moment in a work whose length is learnt: so that most kills fall inside it, at its end, too."""

    chance: Random
    span_s: float
    first_s: float = 0.0
    """Not sooner than so."""

    def wait(self) -> None:
        """Wait for it."""
        time.sleep(self.first_s + self.chance.random() * self.span_s)

    def learn(self, was_inside: bool) -> None:
        """A kill fell inside what it was meant for, or too late."""
        self.span_s *= 1.05 if was_inside else 0.8


def kill_when(process: subprocess.Popen[bytes], has_begun: Callable[[], bool], moment: Moment) -> bool:
    """Kill a process at a moment after something has begun; whether it was still at work."""
    until(lambda: has_begun() or process.poll() is not None, PATIENCE_S)
    moment.wait()
    was_alive = process.poll() is None
    process.kill()
    process.communicate()
    return was_alive


def until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Look again and again, without a rest, until it is so; not when that takes too long."""
    end = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < end:
        pass
    return found


def has_open(pid: int, name: str) -> bool:
    """Whether a process has a file open whose path ends so, or a socket if that is the name."""
    for descriptor in _listed(Path(f"/proc/{pid}/fd")):
        try:
            if (target := os.readlink(descriptor)).endswith(name) or target.startswith(f"{name}:"):
                return True
        except OSError:
            # It was closed in this moment.
            continue
    return False


def queued_s(pid: int) -> float:
    """For how long a process was ready to run, and others had the processors; 0 where nobody knows."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def waits_for_disk(pid: int) -> bool:
    """Whether a thread of a process waits until what it has written is on the disk."""
    numbers = WAITING_FOR_DISK.get(platform.machine(), set())
    for task in _listed(Path(f"/proc/{pid}/task")):
        try:
            if (task / "syscall").read_text().split(" ", 1)[0] in numbers:
                return True
        except OSError:
            continue
    return False


def _listed(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        # The process has ended in this moment.
        return []
