"""Responsible for the files of the spool on the disk: each is written at its end, and read on from where one was.

What has been written is on the disk, and so is the name of its file.

Tests: ``tests/test_spool.py``
"""

from __future__ import annotations

import fcntl
import os
import zlib
from contextlib import suppress
from errno import EIO, EISDIR, ENOENT, ENOTDIR
from pathlib import Path
from typing import Final

from attrs import define, field

from dsmr_tw.errors import StoreRefused
from dsmr_tw.lasting import sync_directory
from dsmr_tw.segment import HEADER, Codec, scan

CHUNK: Final = 256 * 1024
"""Bytes read at once; no record is so large."""

LASTING: Final = (EIO, EISDIR, ENOENT, ENOTDIR)
"""What is wrong with the file itself; anything else (no file descriptor left, no memory) may be over in a moment."""


@define(eq=False)
class Segment:
    """One file."""

    path: Path
    records: int
    """How many can be read."""
    end: int
    """Where they end in the file."""
    is_damaged: bool = False
    """Whether there is more in it that can't be read."""
    read: int = 0
    stored: int = 0
    _read_to: int = len(HEADER)
    _codec: Codec = field(factory=Codec)
    """For reading."""

    def read_on(self, most: int) -> list[bytes]:
        """The next records; none when the file has turned out to be damaged.

        Raises: ``OSError`` when it can't be read now, and may well be whole.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                data = file.read(min(CHUNK, self.end - self._read_to))
            frames = scan(data, most)
            found = [self._codec.record(*frame) for frame in frames.frames]
        except zlib.error:
            return []
        except OSError as error:
            if error.errno not in LASTING:
                raise
            return []
        self._read_to += frames.end
        self.read += len(found)
        return found


@define
class Writing:
    """The file that is written to."""

    segment: Segment
    codec: Codec
    _file: int

    def write(self, data: bytes) -> None:
        """Put more behind what there is.

        Raises: ``OSError``; then nobody knows what of it is on the disk, and nothing may be put behind it.
        """
        try:
            write(self._file, data)
            os.fdatasync(self._file)
        except OSError:
            # What can't be cut off is read once more at the next start.
            with suppress(OSError):
                os.ftruncate(self._file, self.segment.end)
            raise
        self.segment.end += len(data)

    def end(self) -> None:
        """Write no more to it; all of it is on the disk, whatever closing the file gives."""
        with suppress(OSError):
            os.close(self._file)


def begun(path: Path, codec: Codec, data: bytes) -> Writing:
    """A new file with its first records; nothing is left of one that can't be begun (``OSError``)."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write(file, HEADER + data)
        os.fdatasync(file)
        sync_directory(path.parent)
    except OSError:
        with suppress(OSError):
            os.close(file)
        with suppress(OSError):
            path.unlink()
        raise
    return Writing(Segment(path, 0, len(HEADER) + len(data)), codec, file)


def left(path: Path) -> Segment:
    """What a file holds, as it was left by whoever wrote it.

    Raises: ``OSError`` when it can't be read now, and may well be whole.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        # Its server has stored everything in it, a moment ago.
        return Segment(path, 0, 0)
    except OSError as error:
        if error.errno not in LASTING:
            raise
        return Segment(path, 0, 0, is_damaged=True)
    if not data.startswith(HEADER):
        return Segment(path, 0, len(data), is_damaged=not HEADER.startswith(data.rstrip(b"\0")))
    found = scan(data, at=len(HEADER))
    return Segment(path, len(found.frames), found.end, found.is_damaged)


def write(file: int, data: bytes) -> None:
    """Write all of it."""
    while data:
        data = data[os.write(file, data) :]


def is_in_use(path: Path) -> bool:
    """Whether a program uses the spool in this directory now.

    Raises: ``OSError`` when there is none, or it can't be looked at.
    """
    try:
        os.close(locked(path, fcntl.LOCK_SH))
    except StoreRefused:
        return True
    return False


def locked(path: Path, kind: int = fcntl.LOCK_EX) -> int:
    """A lock on the directory, which ends with its being closed.

    Raises: ``StoreRefused`` when another program holds it; ``OSError``.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(directory)
        raise StoreRefused(f"A running server uses the spool {path}.") from error
    return directory
