"""Responsible for finding telegrams in lines, and for trusting only those whose CRC is right.

Lines in; nothing, a ``RawTelegram`` or a ``TelegramError`` out.
Whatever comes, no other exception leaves the assembler, it keeps at most one telegram's bytes, its work grows with the
bytes alone, and a bad byte costs at most the telegram that it is in: of bytes that are refused, those from the next
header on get their own chance.

The CRC is CRC-16/ARC over every byte from ``/`` to ``!``, so lines keep their carriage return until it is checked.
Meters of Holley print a CRC-16/X-25 instead.

Source: P1 Companion Standard 5.0.2, §6.2; the tolerances are those that meters and bridges in the field need.

Tests: ``tests/domain/test_telegram.py``, ``tests/domain/test_telegram_damage.py``
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final, TypeAlias

from attrs import define, field, frozen
from fastcrc.crc16 import arc, ibm_sdlc

from dsmr_tw.errors import CrcError, TelegramError, TelegramTooLong
from dsmr_tw.limits import TELEGRAM_BYTES

_HEADER: Final = re.compile(rb"/[A-Za-z]{3}")
"""A header in the midst of a line: the manufacturer's three letters tell it from a slash in noise or in a name."""

_CRC: Final = re.compile(rb"!(?:([0-9A-Fa-f]{4})|([0-9A-Fa-f]{1,3})(?=[\r\0 ]|$)|[\r\0 ]*$)")
"""The last line. Four digits may be followed by anything; fewer (a dropped leading zero) or none, by padding only."""

_SIGNS_OF_A_CRC: Final = (b"1-3:0.2.8(", b"0-0:1.0.0(", b"0-0:96.1.4(")
"""Version and clock: a dialect that prints one of them prints a CRC too. DSMR 2.2, 3.0 and Q3D print neither."""

_HIDDEN_HEADERS: Final = 16
"""How many headers inside refused bytes are tried, the last ones: the bound of the work that bytes can cause."""

_REACH: Final = TELEGRAM_BYTES // 2
"""How far back from the end of too many bytes a header is looked for.

Half of what a telegram may have: then each search is paid for by as many fresh bytes.
"""


_HOLLEY: Final = b"/HLY"
"""How the headers of meters begin that print another CRC than the standards say."""


class CrcPolicy(StrEnum):
    """How far a telegram is trusted."""

    STRICT = "strict"
    """The CRC must be right; only dialects that have none need none."""

    OPTIONAL = "optional"
    """A CRC that is printed must be right; it may be absent in any dialect."""

    OFF = "off"
    """Any CRC will do."""


@frozen
class RawTelegram:
    """One telegram as it came over the line."""

    data: bytes
    """The exact bytes from ``/`` to ``!``, both included."""

    crc: int | None
    """The CRC as printed; ``None`` when it was absent or, with ``CrcPolicy.OFF``, unreadable."""

    @classmethod
    def of_text(cls, text: str) -> RawTelegram:
        """The telegram whose ``text`` this is."""
        data, _, crc = text.rpartition("!")
        return cls(f"{data}!".encode("latin-1"), int(crc, 16) if crc else None)

    @property
    def computed_crc(self) -> int:
        """The CRC of the bytes; another than the printed one only where the policy allows it."""
        return _computed(self.data, self.crc)

    @property
    def identification(self) -> str:
        """The header without its slash: ``KFM5KAIFA-METER``."""
        return self.data[1 : self.data.index(b"\n")].decode("latin-1").strip("\r\0 ")

    @property
    def text(self) -> str:
        """From ``/`` to the CRC, each byte one character (Latin-1); the CRC in four digits."""
        text = self.data.decode("latin-1")
        return text if self.crc is None else f"{text}{self.crc:04X}"


Outcome: TypeAlias = RawTelegram | TelegramError
"""What became of the bytes of one telegram."""


