"""Responsible for the spool: what waits on disk for the store, in the order in which it came.

    0000000001.spool, 0000000002.spool, …   what waits; see ``dsmr_tw.segment`` and ``dsmr_tw.spoolfiles``
    0000000001.damaged                      what could not be read to its end, kept for a person to look at
    refused                                 as text, what the store did not want

What is appended is on disk when that is acknowledged.
Nothing is ever written behind what was there at the start, or behind a write that failed: a new file is begun.
A file goes when everything in it is stored; after a crash some of what is stored may be read once more.

One program at a time uses a spool, by a lock on its directory.
Its work is done by a runner, one piece at a time: ``runner(function, *args) -> Deferred``.

Tests: ``tests/test_spool.py``
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from dsmr_tw.domain.disks import with_advice
from dsmr_tw.errors import SpoolFull, StoreRefused, StoreUnavailable
from dsmr_tw.interfaces import ISpool
from dsmr_tw.lasting import make_directory, sync_directory
from dsmr_tw.limits import SPOOL_BYTES
from dsmr_tw.segment import Codec, frames_of
from dsmr_tw.spoolfiles import Segment, Writing, begun, left, locked, write

T = TypeVar("T")

SPOOL: Final = "spool"
"""The name of its directory in a state directory."""

SEGMENT_BYTES: Final = 4 * 1024 * 1024
"""A file that has grown so large is not written to any more."""

REFUSED_SHARE: Final = 4
"""What is refused may take this part of the room of a spool; what else is refused is counted, and not kept."""

_NAME: Final = re.compile(r"(\d{10})\.spool")
_REFUSED: Final = b"# refused: "


@implementer(ISpool)
@define(eq=False)
class Spool:
    """The files of one directory."""

    path: Path
    runner: Callable[..., Deferred[Any]]
    most_bytes: int = SPOOL_BYTES
    segment_bytes: int = SEGMENT_BYTES

    records: int = field(default=0, init=False)
    held_bytes: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    damaged: int = field(default=0, init=False)
    _segments: deque[Segment] = field(factory=deque, init=False)
    _found: list[bytes] = field(factory=list, init=False)
    """What was read from them, and not handed out yet."""
    _writing: Writing | None = field(default=None, init=False)
    _next: int = field(default=1, init=False)
    """The number of the next file."""
    _kept_bytes: int = field(default=0, init=False)
    """Of files that stay whatever is stored."""
    _refused_is_full: bool = field(default=False, init=False)
    """Whether the last that was refused found no room."""
    _lock: int | None = field(default=None, init=False)
    _log = Logger()

    def open(self) -> None:
        """Take the directory, which is made if need be, and find out what waits in it.

        Raises: ``StoreRefused`` when another program uses it, or it can't be used.
        """
        try:
            make_directory(self.path, 0o700)
            # Said now, not when the store is away and nothing else is left.
            if not os.access(self.path, os.W_OK | os.X_OK, effective_ids=True):
                raise StoreRefused(f"The spool {self.path} can't be written to.")
            self._lock = locked(self.path)
            self.survey()
        except OSError as error:
            self.close()
            raise StoreRefused(f"The spool {self.path} can't be used: {error.strerror}.") from error
        for segment in list(self._segments):
            self._settle(segment)

    def survey(self) -> None:
        """Find out what waits in the directory, without changing anything there."""
        names = sorted(path.name for path in self.path.iterdir())
        segments = [left(self.path / name) for name in names if _NAME.fullmatch(name)]
        self._segments = deque(segments)
        self._next = 1 + max((int(name[:10]) for name in names if name[:10].isdigit()), default=0)
        self.records = sum(segment.records for segment in segments)
        self.held_bytes = sum(segment.end for segment in segments)
        kept = [self.path / name for name in names if name.endswith(".damaged") or name == "refused"]
        self._kept_bytes = sum(path.stat().st_size for path in kept)
        self.damaged = sum(path.suffix == ".damaged" for path in kept) + sum(one.is_damaged for one in segments)
        self.refused = _refused_in(self.path / "refused")

    def close(self) -> None:
        """Let others use the directory."""
        self._end_writing()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def append(self, records: Sequence[bytes]) -> Deferred[None]:
        """See ``ISpool``."""
        return self.runner(self._append, records)

    def read(self, most: int, understood: Callable[[bytes], T]) -> Deferred[list[T]]:
        """See ``ISpool``."""
        return self.runner(self._read, most, understood)

    def forget(self, records: int) -> Deferred[None]:
        """See ``ISpool``."""
        return self.runner(self._forget, records)

    def refuse(self, text: str, reason: str) -> Deferred[None]:
        """See ``ISpool``."""
        return self.runner(self._refuse, text, reason)

    def _append(self, records: Sequence[bytes]) -> None:
        writing = self._writing
        codec = Codec() if writing is None else writing.codec
        before = codec.dictionary
        try:
            data = frames_of(codec, records)
            if self.held_bytes + self._kept_bytes + len(data) > self.most_bytes:
                raise SpoolFull(f"the spool holds {self.records} telegrams already")
        except (ValueError, SpoolFull):
            # Nothing of it will stand in the file.
            codec.dictionary = before
            raise
        with self._disk():
            segment = self._begin(codec, data) if writing is None else self._write_more(writing, data)
        segment.records += len(records)
        self.records += len(records)
        if segment.end >= self.segment_bytes:
            self._end_writing()

    def _begin(self, codec: Codec, data: bytes) -> Segment:
        """A new file with its first records."""
        path = self.path / f"{self._next:010}.spool"
        self._next += 1
        self._writing = begun(path, codec, data)
        segment = self._writing.segment
        self._segments.append(segment)
        self.held_bytes += segment.end
        return segment

    def _write_more(self, writing: Writing, data: bytes) -> Segment:
        try:
            writing.write(data)
        except OSError:
            self._end_writing()
            raise
        self.held_bytes += len(data)
        return writing.segment

    def _end_writing(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.end()

    def _read(self, most: int, understood: Callable[[bytes], T]) -> list[T]:
        # Kept until they are handed out: whatever fails meanwhile, none of them is passed over.
        found = self._found
        for segment in list(self._segments):
            while segment.read < segment.records and len(found) < most:
                found += self._read_from(segment, most - len(found))
        told = [understood(record) for record in found[:most]]
        del found[:most]
        return told

    def _read_from(self, segment: Segment, most: int) -> list[bytes]:
        """The next records of a file; none when it has turned out to be damaged."""
        with self._disk():
            found = segment.read_on(most)
        if not found:
            self._log.error("{path} has gone bad: it can't be read any further", path=str(segment.path))
            self.damaged += not segment.is_damaged
            segment.is_damaged = True
            self.records -= segment.records - segment.read
            segment.records = segment.read
            if self._writing is not None and self._writing.segment is segment:
                # What was put behind it could never be read.
                self._end_writing()
            self._settle(segment)
        return found

    def _forget(self, records: int) -> None:
        while records:
            segment = self._segments[0]
            part = min(records, segment.records - segment.stored)
            segment.stored += part
            self.records -= part
            records -= part
            self._settle(segment)

    def _settle(self, segment: Segment) -> None:
        """A file of which everything is stored goes, or is put aside."""
        if segment.stored < segment.records or self._lock is None:
            return
        if self._writing is not None and self._writing.segment is segment:
            self._end_writing()
        self._segments.remove(segment)
        self.held_bytes -= segment.end
        # What can't be removed is stored once more after the next start, which changes nothing.
        with suppress(OSError):
            if segment.is_damaged:
                aside = segment.path.rename(segment.path.with_suffix(".damaged"))
                self._kept_bytes += aside.stat().st_size
                self._log.error("not all of {path} can be read; it is kept", path=str(aside))
            else:
                segment.path.unlink()

    def _refuse(self, text: str, reason: str) -> None:
        lines = b"\n" + _REFUSED + f"{' '.join(reason.split())}\n{text}".encode()
        with self._disk():
            file = os.open(self.path / "refused", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                is_full = os.fstat(file).st_size + len(lines) > self.most_bytes // REFUSED_SHARE
                if not is_full:
                    write(file, lines)
                    os.fsync(file)
                    sync_directory(self.path)
                    self._kept_bytes += len(lines)
            finally:
                os.close(file)
        if is_full and not self._refused_is_full:
            self._log.error(
                "{path} is full, what else is refused is not kept: move it away", path=f"{self.path}/refused"
            )
        self._refused_is_full = is_full
        self.refused += 1

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(with_advice(f"{self.path}: {error.strerror}", error.errno)) from error


def _refused_in(path: Path) -> int:
    """How many telegrams are in the file of those that were refused."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(line.startswith(_REFUSED) for line in file)
