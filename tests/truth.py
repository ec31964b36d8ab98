"""The truth about a set of registers, for tests of the ledger: what was printed, and what really went through.

``Registers`` is told what happens, by the one who makes it up: readings that go on calmly, gaps, swaps, glitches.
So it knows which readings begin an epoch and which are wrong, without judging any reading; and it says what the
ledger must find, from the definition: what went through until an instant is the sum, over the epochs that are counted,
of how far the position has come since the epoch's first reading.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, TypeAlias

from attrs import define, field, frozen

from dsmr_tw.domain.ledger import FIRST, LOWER, OTHER_EQUIPMENT, STAYS, TOO_FAST
from dsmr_tw.domain.pace import Pace
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.domain.spans import QUARTER

Positions: TypeAlias = tuple[int, int, int, int]
"""Delivered 1, returned 1, delivered 2, returned 2; of a device its value, and zeros."""

NOTHING: Final = (0, 0, 0, 0)

KWH: Final = 1000
"""What a counter without decimals counts, in Wh."""


@frozen
class Sample:
    """What was printed at one instant."""

    at: int
    positions: Positions
    equipment_id: str | None
    power_w: int


def plus(amounts: Positions, more: Positions) -> Positions:
    """The sum, register by register."""
    return amounts[0] + more[0], amounts[1] + more[1], amounts[2] + more[2], amounts[3] + more[3]


def minus(amounts: Positions, less: Positions) -> Positions:
    """The difference, register by register."""
    return amounts[0] - less[0], amounts[1] - less[1], amounts[2] - less[2], amounts[3] - less[3]


@define
class Registers:
    """A set of registers whose story is told by calling its methods, in the order of time."""

    pace: Pace
    at: int
    """The instant of the next reading."""
    positions: Positions
    """As they really are, at that instant."""
    equipment_id: str | None = None
    whole: bool = False
    """Whether only whole kWh are printed."""
    samples: list[Sample] = field(factory=list, init=False)
    """All that was printed, in order."""
    epochs: list[list[Sample]] = field(factory=list, init=False)
    """What is counted, epoch by epoch."""
    reasons: list[str] = field(factory=list, init=False)
    """Why each epoch begins."""
    outliers: list[tuple[int, str]] = field(factory=list, init=False)
    """The instants of readings that are not counted, and why."""
    _energy: Positions = field(default=NOTHING, init=False)
    """What has gone through and does not make up a Wh yet, in W times microseconds."""
    _begins: str | None = field(default=FIRST, init=False)
    """The next calm reading begins an epoch, for this reason."""

    def calm(self, readings: int, interval: int, flow: Positions, silent: bool = False) -> None:
        """As many readings, an interval apart; ``flow`` is in thousandths an hour: W, dm³/h.

        ``silent``: between the first and the last of them some do not print their equipment's id.
        """
        for number in range(readings):
            named = not silent or number % 3 != 1 or number == readings - 1
            sample = Sample(self.at, self._printed(), self.equipment_id if named else None, _power(flow, number))
            self.samples.append(sample)
            if self._begins is not None:
                self.epochs.append([])
                self.reasons.append(self._begins)
                self._begins = None
            self.epochs[-1].append(sample)
            self._let_pass(interval, flow)

    def gap(self, duration: int, flow: Positions) -> None:
        """Nothing is printed for some time more."""
        self._let_pass(duration, flow)

    def swap(self, equipment_id: str | None, positions: Positions) -> None:
        """From now on the registers are others; those without another id are noticed by lower positions alone."""
        named = equipment_id is not None and self.equipment_id is not None and equipment_id != self.equipment_id
        self._begins = OTHER_EQUIPMENT if named else STAYS
        self.equipment_id, self.positions, self._energy = equipment_id, positions, NOTHING

    def glitch(self, positions: Positions, interval: int, flow: Positions) -> None:
        """In place of the real positions others are printed, which can't follow the reading before."""
        reason = LOWER if any(value < 0 for value in minus(positions, self.counted.positions)) else TOO_FAST
        self.outliers.append((self.at, reason))
        self.wait(positions, interval, flow)

    def wait(self, positions: Positions, interval: int, flow: Positions) -> None:
        """A wrong reading that nothing follows any more: nobody knows yet what it is."""
        self.samples.append(Sample(self.at, positions, self.equipment_id, 0))
        self._let_pass(interval, flow)

    @property
    def counted(self) -> Sample:
        """The last reading that is counted."""
        return self.epochs[-1][-1]

    @property
    def first_at(self) -> int:
        """The first reading that is counted."""
        return self.epochs[0][0].at

    @property
    def too_far(self) -> int:
        """The least rise since the last counted reading that is too fast to be true, if it were printed now."""
        return self.pace.per_hour * (self.at - self.counted.at + self.pace.grace) // HOUR + 1

    @property
    def all(self) -> Positions:
        """What went through in all: over the epochs, the last position less the first."""
        total = NOTHING
        for epoch in self.epochs:
            total = plus(total, minus(epoch[-1].positions, epoch[0].positions))
        return total

    def until(self, instant: int) -> Positions:
        """What went through until an instant."""
        total = NOTHING
        for epoch in self.epochs:
            if epoch[0].at >= instant:
                break
            total = plus(total, minus(self._within(epoch, instant), epoch[0].positions))
        return total

    def between(self, start: int, end: int) -> Positions:
        """What went through from one instant to another."""
        return minus(self.until(end), self.until(start))

    def position(self, instant: int) -> Positions:
        """Where the registers that hung there at an instant stood; before the first reading, as in it."""
        current = self.epochs[0]
        for epoch in self.epochs:
            if epoch[0].at <= instant:
                current = epoch
        return self._within(current, instant)

    def estimated(self, instant: int) -> bool:
        """Whether an instant lies in a long gap between readings, or beyond them."""
        ats = self._ats()
        index = bisect_left(ats, instant)
        if index == len(ats):
            return True
        return ats[index] != instant and (index == 0 or ats[index] - ats[index - 1] > self.pace.gap)

    def first_in(self, start: int, end: int) -> Sample | None:
        """The first reading of a time that is counted."""
        counted, ats = self._counted(), self._ats()
        index = bisect_left(ats, start)
        return counted[index] if index < len(ats) and ats[index] < end else None

    def estimated_begin(self, instant: int) -> list[bool]:
        """Whether the quarter that begins at an instant begins in a gap; nothing where there is no such quarter."""
        first, last = self.first_at, self.counted.at
        return [self.estimated(instant)] if first - first % QUARTER <= instant <= last else []

    def estimated_end(self, instant: int) -> list[bool]:
        """The same of the quarter that ends there."""
        return [self.estimated(instant)] if self.estimated_begin(instant - QUARTER) else []

    def quarters(self) -> Iterator[tuple[int | None, ...]]:
        """What the ledger must hold of each quarter: the columns of its table after the meter's id."""
        counted, ats = self._counted(), self._ats()
        start, before = ats[0] - ats[0] % QUARTER, NOTHING
        while start <= ats[-1]:
            end = start + QUARTER
            until = self.until(end)
            inside = counted[bisect_left(ats, start) : bisect_left(ats, end)]
            powers = [sample.power_w for sample in inside]
            yield (
                start,
                *minus(until, before),
                *self.position(start),
                min(powers, default=None),
                max(powers, default=None),
                self.estimated(start),
                self.estimated(end),
                inside[0].at if inside else None,
                inside[-1].at if inside else None,
            )
            start, before = end, until

    def _counted(self) -> list[Sample]:
        return [sample for epoch in self.epochs for sample in epoch]

    def _ats(self) -> list[int]:
        return [sample.at for sample in self._counted()]

    def _within(self, epoch: list[Sample], instant: int) -> Positions:
        """Where the registers of one epoch stood at an instant; they stand still before it and after it."""
        index = bisect_right(epoch, instant, key=lambda sample: sample.at)
        if index in (0, len(epoch)):
            return epoch[max(0, index - 1)].positions
        before, after = epoch[index - 1 : index + 1]
        since, length = instant - before.at, after.at - before.at
        if self.pace.stays and length > self.pace.gap:
            return before.positions
        one, two, three, four = (rise * since // length for rise in minus(after.positions, before.positions))
        return plus(before.positions, (one, two, three, four))

    def _printed(self) -> Positions:
        if not self.whole:
            return self.positions
        one, two, three, four = (position - position % KWH for position in self.positions)
        return one, two, three, four

    def _let_pass(self, duration: int, flow: Positions) -> None:
        self.at += duration
        energy = plus(self._energy, (flow[0] * duration, flow[1] * duration, flow[2] * duration, flow[3] * duration))
        self.positions = plus(
            self.positions, (energy[0] // HOUR, energy[1] // HOUR, energy[2] // HOUR, energy[3] // HOUR)
        )
        self._energy = energy[0] % HOUR, energy[1] % HOUR, energy[2] % HOUR, energy[3] % HOUR


def _power(flow: Positions, number: int) -> int:
    """A power in W about as high as the flow; it goes up and down."""
    return flow[0] + flow[2] - flow[1] - flow[3] + number % 5 * 10
