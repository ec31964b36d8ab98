"""Responsible for the file that a backup is: a compressed tar of a note about what is in it, and of the copy.

Everyday tools open it, too: ``tar xzf`` gives ``manifest.json`` and the SQLite file, or the dump for ``pg_restore``.
It is written and read piece by piece, so that it takes no memory.
A file that was cut short, changed or is something else is a ``BackupError``.

Tests: ``tests/test_archive.py``
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from attrs import frozen

from dsmr_tw.domain.tally import Tally
from dsmr_tw.errors import BackupError

Told = Callable[[int, int], None]
"""Called with how much of the work is done, and how much it is; may raise, to end the work."""

FORMAT: Final = 1
NOTE: Final = "manifest.json"
LONGEST_NOTE: Final = 64 << 20
PIECE: Final = 1 << 20
LEVEL: Final = 1
"""A higher one takes a multiple of the time, and saves a tenth."""

DAMAGED: Final = (
    tarfile.TarError,
    gzip.BadGzipFile,
    EOFError,
    zlib.error,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)


@frozen
class Note:
    """What a backup says of itself."""

    kind: str
    """Of which database it is: ``sqlite`` or ``postgresql``."""
    made_at: str
    """When, in UTC."""
    program: str
    """By which version."""
    tally: Tally
    """What was in the database."""

    def as_json(self) -> bytes:
        """The form in the file."""
        told = {
            "format": FORMAT,
            "kind": self.kind,
            "made_at": self.made_at,
            "program": self.program,
            **self.tally.as_json(),
        }
        return json.dumps(told, indent=1).encode("ascii")

    @classmethod
    def from_json(cls, text: bytes) -> Note:
        """Read that form again."""
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise ValueError(f"its format is number {told['format']}, this program knows {FORMAT}")
        return cls(str(told["kind"]), str(told["made_at"]), str(told["program"]), Tally.from_json(told))


def create(path: Path) -> IO[bytes]:
    """A new file that only its owner reads, in the place of what an interrupted work may have left."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b")


def pack(note: Note, member: str, copy: Path, path: Path, told: Told) -> None:
    """Write a backup of a copy, and let it reach the disk."""
    length = copy.stat().st_size
    with create(path) as file, copy.open("rb") as source:
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=file)
        with packed, tarfile.open(fileobj=packed, mode="w|", bufsize=PIECE) as tar:
            text = note.as_json()
            tar.addfile(_member(NOTE, len(text)), io.BytesIO(text))
            tar.addfile(_member(member, length), _Watched(source, lambda done: told(done, length)))
        file.flush()
        os.fsync(file.fileno())
        _forget(file)


def is_copy_of(path: Path, copy: Path, told: Told) -> bool:
    """Whether what is in a backup, read from the disk again, is the copy, byte for byte."""
    length, done = copy.stat().st_size, 0
    with opened(path, lambda *_: None) as (_, member), copy.open("rb") as source:
        while piece := member.read(PIECE):
            if piece != source.read(len(piece)):
                return False
            done += len(piece)
            told(done, length)
        return done == length


def unpack(path: Path, to: Path, told: Told) -> Note:
    """Write the copy in a backup to a file that only its owner reads; what the backup says of itself."""
    with create(to) as target:
        with opened(path, told) as (note, member):
            while piece := member.read(PIECE):
                target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    return note


def note_of(path: Path) -> Note:
    """What a backup says of itself, whatever the rest is like."""
    with _readable(path), path.open("rb") as file, tarfile.open(fileobj=gzip.GzipFile(fileobj=file), mode="r|") as tar:
        return _note(tar)


@contextmanager
def opened(path: Path, told: Told) -> Iterator[tuple[Note, IO[bytes]]]:
    """A backup's note, and its copy to be read from the beginning to the end."""
    with _readable(path), path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        packed = gzip.GzipFile(fileobj=_Watched(file, lambda done: told(done, length)))
        with tarfile.open(fileobj=packed, mode="r|", bufsize=PIECE) as tar:
            note = _note(tar)
            found = tar.next()
            member = None if found is None else tar.extractfile(found)
            if member is None:
                raise ValueError("the copy is not in it")
            yield note, member
        # The sum at its end is looked at only by who reads so far.
        while packed.read(PIECE):
            pass


def _note(tar: tarfile.TarFile) -> Note:
    found = tar.next()
    if found is None or found.name != NOTE or not found.isfile() or found.size > LONGEST_NOTE:
        raise ValueError("it does not begin as one")
    member = tar.extractfile(found)
    assert member is not None
    return Note.from_json(member.read())


def _member(name: str, length: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = length, 0o600
    return member


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise BackupError(
            f"{path} is no backup that can be used, it was cut short or damaged, or is something else ({error}); "
            f"take another one"
        ) from error


def _forget(file: IO[bytes]) -> None:
    """Let the next who reads the file read the disk, and not what the system still has of it in memory."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class _Watched(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, file: IO[bytes], told: Callable[[int], None]) -> None:
        super().__init__()
        self.file, self.told, self.done = file, told, 0

    def read(self, size: int = -1) -> bytes:
        """See ``io.RawIOBase``."""
        piece = self.file.read(size)
        self.done += len(piece)
        self.told(self.done)
        return piece
