"""Readings for a walk through the ledger, written as words: a minute, and the position of one register at it.

``"0=100 5=110 10=120"`` are three readings; minutes count from noon, seconds stand behind a colon: ``7:30=115``.
A letter behind the position is the equipment, ``5=110A``; what stands behind a slash is the power as the store holds
it, ``5=110/400`` or ``5=110/400,150``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen

from dsmr_tw.domain.ledger import Edits, Finding, Walk
from dsmr_tw.domain.pace import Pace, Row
from dsmr_tw.domain.quarters import Quarter
from dsmr_tw.domain.reading import HOUR, SECOND, Arrival
from dsmr_tw.domain.spans import QUARTER
from tests.arrivals import GAS_METER, MINUTE, NOON, devices_only, gas, heard

TEN_A_MINUTE = Pace(600, 0, QUARTER, stays=False)
"""An electricity meter behind a thin wire: 10 Wh a minute and no more."""

TEN_A_MINUTE_OF_GAS = Pace(600, 0, 3 * HOUR, stays=True)

PRINTED: dict[int | None, str | None] = {None: None, 1: "ELECTRICITY-A", 2: "ELECTRICITY-B", 3: "ELECTRICITY-C"}
"""What equipment in words is as a telegram prints it."""

READING = re.compile(r"(-?\d+)(?::(\d\d))?=(-?\d+)([A-Z]?)(?:/(\S+))?")


def minute(text: str | int, seconds: str | int = 0) -> int:
    """The instant of a minute after noon (before it, when negative)."""
    return NOON + int(text) * MINUTE + int(seconds) * SECOND


def readings(text: str) -> list[Row]:
    """The readings that words tell of; their ids count from 1."""
    return [_reading(number, word) for number, word in enumerate(text.split(), 1)]


def _reading(number: int, word: str) -> Row:
    found = READING.fullmatch(word)
    assert found is not None, word
    at, seconds, position, letter, power = found.groups()
    packed = int(power) if power and "," not in power else power
    equipment = ord(letter) - ord("A") + 1 if letter else None
    return minute(at, seconds or 0), number, equipment, int(position), 0, 0, 0, packed


def telegrams(text: str, **values: Any) -> list[Arrival]:
    """The same readings as a cable brings them: the other registers stand at 0, a letter is a meter's printed id."""
    house = {"returned_1": 0, "delivered_2": 0, "returned_2": 0, **values}
    return [
        heard(at, equipment_id=PRINTED[equipment], delivered_1=position, **house)
        for at, _, equipment, position, *_ in readings(text)
    ]


def gas_values(text: str, printed_id: str = GAS_METER) -> list[Arrival]:
    """Values of a gas meter as a cable brings them, without any electricity."""
    return [devices_only(at, gas(at, value, printed_id)) for at, _, _, value, *_ in readings(text)]


def steady(start: int, end: int, letter: str = "", *, step: int = 1, at_zero: int = 0) -> str:
    """Readings every ``step`` minutes from ``start`` up to before ``end``, rising by a Wh a minute."""
    return " ".join(f"{at}={at_zero + at}{letter}" for at in range(start, end, step))


def walk_of(text: str, pace: Pace = TEN_A_MINUTE, edits: Edits | None = None, cuts: Iterable[int] = ()) -> Walk:
    """A walk through all of these readings, not finished; ``cuts`` are minutes."""
    walk = Walk(pace, edits or Edits(), tuple(minute(cut) for cut in cuts))
    walk.take(readings(text))
    return walk


def finished(text: str, pace: Pace = TEN_A_MINUTE, edits: Edits | None = None, cuts: Iterable[int] = ()) -> Walk:
    """A walk through all of these readings, to its end."""
    walk = walk_of(text, pace, edits, cuts)
    walk.finish()
    return walk


def edits(*, splits: Iterable[int] = (), joins: Iterable[int] = ()) -> Edits:
    """What a person decided, by minutes."""
    return Edits(tuple(minute(at) for at in splits), frozenset(minute(at) for at in joins))


def told(findings: Sequence[Finding]) -> list[tuple[int, str]]:
    """The minutes of epochs or outliers, and why."""
    return [((finding.at - NOON) // MINUTE, finding.reason) for finding in findings]


def amounts(quarters: Sequence[Quarter]) -> list[int]:
    """What went through the register in each quarter."""
    return [quarter.amounts[0] for quarter in quarters]


def gaps(quarters: Sequence[Quarter]) -> str:
    """The bounds of successive quarters, ``?`` where one is estimated: ``"?..?"`` are three, the middle one whole."""
    first, *_ = quarters
    bounds = [first.start_estimated, *(quarter.end_estimated for quarter in quarters)]
    for before, after in zip(quarters, quarters[1:], strict=False):
        assert (before.end, before.end_estimated) == (after.start, after.start_estimated)
    return "".join("?" if estimated else "." for estimated in bounds)


@frozen
class ListedHistory:
    """A ``History`` of readings in memory, given out in short lists."""

    rows: list[Row]
    longest: int = 7

    def before(self, instant: int) -> Iterator[Row]:
        """See ``History``."""
        return (row for row in reversed(self.rows) if row[0] < instant)

    def after(self, instant: int) -> Iterator[list[Row]]:
        """See ``History``."""
        rows = [row for row in self.rows if row[0] > instant]
        return (rows[start : start + self.longest] for start in range(0, len(rows), self.longest))
