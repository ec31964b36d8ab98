"""Responsible for counting how long something took: how often it was within each of some bounds, and the sum.

Nothing is kept of a single duration, so it does not grow.

Tests: ``tests/domain/test_durations.py``
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final

from attrs import define, field

MS: Final = 1_000
BOUNDS: Final = tuple(MS * each for each in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000))
"""In microseconds: a good disk writes in one of the first, an SD card that is busy with itself in one of the last."""


@define
class Durations:
    """How long something took each time."""

    sum_us: int = field(default=0, init=False)
    """All of them together, in microseconds."""
    _counts: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1), init=False)
    """How many were longer than the bound before, and at most as long as this one; the last ones longer than all."""

    def add(self, took_us: int) -> None:
        """Count one; that a clock was set back meanwhile makes it 0."""
        took_us = max(0, took_us)
        self.sum_us += took_us
        self._counts[bisect_left(BOUNDS, took_us)] += 1

    def within(self) -> list[int]:
        """How many took at most as long as each bound; the last number is that of all."""
        return list(accumulate(self._counts))
