"""Responsible for the quarters of the ledger, and for long rows of them in which no reading is.

Tests: ``tests/domain/test_quarters.py``, ``tests/domain/test_ledger_quarters.py``
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from attrs import evolve, frozen

from dsmr_tw.domain.pace import Positions, Row, positions_of
from dsmr_tw.domain.spans import QUARTER

NOTHING: Positions = (0, 0, 0, 0)


@frozen
class Quarter:
    """What went through the registers in fifteen minutes, or in the part of them that was asked for."""

    start: int
    end: int
    amounts: Positions
    positions: Positions
    """At the start; before the first reading those of the first."""
    lowest_power: int | None
    highest_power: int | None
    """Of its accepted readings, in W: what was taken less what was returned."""
    start_estimated: bool
    end_estimated: bool
    first_at: int | None
    last_at: int | None
    """Its first and last accepted reading."""


@frozen
class Between:
    """The registers between two accepted readings that come one after the other."""

    before: Row
    after: Row
    same_epoch: bool
    stays: bool
    """Whether they are taken to stay as they were until the second reading, instead of rising evenly."""

    def position(self, at: int) -> Positions:
        """What they show at an instant: after the first reading, and at the second one at the latest."""
        first = positions_of(self.before)
        if at == self.after[0] and self.same_epoch:
            return positions_of(self.after)
        if self.stays or not self.same_epoch:
            return first
        since, length = at - self.before[0], self.after[0] - self.before[0]
        last = positions_of(self.after)
        return (
            first[0] + (last[0] - first[0]) * since // length,
            first[1] + (last[1] - first[1]) * since // length,
            first[2] + (last[2] - first[2]) * since // length,
            first[3] + (last[3] - first[3]) * since // length,
        )


@frozen
class Gap:
    """Quarters between two readings, and without any: years of them take no more memory than one."""

    between: Between
    start: int
    end: int
    """From the first whole quarter to the end of the last one."""

    def __len__(self) -> int:
        """How many there are."""
        return (self.end - self.start) // QUARTER

    def __iter__(self) -> Iterator[Quarter]:
        """One after the other; both ends of each lie in the gap, but for that of the second reading itself."""
        position = self.between.position(self.start)
        for start in range(self.start, self.end, QUARTER):
            end = start + QUARTER
            before, position = position, self.between.position(end)
            yield Quarter(
                start,
                end,
                plus(NOTHING, position, before),
                before,
                None,
                None,
                True,
                self.ends_estimated(end),
                None,
                None,
            )

    def ends_estimated(self, end: int) -> bool:
        """Whether a quarter that ends then ends within the gap."""
        return end < self.between.after[0]


Told: TypeAlias = Quarter | Gap
"""What a walk tells: a quarter, or a gap of many."""


def plus(amounts: Positions, position: Positions, base: Positions) -> Positions:
    """What was counted before, and from the base to the position."""
    return (
        amounts[0] + position[0] - base[0],
        amounts[1] + position[1] - base[1],
        amounts[2] + position[2] - base[2],
        amounts[3] + position[3] - base[3],
    )


def within(told: Iterable[Told], start: int, end: int) -> list[Told]:
    """What was told of a time; it begins and ends with a quarter."""
    inside: list[Told] = []
    for one in told:
        if isinstance(one, Gap):
            one = evolve(one, start=max(one.start, start), end=min(one.end, end))
        if start <= one.start < min(one.end, end):
            inside.append(one)
    return inside


def each(told: Iterable[Told]) -> Iterator[Quarter]:
    """The single quarters."""
    for one in told:
        if isinstance(one, Gap):
            yield from one
        else:
            yield one


def count(told: Iterable[Told]) -> int:
    """How many quarters there are."""
    return sum(len(one) if isinstance(one, Gap) else 1 for one in told)