@define
class TelegramAssembler:
    """Puts lines together to telegrams."""

    crc: CrcPolicy = CrcPolicy.STRICT

    skipped: int = field(default=0, init=False)
    """Bytes that belonged to no telegram, since the start."""

    _lines: list[bytes] = field(factory=list, init=False, repr=False)
    """The lines of the telegram under way, header first; empty between telegrams."""

    _room: int = field(default=0, init=False, repr=False)
    """How many more bytes the telegram under way may have; 0 between telegrams."""

    _doubtful: bool = field(default=False, init=False, repr=False)
    """Whether the telegram under way began in the midst of a line, so may be noise that looks like a header."""

    _unfinished: bytes = field(default=b"", init=False, repr=False)
    """What waits for the end of a line that the framer gave up on; then ``_lines`` is empty."""

    def line(self, data: bytes) -> Sequence[Outcome]:
        """Take one line, without its LF but with its CR: the outcomes that it brought about, nearly always none."""
        # Nearly all lines begin with a digit, and digits sort behind both marks: ask for those first.
        room = self._room - len(data) - 1
        if room >= 0 and data >= b"0":
            self._lines.append(data)
            self._room = room
            return ()
        if self._unfinished:
            data, self._unfinished = self._unfinished + data, b""
            return self._each_line(data.split(b"\n"))
        if data.startswith(b"/"):
            return [*self._cut("the header of another follows"), *self._begin(data)]
        if not self._lines:
            return self._search(data)
        if data.startswith(b"!"):
            return self._end(data)
        return self._append(data)

    def too_long(self, data: bytes) -> Sequence[Outcome]:
        """Take bytes that the framer gives up on: any lines, then one whose end has not come yet.

        The next ``line`` continues the last of them, so that a header in it is not lost.
        """
        *lines, rest = (self._unfinished + data).split(b"\n")
        self._unfinished = b""
        outcomes = self._each_line(lines)
        if len(rest) > _REACH:
            outcomes += self._cut(f"a line of it has more than {_REACH} bytes", TelegramTooLong)
            header = _late_header(rest)
            # Without one, the last bytes may be the beginning of one.
            start = len(rest) - 3 if header is None else header
            self.skipped += start
            rest = rest[start:]
        # The telegram under way waits with it, so that what comes next is looked at as a whole.
        self._unfinished = b"\n".join([*self._lines, rest])
        self._forget()
        return outcomes

    def flush(self) -> Sequence[Outcome]:
        """Forget the telegram under way, since its connection (or its text) is at its end."""
        outcomes = self.line(b"") if self._unfinished else ()
        return [*outcomes, *self._cut("nothing follows")]

    def _each_line(self, lines: Iterable[bytes]) -> list[Outcome]:
        return [outcome for line in lines for outcome in self.line(line)]

    def _search(self, data: bytes) -> Sequence[Outcome]:
        """Between telegrams: begin one where a header is, behind whatever noise."""
        header = _HEADER.search(data)
        if header is None:
            self.skipped += len(data) + 1 if data.strip(b"\r") else 0
            return ()
        self.skipped += header.start()
        self._doubtful = True
        return self._begin(data[header.start() :])

    def _begin(self, header: bytes) -> Sequence[Outcome]:
        self._room = TELEGRAM_BYTES
        return self._append(header)

    def _append(self, data: bytes) -> Sequence[Outcome]:
        self._lines.append(data)
        self._room -= len(data) + 1
        if self._room >= 0:
            return ()
        body = b"\n".join(self._lines)
        outcomes = self._cut(f"no end within {TELEGRAM_BYTES} bytes", TelegramTooLong)
        header = _late_header(body)
        return outcomes if header is None else [*outcomes, *self._search(body[header:])]

    def _cut(self, reason: str, error: type[TelegramError] = TelegramError) -> list[Outcome]:
        """Drop the telegram under way, if there is one."""
        if not self._lines:
            return []
        size = TELEGRAM_BYTES - self._room
        doubtful = self._doubtful
        self._forget()
        if doubtful:
            self.skipped += size
            return []
        return [error(f"Telegram not complete after {size} bytes: {reason}")]

    def _forget(self) -> None:
        self._lines, self._room, self._doubtful = [], 0, False

    def _end(self, line: bytes) -> Sequence[Outcome]:
        """The telegram under way ends with this line: judge it."""
        body = b"\n".join([*self._lines, b"!"])
        doubtful = self._doubtful
        self._forget()
        printed = _CRC.match(line)
        outcomes = _judged(body, printed, self.crc)
        if doubtful and len(outcomes) > 1:
            # It was noise that looked like a header, since behind it stood a right telegram.
            outcomes = outcomes[1:]
        rest = line[printed.end() if printed else 1 :]
        # The last line of one telegram may run into the header of the next.
        return [*outcomes, *self._search(rest)] if b"/" in rest else outcomes


