"""Responsible for one file of the spool: records in, the same records out, and nothing that was not written.

    header | length, its complement, CRC-32 of length and payload, payload | …

A payload is compressed against the file's dictionary: those of its own records that have ``JOINS`` set in their length.
The first record joins, and so does each that is unlike those before it, as the first one of another meter is.

Where the bytes end in the midst of a record, they were never acknowledged: writing them was cut short.
So it was where nothing but zeros follows: some file systems keep a file's new length, and lose what was in it.
Where they are wrong in any other way, the file is damaged, and what stands behind is not trusted.

Tests: ``tests/test_segment.py``
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from struct import Struct
from typing import Final

from attrs import define, field

HEADER: Final = b"dsmr_tw spool 1\n"

_FRAME: Final = Struct(">HHI")

JOINS: Final = 0x8000
"""Set in the length of a record that becomes part of the dictionary."""

LONGEST: Final = JOINS - 1
"""Bytes of a payload."""

UNLIKE: Final = 3
"""A record that does not shrink to a third of its size is unlike the dictionary."""

DICTIONARY_BYTES: Final = 32 * 1024
"""Further back deflate does not look."""


@define
class Codec:
    """Compresses the records of one file, or decompresses them, in their order."""

    dictionary: bytes = b""

    def frame(self, record: bytes) -> bytes:
        """The bytes of the next record.

        Raises: ``ValueError`` when it is longer than any telegram could be.
        """
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_FILTERED, self.dictionary)
        payload = packer.compress(record) + packer.flush()
        if len(payload) > LONGEST:
            raise ValueError(f"a record of {len(record)} bytes is too long for the spool")
        length = len(payload)
        is_unlike = not self.dictionary or length * UNLIKE > len(record)
        if is_unlike and len(self.dictionary) + len(record) <= DICTIONARY_BYTES:
            length |= JOINS
            self.dictionary += record
        return _FRAME.pack(length, length ^ 0xFFFF, _crc(length, payload)) + payload

    def record(self, length: int, payload: bytes) -> bytes:
        """The record in a payload."""
        record = zlib.decompressobj(-zlib.MAX_WBITS, self.dictionary).decompress(payload)
        if length & JOINS:
            self.dictionary += record
        return record


def _crc(length: int, payload: bytes) -> int:
    return zlib.crc32(payload, length)


@define
class Scan:
    """What a stretch of bytes holds, from the beginning of a record on."""

    frames: list[tuple[int, bytes]] = field(factory=list)
    """The lengths, with their flag, and payloads of the whole records at its beginning."""
    end: int = 0
    """Where in the bytes these records end."""
    is_damaged: bool = False
    """Whether there stands something that is not a record behind them, not even the beginning of one."""


def scan(data: bytes, most: int | None = None, at: int = 0) -> Scan:
    """Read whole records from ``at`` on, ``most`` of them at most."""
    found = Scan(end=at)
    while found.end < len(data) and (most is None or len(found.frames) < most):
        start = found.end + _FRAME.size
        if start > len(data):
            # Not even its head is there.
            break
        length, complement, crc = _FRAME.unpack_from(data, found.end)
        stop = start + (length & ~JOINS)
        payload = data[start:stop]
        if length ^ complement != 0xFFFF or (stop <= len(data) and _crc(length, payload) != crc):
            found.is_damaged = any(data[found.end :])
            break
        if stop > len(data):
            break
        found.frames.append((length, payload))
        found.end = stop
    return found


def frames_of(codec: Codec, records: Iterable[bytes]) -> bytes:
    """The bytes of several records."""
    return b"".join(map(codec.frame, records))
