"""What tests of the spool stand on: a spool on the real disk, and a disk that is full when a test says so."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.segment import HEADER
from dsmr_tw.spool import Spool


@contextmanager
def small_disk(file_bytes: int = 0) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: the kernel writes up to there, then refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_files() -> Iterator[None]:
    """Meanwhile this process can open nothing: it has too many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class SpoolCase(SynchronousTestCase):
    """A test with a spool of its own."""

    def setUp(self) -> None:
        """Open an empty one."""
        self.directory = Path(self.mktemp()).resolve() / "spool"
        self.spool = self.opened()

    def opened(self, path: Path | None = None, **settings: Any) -> Spool:
        """The spool in a directory, open."""
        spool = Spool(self.directory if path is None else path, maybeDeferred, **settings)
        spool.open()
        self.addCleanup(spool.close)
        return spool

    def reopen(self, **settings: Any) -> None:
        """Go on with nothing but what is on disk."""
        self.spool.close()
        self.spool = self.opened(**settings)

    def append(self, *records: bytes) -> None:
        """Append records, which are on disk then."""
        self.assertIsNone(self.successResultOf(self.spool.append(records)))

    def read(self, most: int = 1000) -> list[bytes]:
        """The next records."""
        return self.successResultOf(self.spool.read(most, lambda record: record))

    def names(self) -> list[str]:
        """The files that there are."""
        return sorted(path.name for path in self.directory.iterdir())

    def file(self, number: int = 1) -> Path:
        """One of the files."""
        return self.directory / f"{number:010}.spool"

    def spoil(self, number: int = 1, at: int = len(HEADER)) -> None:
        """Change one bit of a file."""
        data = bytearray(self.file(number).read_bytes())
        data[at] ^= 1
        self.file(number).write_bytes(data)
