"""Responsible for the rules by which the positions that a meter printed become amounts, each watt-hour once.

The readings of one set of registers go through a ``Walk`` in their order; quarters, epochs and outliers come out.
Nothing else decides: not when a reading arrived, nor when the walk was made.  The rules, which
``docs/ledger.md`` tells with examples:

1. *Order.*  Readings are taken by instant, one an instant; ``dsmr_tw.domain.work`` says which.
2. *Follows.*  A reading follows another if their equipment ids do not differ (an absent one differs from nothing), no
   register is lower, and all registers together rose no faster than the ``Pace`` allows.  See ``dsmr_tw.domain.pace``.
3. *Anchor.*  The first reading is the anchor.  One that follows the anchor is accepted and becomes the anchor; those
   that waited in between are outliers.  One with another equipment id is accepted at once and begins a new epoch; those
   that waited are outliers.  Any other waits.
4. *Stays there.*  When an eleventh reading waits, the first of them begins a new epoch and becomes the anchor; the
   other ten are taken again, in order.
5. *Amounts* come from successive accepted readings of one epoch only.  In between a position is interpolated and
   rounded down, so amounts add up whatever they are cut into.  From one epoch to the next nothing is counted.
6. *Calm run.*  After eleven successive readings, each following the one before, the anchor is the last of them,
   whatever came earlier: a walk may begin there.
7. *Dirty* is in ``dsmr_tw.domain.work``.
8. *Estimated* is what begins or ends in a long gap between accepted readings.
9. *Closed rows* are in ``dsmr_tw.domain.sums``.

Instants are UTC, microseconds; positions and amounts thousandths of the telegram's unit.

Tests: ``tests/domain/test_ledger.py``, ``tests/domain/test_ledger_quarters.py``
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import define, field, frozen

from dsmr_tw.domain.pace import Pace, Positions, Row, lower, other_equipment, positions_of
from dsmr_tw.domain.power import net_power
from dsmr_tw.domain.quarters import Between, Gap, Quarter, Told, each, plus
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.domain.spans import QUARTER

MOST_WAITING: Final = 10
"""So many readings wait at most."""

LONG: Final = 24 * HOUR
"""A longer time without readings is told of as a whole."""

NEVER: Final = 1 << 62
"""An instant after all instants."""

FIRST: Final = "first reading"
OTHER_EQUIPMENT: Final = "another meter, by its printed id"
STAYS: Final = "eleven readings that do not follow the ones before"
SPLIT: Final = "split by hand"

LOWER: Final = "a register is lower"
TOO_FAST: Final = "the registers rose too fast"


@frozen
class Edits:
    """What a person decided over the epochs of a set of registers; instants, ascending."""

    splits: tuple[int, ...] = ()
    """The first reading at or after each begins a new epoch."""
    joins: frozenset[int] = frozenset()
    """The reading at each does not begin one, unless a register is lower."""


@frozen
class Finding:
    """A reading at which an epoch begins, or one that is not counted, and why."""

    at: int
    reading_id: int
    reason: str


@define
class Walk:
    """Takes the readings of a set of registers in order, and tells what they add up to.

    What it has told is never taken back: quarters are told when a reading after them is accepted, or by ``finish``.
    """

    pace: Pace
    edits: Edits = field(factory=Edits)
    cuts: tuple[int, ...] = ()
    """Where quarters are cut in two, besides their own ends."""
    told: list[Told] = field(factory=list, init=False)
    """Quarters, and long gaps of them."""
    epochs: list[Finding] = field(factory=list, init=False)
    outliers: list[Finding] = field(factory=list, init=False)
    anchor: Row | None = field(default=None, init=False)
    waiting: list[Row] = field(factory=list, init=False)
    run: int = field(default=0, init=False)
    """How many of the last readings followed the one before; may be set to 0 to count anew."""
    last: Row | None = field(default=None, init=False)
    """The reading taken last."""
    _start: int = field(default=0, init=False)
    _end: int = field(default=0, init=False)
    _positions: Positions = field(default=(0, 0, 0, 0), init=False)
    """At the start of the quarter."""
    _base: Positions = field(default=(0, 0, 0, 0), init=False)
    """Since when the epoch's own amount in the quarter is counted: the quarter's start, or the epoch's."""
    _amounts: Positions = field(default=(0, 0, 0, 0), init=False)
    """Of the quarter's earlier epochs."""
    _start_estimated: bool = field(default=False, init=False)
    _first_at: int | None = field(default=None, init=False)
    _powers: list[int | str | None] = field(factory=list, init=False)
    _next_split: int = field(default=NEVER, init=False)

    def begin(self, anchor: Row, boundary: int) -> None:
        """Begin with the end of a calm run; quarters are right from ``boundary`` on, which lies after it."""
        self.anchor = self.last = anchor
        self._start, self._end = anchor[0], boundary
        self._base = self._positions = positions_of(anchor)
        self._next_split = self._split_after(anchor[0])

    def take(self, rows: Sequence[Row]) -> None:
        """Take readings, which come after all those taken before."""
        position = 0
        while position < len(rows):
            if self.anchor is not None and not self.waiting:
                position = self._take_followers(rows, position)
            if position < len(rows):
                self._judge(rows[position])
                position += 1

    @property
    def quarters(self) -> list[Quarter]:
        """The quarters that were told, one by one."""
        return list(each(self.told))

    @property
    def told_until(self) -> int:
        """Everything before this instant is told; all that was ever accepted lies before the end of its quarter."""
        return self._start

    def finish(self) -> None:
        """There are no more readings: tell of the quarter that holds the last accepted one."""
        if self.anchor is not None:
            self._tell(positions_of(self.anchor), end_estimated=True)

    def _take_followers(self, rows: Sequence[Row], position: int) -> int:
        """Take readings as long as each follows the one before; where that ends. A rebuild spends its time here."""
        anchor = self.anchor
        assert anchor is not None
        at_before, _, equipment_before, one, two, three, four, _ = anchor
        total = one + two + three + four
        per_hour, grace, end, split = self.pace.per_hour, self.pace.grace, self._end, self._next_split
        remember, begun = self._powers.append, position
        for row in rows[position:] if position else rows:
            at, _, equipment, a, b, c, d, power = row
            new_total = a + b + c + d
            if (
                a < one
                or b < two
                or c < three
                or d < four
                or (new_total - total) * HOUR > per_hour * (at - at_before + grace)
                or (equipment != equipment_before and equipment is not None and equipment_before is not None)
                or at >= split
            ):
                break
            if at >= end:
                self.anchor = anchor
                self._cross(row, same_epoch=True)
                end, remember = self._end, self._powers.append
            remember(power)
            anchor, at_before, equipment_before = row, at, equipment
            one, two, three, four, total = a, b, c, d, new_total
            position += 1
        self.anchor = self.last = anchor
        self.run += position - begun
        return position

    def _judge(self, row: Row) -> None:
        """Take one reading, whatever it is."""
        if self.last is None or not self.pace.follows(self.last, row):
            self.run = 0
        self.run += 1
        self.last = row
        if self.anchor is None:
            self._start_with(row)
        elif row[0] >= self._next_split:
            self._next_split = self._split_after(row[0])
            self._begin_epoch(row, SPLIT)
        else:
            self._place(row, self.anchor)

    def _place(self, row: Row, anchor: Row) -> None:
        """Rules 3 and 4."""
        if other_equipment(anchor, row):
            self._begin_epoch(row, OTHER_EQUIPMENT)
        elif self.pace.follows(anchor, row):
            self._accept(row, same_epoch=True)
        else:
            self.waiting.append(row)
            if len(self.waiting) > MOST_WAITING:
                first, *others = self.waiting
                self.waiting.clear()
                self._begin_epoch(first, STAYS)
                for other in others:
                    assert self.anchor is not None
                    self._place(other, self.anchor)

    def _begin_epoch(self, row: Row, reason: str) -> None:
        anchor = self.anchor
        assert anchor is not None
        joined = reason != SPLIT and row[0] in self.edits.joins and not lower(anchor, row)
        if not joined:
            self.epochs.append(Finding(row[0], row[1], reason))
        self._accept(row, same_epoch=joined)

    def _start_with(self, row: Row) -> None:
        """The first reading of all."""
        at = row[0]
        self.epochs.append(Finding(at, row[1], FIRST))
        self._next_split = self._split_after(at)
        self._start, self._end = self._start_before(at), self._end_after(at)
        self._base = self._positions = positions_of(row)
        self._start_estimated = at > self._start
        self._first_at = at
        self._powers.append(row[7])
        self.anchor = row

    def _accept(self, row: Row, same_epoch: bool) -> None:
        """Count a reading; it is the anchor from now on, and those that waited are outliers."""
        anchor = self.anchor
        assert anchor is not None
        for outlier in self.waiting:
            reason = LOWER if lower(anchor, outlier) else TOO_FAST
            self.outliers.append(Finding(outlier[0], outlier[1], reason))
        self.waiting.clear()
        if row[0] >= self._end:
            self._cross(row, same_epoch)
        if not same_epoch:
            begins_quarter = row[0] == self._start
            if begins_quarter:
                self._positions = positions_of(row)
            else:
                self._amounts = plus(self._amounts, positions_of(anchor), self._base)
            self._base = positions_of(row)
        self._powers.append(row[7])
        self.anchor = row

    def _cross(self, row: Row, same_epoch: bool) -> None:
        """Tell of the quarters between the anchor and a reading that is accepted in a later one."""
        anchor = self.anchor
        assert anchor is not None
        at, in_gap = row[0], row[0] - anchor[0] > self.pace.gap
        between = Between(anchor, row, same_epoch, in_gap and self.pace.stays)
        while (end := self._end) <= at:
            self._tell(between.position(end), end_estimated=in_gap and end < at)
            if at - self._start > LONG and not self.cuts:
                self._skip(Gap(between, self._start, at - at % QUARTER))
        self._first_at = at

    def _skip(self, gap: Gap) -> None:
        """Tell of many quarters at once."""
        self.told.append(gap)
        self._start, self._end = gap.end, gap.end + QUARTER
        self._base = self._positions = gap.between.position(gap.end)
        self._start_estimated = gap.ends_estimated(gap.end)

    def _tell(self, position: Positions, end_estimated: bool) -> None:
        """The quarter ends with this position; the next begins with it."""
        anchor = self.anchor
        assert anchor is not None
        lowest, highest = _extremes(self._powers)
        self.told.append(
            Quarter(
                self._start,
                self._end,
                plus(self._amounts, position, self._base),
                self._positions,
                lowest,
                highest,
                self._start_estimated,
                end_estimated,
                self._first_at,
                anchor[0] if anchor[0] >= self._start else None,
            )
        )
        self._start, self._end = self._end, self._end_after(self._end)
        self._base = self._positions = position
        self._amounts = (0, 0, 0, 0)
        self._start_estimated = end_estimated
        self._first_at = None
        self._powers = []

    def _start_before(self, instant: int) -> int:
        """The start of the quarter, or of its part, that an instant lies in."""
        start = instant - instant % QUARTER
        return max((cut for cut in self.cuts if start < cut <= instant), default=start)

    def _end_after(self, instant: int) -> int:
        """The end of the quarter, or of its part, that an instant lies in."""
        end = instant - instant % QUARTER + QUARTER
        return next((cut for cut in self.cuts if instant < cut < end), end)

    def _split_after(self, instant: int) -> int:
        splits = self.edits.splits
        index = bisect_right(splits, instant)
        return splits[index] if index < len(splits) else NEVER


def _extremes(powers: Iterable[int | str | None]) -> tuple[int | None, int | None]:
    """The lowest and the highest power."""
    known = [net_power(power) for power in powers if power is not None]
    return (min(known), max(known)) if known else (None, None)
