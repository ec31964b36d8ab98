"""Responsible for what all benchmarks have in common: options, a place on a disk, and figures in plain words.

A figure is measured several times in one run, beside what it is compared with, and told as its median with the range.
"""

from __future__ import annotations

import os
import platform
import signal
import sqlite3
import statistics
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from attrs import frozen

IN_MEMORY: Final = ("tmpfs", "ramfs")
"""File systems on which nothing waits for a disk."""


@frozen
class Spread:
    """One figure, measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """What is told as the figure."""
        return statistics.median(self.values)

    def text(self, digits: int = 0) -> str:
        """``2,310 (2,250 to 2,400)``; of a single measurement the number alone."""
        low, middle, high = (f"{value:,.{digits}f}" for value in (min(self.values), self.median, max(self.values)))
        return middle if low == high else f"{middle} ({low} to {high})"


def parser(description: str | None) -> ArgumentParser:
    """The options that each benchmark has; ``description`` is the docstring of its module."""
    options = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="see whether it runs; the figures mean nothing then")
    options.add_argument(
        "--directory", type=Path, help="where to keep temporary files, on the disk in question [the system's choice]"
    )
    return options


@contextmanager
def work_directory(parent: Path | None) -> Iterator[Path]:
    """A temporary directory, which is removed whatever happens."""
    with tempfile.TemporaryDirectory(prefix="dsmr-benchmark-", dir=parent) as name:
        path = Path(name).resolve()
        if file_system(path) in IN_MEMORY:
            tell(f"Note: {path} is kept in memory, where no commit waits for a disk; give a --directory on one.")
        yield path


def file_system(path: Path) -> str:
    """The type of the file system that holds a path, such as ``ext4``; empty where nobody says."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    holding = [(mount[1], mount[2]) for mount in mounts if path.is_relative_to(mount[1])]
    # Of several mounts on one another, the last one counts.
    return max(enumerate(holding), key=lambda found: (len(found[1][0]), found[0]))[1][1] if holding else ""


def tell(text: str) -> None:
    """A line for the reader, at once: a run may take a while."""
    print(text, flush=True)


def resident_mb() -> float:
    """The memory that this process has (RSS), in MB of 1024 × 1024 bytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def tell_conditions(directory: Path | None = None) -> None:
    """Under which the figures were measured, as far as they matter."""
    place = file_system((directory or Path(tempfile.gettempdir())).resolve())
    tell(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
        f"{platform.system()} on {platform.machine()}{', ' + place if place else ''}"
    )


def run(main: Callable[[], None]) -> None:
    """Run a benchmark, and clean up after it when it is stopped half-way."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # A service that was started must not stay behind, nor gigabytes of readings.
    signal.signal(signal.SIGTERM, stop)
    if not sys.platform.startswith("linux"):
        sys.exit("The benchmarks read /proc, so they need Linux.")
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
