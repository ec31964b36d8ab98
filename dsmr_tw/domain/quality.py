"""Responsible for how good a line is: how many telegrams come whole, and where the others break.

Two telegrams of a meter differ in their digits; in their form, hardly ever.
So the first place where the form of a broken one is another than that of a whole one before it is where it broke.

Tests: ``tests/domain/test_quality.py``
"""

from __future__ import annotations

import re
from collections import Counter, deque
from itertools import pairwise
from statistics import median, median_low
from typing import Final

from attrs import define, field, frozen

LATEST: Final = 1000
"""So many telegrams are looked back on."""

RECENT: Final = 100
"""So many of them tell how the line is now."""

LEAST: Final = 20
"""From fewer nothing is concluded."""

MOST_PERCENT: Final = 5
"""A line on which more telegrams than this have a wrong CRC is a problem."""

_INTERVALS: Final = 10
_FORM: Final = bytes.maketrans(b"123456789", b"000000000")
_TEXT: Final = bytes([9, 10, 13, *range(32, 127)])
_CODE: Final = re.compile(rb"[0-9]+-[0-9]+:[0-9.]+")


@frozen
class Damage:
    """What is wrong with a telegram whose CRC is."""

    line: int | None = None
    """The line where it breaks, 1 for the header; ``None`` when its form is right, or not known."""

    code: str | None = None
    """The code that this line begins with in a whole telegram; ``None`` for the header, or an empty line."""

    lost: int = 0
    """Bytes that are missing; below 0, bytes too many."""

    strange: int = 0
    """Bytes that no meter prints."""


def damage(broken: bytes, whole: bytes | None) -> Damage:
    """What is wrong with a telegram, by comparison with a whole one of the same meter, if there was one."""
    strange = len(broken.translate(None, _TEXT))
    if whole is None:
        return Damage(strange=strange)
    form, right = broken.translate(_FORM), whole.translate(_FORM)
    if form == right:
        return Damage(strange=strange)
    place = next(
        (at for at, (one, other) in enumerate(zip(form, right, strict=False)) if one != other),
        min(len(form), len(right)),
    )
    code = _CODE.match(whole, whole.rfind(b"\n", 0, place) + 1)
    return Damage(whole.count(b"\n", 0, place) + 1, code and code[0].decode("ascii"), len(whole) - len(broken), strange)


@frozen
class LineFigures:
    """How good a line is."""

    telegrams: int = 0
    """How many are looked back on, at most ``LATEST``: those with a wrong CRC, too."""

    crc_errors: int = 0
    """How many of them had a wrong CRC."""

    recent: int = 0
    """How many of the last ``RECENT`` there are."""

    recent_crc_errors: int = 0
    """How many of those had a wrong CRC."""

    breaks_at_line: int | None = None
    """The line where most of the broken ones break; ``None`` when none does, or its form does not tell."""

    breaks_at: str | None = None
    """The code of this line, if it has one."""

    bytes_lost: int | None = None
    """Bytes that are missing in most of the broken ones; below 0: bytes too many; ``None`` as above."""

    strange_bytes: int = 0
    """Bytes of the broken ones that no meter prints."""

    interval_ms: int | None = None
    """From one telegram to the next, mostly; ``None`` before the second."""

    def complaint(self, least: int = LEAST) -> str | None:
        """What is wrong with the line, and what may help, in words; ``None`` when nothing is, as far as it is known."""
        if self.recent < least or 100 * self.recent_crc_errors <= MOST_PERCENT * self.recent:
            return None
        said = f"{self.recent_crc_errors} of the last {self.recent} telegrams had a wrong CRC"
        return f"{said}; {self._where()}{self._advice()}"

    def _where(self) -> str:
        if self.breaks_at_line is None:
            return ""
        at = f"line {self.breaks_at_line}" + (f" ({self.breaks_at})" if self.breaks_at else "")
        lost = self.bytes_lost or 0
        if not lost:
            return f"most break at {at}; "
        count = f"{abs(lost)} byte{'' if abs(lost) == 1 else 's'}"
        return f"most break at {at}, with {count} {'missing' if lost > 0 else 'too many'}; "

    def _advice(self) -> str:
        if self.recent_crc_errors == self.recent:
            return "none came whole: does a bridge on the way change them, or is the cable bad?"
        if (self.bytes_lost or 0) > 0:
            return "bytes get lost: try another USB port, without a hub or with one that has its own power"
        return "bytes get changed: try a shorter or better cable, away from power cables"


@define
class LineQuality:
    """The latest telegrams of one line."""

    _latest: deque[Damage | None] = field(factory=lambda: deque(maxlen=LATEST), init=False, repr=False)
    """What was wrong with each; ``None``: nothing."""

    _arrivals: deque[int] = field(factory=lambda: deque(maxlen=_INTERVALS + 1), init=False, repr=False)
    _whole: bytes | None = field(default=None, init=False, repr=False)

    def whole(self, body: bytes, received_at: int) -> None:
        """A telegram came that is right: its bytes from ``/`` to ``!``, and when it was complete."""
        self._latest.append(None)
        self._arrivals.append(received_at)
        self._whole = body

    def broken(self, body: bytes) -> None:
        """A telegram came whose CRC is wrong."""
        self._latest.append(damage(body, self._whole))

    def figures(self) -> LineFigures:
        """How good the line is."""
        recent = [*self._latest][-RECENT:]
        damages = [each for each in self._latest if each is not None]
        located = [each for each in damages if each.line is not None]
        intervals = [later - earlier for earlier, later in pairwise(self._arrivals)]
        line, code = (
            Counter((each.line, each.code) for each in located).most_common(1)[0][0] if located else (None,) * 2
        )
        return LineFigures(
            len(self._latest),
            len(damages),
            len(recent),
            len(recent) - recent.count(None),
            line,
            code,
            median_low([each.lost for each in located if each.line == line]) if located else None,
            sum(each.strange for each in damages),
            round(median(intervals) / 1000) if intervals else None,
        )