def _computed(body: bytes, given: int | None) -> int:
    """The CRC that should be printed behind these bytes."""
    computed = arc(body)
    return ibm_sdlc(body) if given != computed and body.startswith(_HOLLEY) else computed


def _late_header(data: bytes) -> int | None:
    """Where the first header begins that is near enough to the end for its telegram to be still under way."""
    header = _HEADER.search(data, max(0, len(data) - _REACH))
    return header and header.start()


def _judged(body: bytes, printed: re.Match[bytes] | None, policy: CrcPolicy) -> Sequence[Outcome]:
    """The telegram if it is right; else why not, and the right one that begins in the midst of it, if one does."""
    try:
        return (_checked(body, printed, policy),)
    except TelegramError as error:
        for header in deque(_HEADER.finditer(body, 1), maxlen=_HIDDEN_HEADERS):
            with suppress(TelegramError):
                return error, _checked(body[header.start() :], printed, policy)
        return (error,)


def _checked(body: bytes, printed: re.Match[bytes] | None, policy: CrcPolicy) -> RawTelegram:
    """The telegram of the bytes from ``/`` to ``!`` and the CRC behind them, provided that the policy trusts it.

    Raises: ``CrcError`` if it does not, ``TelegramError`` when the bytes are those of two telegrams.
    """
    digits = printed and (printed[1] or printed[2])
    given = int(digits, 16) if digits else None
    if given == arc(body):
        return RawTelegram(body, given)
    computed = _computed(body, given)
    if given == computed:
        return RawTelegram(body, given)
    if policy is not CrcPolicy.OFF:
        if printed is None:
            raise CrcError(f"CRC not readable, computed {computed:04X}", body)
        if given is not None:
            raise CrcError(f"CRC given {given:04X}, computed {computed:04X}", body)
        if policy is CrcPolicy.STRICT and any(sign in body for sign in _SIGNS_OF_A_CRC):
            raise CrcError(f"CRC absent, computed {computed:04X}", body)
    # Nothing vouches for these bytes; at least no second header may stand among them.
    if _HEADER.search(body, body.index(b"\n")):
        raise TelegramError("Telegram not complete: the header of another stands in it")
    return RawTelegram(body, given)


def outcomes_in(data: bytes, policy: CrcPolicy = CrcPolicy.STRICT) -> list[Outcome]:
    """What becomes of a whole file or body."""
    assembler = TelegramAssembler(policy)
    outcomes = [outcome for line in data.split(b"\n") for outcome in assembler.line(line)]
    return [*outcomes, *assembler.flush()]


def storable(text: str | None) -> str | None:
    """A text of a telegram as every database takes it: a picture stands for NUL, which PostgreSQL has in no text."""
    return None if text is None else text.replace("\0", "\N{SYMBOL FOR NULL}")


def spellings(text: str) -> Iterator[bytes]:
    """The bytes that a telegram may have been before somebody made text of it: the likeliest first."""
    written = [text.encode("utf-8", "replace")]
    yield written[0]
    latin = text.encode("latin-1", "replace")
    if latin not in written:
        written.append(latin)
        yield latin
    for data in written:
        restored = with_line_ends(data)
        if restored not in written:
            yield restored


def with_line_ends(data: bytes) -> bytes:
    """CR LF where either of them became LF on the way."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def telegrams_in(text: str, policy: CrcPolicy = CrcPolicy.STRICT) -> list[RawTelegram]:
    """All telegrams of a text, whose bytes may have suffered on the way; what is around them does not matter.

    Raises: ``TelegramError`` when one of them is bad, naming the first such, or when there is none.
    """
    complaint: TelegramError | None = None
    for data in spellings(text):
        outcomes = outcomes_in(data, policy)
        errors = [(n, outcome) for n, outcome in enumerate(outcomes, 1) if isinstance(outcome, TelegramError)]
        if outcomes and not errors:
            return [outcome for outcome in outcomes if isinstance(outcome, RawTelegram)]
        if errors and complaint is None:
            number, complaint = errors[0]
            if len(outcomes) > 1:
                complaint = type(complaint)(f"Telegram {number} of {len(outcomes)}: {complaint}")
    raise complaint or TelegramError("No telegram found: none of its lines begins with /")
