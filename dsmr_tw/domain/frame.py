"""Responsible for cutting encrypted frames out of a stream of bytes, in whatever pieces it comes.

Bytes in; what the frames hold, or a ``FrameError`` for each that is none, out.
A frame looks like this: ``DB``, the meter's name of 8 bytes with its length in front, the length of what follows,
``30``, a counter of 4 bytes, the encrypted telegram, a tag of 12 bytes.

Any of these bytes may also stand in noise, or in what is encrypted, so the tag alone tells a frame from what looks like
one. Each header is followed up, also inside what another header claims for itself: a frame that lost bytes, or noise
that announces a long one, never takes a good frame with it.
The work grows with the bytes alone: a header is tried once, and of those that wait for their end only the last
``HEADERS`` are kept.

Source: Luxembourg's E-Meter P1 specification 1.1.3, §3.2.5.

Tests: ``tests/domain/test_frame.py``
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import define, field, frozen

from dsmr_tw.errors import FrameCounterError, FrameError, FrameLengthError
from dsmr_tw.limits import FRAME_BYTES

HEADERS: Final = 16
"""How many frames may be under way at a time; all but one of them are noise."""

AUTHENTICATED_ENCRYPTED: Final = b"\x30"
"""How the frames' security is written: both, with AES-128-GCM. Frames without a tag are not taken for frames."""

HEADER: Final = re.compile(rb"\xdb(?=\x08.{8}(?:([\x12-\x7f])|\x81(.)|\x82(..))\x30)", re.DOTALL)
"""The length has one byte, or is preceded by how many it has."""

_LONGEST_HEADER: Final = 14
_TITLE: Final = slice(2, 10)
_TAG_BYTES: Final = 12
_LEAST_LENGTH: Final = 1 + 4 + 1 + _TAG_BYTES
_SLICE: Final = 256
"""So many bytes are looked at together: many headers that came in one read cost no more than one by one."""


@frozen
class Frame:
    """One frame as it came, not known to be genuine."""

    title: bytes
    """The meter's name, 8 bytes: ``SAGgp`` and a number."""

    counter: int
    """Rises with each frame of a meter."""

    ciphertext: bytes

    tag: bytes
    """12 bytes that vouch for all others."""

    @property
    def nonce(self) -> bytes:
        """What makes the encryption of each frame another."""
        return self.title + self.counter.to_bytes(4)


Opened: TypeAlias = bytes | FrameError
"""What a frame held, or why that is not known."""


@define
class FrameCutter:
    """Finds frames, and has them opened."""

    open: Callable[[Frame], bytes]
    """What the frame holds.

    May raise a ``FrameError``: a ``FrameCounterError`` if the frame is genuine all the same.
    """

    skipped: int = field(default=0, init=False)
    """Bytes that belonged to no genuine frame, since the start."""

    _bytes: bytearray = field(factory=bytearray, init=False, repr=False)
    """What may belong to a frame whose end has not come yet."""

    _base: int = field(default=0, init=False, repr=False)
    """How many bytes came before these; all positions below count from the first byte of the stream."""

    _looked: int = field(default=0, init=False, repr=False)
    """Up to where every header is known."""

    _waiting: deque[tuple[int, int]] = field(factory=lambda: deque(maxlen=HEADERS), init=False, repr=False)
    """Begin and end of what waits for its last byte, in order of the begins."""

    @property
    def waiting(self) -> int:
        """How many bytes are kept."""
        return len(self._bytes)

    def take(self, data: bytes) -> list[Opened]:
        """Take bytes, cut anywhere: what became of the frames that they complete."""
        outcomes: list[Opened] = []
        for start in range(0, len(data), _SLICE):
            self._bytes += data[start : start + _SLICE]
            outcomes += self._complete()
            outcomes += self._look()
            # Where no frame is under way, the last bytes may still be the beginning of a header.
            self._skip_to(self._waiting[0][0] if self._waiting else self._looked)
        return outcomes

    def flush(self) -> list[Opened]:
        """Forget what is not complete, since the connection is at its end."""
        outcomes: list[Opened] = [FrameLengthError("Frame cut off by the end of the connection")]
        outcomes = outcomes if self._waiting else []
        self._waiting.clear()
        self._skip_to(self._end)
        self._looked = self._end
        return outcomes

    @property
    def _end(self) -> int:
        return self._base + len(self._bytes)

    def _skip_to(self, position: int) -> None:
        self.skipped += position - self._base
        self._drop_to(position)

    def _drop_to(self, position: int) -> None:
        del self._bytes[: position - self._base]
        self._base = position

    def _complete(self) -> list[Opened]:
        """Open what waited for the bytes that came now."""
        outcomes: list[Opened] = []
        for start, end in [frame for frame in self._waiting if frame[1] <= self._end]:
            # Unless it stood in another one, which was genuine.
            if (start, end) in self._waiting:
                self._waiting.remove((start, end))
                outcomes += self._open(start, end)
        return outcomes

    def _look(self) -> list[Opened]:
        """Look for headers; what is complete already is opened at once, before anything behind it is looked at."""
        outcomes: list[Opened] = []
        while header := HEADER.search(self._bytes, self._looked - self._base):
            start = self._base + header.start()
            group = header.lastindex or 1
            length = int.from_bytes(header[group])
            end = self._base + header.end(group) + length
            self._looked = start + 1
            if end - start > FRAME_BYTES:
                outcomes.append(
                    FrameLengthError(f"Frame of {end - start} bytes announced, but {FRAME_BYTES} are the most")
                )
            elif length < _LEAST_LENGTH:
                continue
            elif end <= self._end:
                outcomes += self._open(start, end)
            else:
                self._waiting.append((start, end))
        self._looked = max(self._looked, self._end - _LONGEST_HEADER + 1)
        return outcomes

    def _open(self, start: int, end: int) -> list[Opened]:
        """Have a complete frame opened: if it is genuine, nothing that began before its end can be another."""
        try:
            outcome: Opened = self.open(_frame(bytes(self._bytes[start - self._base : end - self._base])))
        except FrameError as error:
            outcome = error
            if not isinstance(error, FrameCounterError):
                return [error]
        cut = [
            FrameLengthError("Frame cut off: another one begins in it") for begun, _ in self._waiting if begun < start
        ]
        for waiting in [waiting for waiting in self._waiting if waiting[0] < end]:
            self._waiting.remove(waiting)
        self._skip_to(start)
        self._drop_to(end)
        self._looked = max(self._looked, end)
        return [*cut, outcome]


def _frame(data: bytes) -> Frame:
    header = HEADER.match(data)
    assert header is not None
    body = data[header.end(header.lastindex or 1) :]
    return Frame(data[_TITLE], int.from_bytes(body[1:5]), body[5:-_TAG_BYTES], body[-_TAG_BYTES:])
