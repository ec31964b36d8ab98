"""Responsible for telling whether one reading can be the same registers as another, later.

Here are the second and the sixth rule of the ledger, which ``dsmr_tw.domain.ledger`` lists.

Tests: ``tests/domain/test_pace.py``
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from attrs import frozen

from dsmr_tw.domain.reading import HOUR, SECOND
from dsmr_tw.domain.spans import QUARTER

Row: TypeAlias = tuple[int, int, int | None, int, int, int, int, int | str | None]
"""A reading as the walk takes it: instant, id, equipment, the positions delivered 1, returned 1, delivered 2 and
returned 2, and its power as the store holds it.  A device's value is the first position; the others are 0."""

Positions: TypeAlias = tuple[int, int, int, int]
"""Delivered 1, returned 1, delivered 2, returned 2."""

CALM: Final = 11
"""So many successive readings that follow one another make a calm run."""


def positions_of(row: Row) -> Positions:
    """The positions of a reading."""
    return row[3], row[4], row[5], row[6]


@frozen
class Pace:
    """How fast a set of registers may rise, and how long a gap between readings may be."""

    per_hour: int
    """In thousandths an hour: W, dm³/h, MJ/h."""
    grace: int
    """So much longer the time between two readings may have been, since clocks are read late."""
    gap: int
    """In a longer gap nobody knows when the amount was."""
    stays: bool
    """Whether in such a gap the position stays until the reading after it, so that the amount falls there."""

    def follows(self, before: Row, after: Row) -> bool:
        """Whether ``after`` can be the same registers as ``before``, later."""
        return not other_equipment(before, after) and not lower(before, after) and not self._too_fast(before, after)

    def _too_fast(self, before: Row, after: Row) -> bool:
        rise = after[3] + after[4] + after[5] + after[6] - before[3] - before[4] - before[5] - before[6]
        return rise * HOUR > self.per_hour * (after[0] - before[0] + self.grace)


def electricity(max_power_w: int) -> Pace:
    """The pace of an electricity meter: its connection's power, and a minute."""
    return Pace(max_power_w, 60 * SECOND, QUARTER, stays=False)


def device(device_type: int, max_power_w: int) -> Pace:
    """The pace of an M-Bus device: gas and water 40 m³ an hour, heat and cold 1 GJ an hour, and five minutes."""
    per_hour = {2: max_power_w, 3: 40_000, 6: 40_000, 7: 40_000}.get(device_type, 1_000)
    return Pace(per_hour, 300 * SECOND, 3 * HOUR, stays=True)


def other_equipment(before: Row, after: Row) -> bool:
    """Whether both say which equipment they are of, and it is not the same."""
    return before[2] != after[2] and before[2] is not None and after[2] is not None


def lower(before: Row, after: Row) -> bool:
    """Whether a register went back."""
    return after[3] < before[3] or after[4] < before[4] or after[5] < before[5] or after[6] < before[6]


def calm_end(backwards: Iterable[Row], pace: Pace) -> Row | None:
    """The end of the last calm run among readings that come newest first; ``None`` when there is none."""
    end: Row | None = None
    newer: Row | None = None
    length = 0
    for row in backwards:
        if newer is not None and pace.follows(row, newer):
            length += 1
        else:
            end, length = row, 1
        if length == CALM:
            return end
        newer = row
    return None
