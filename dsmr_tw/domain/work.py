"""Responsible for what has to be computed again, and for doing so in pieces.

The first and the seventh rule of the ledger, which ``dsmr_tw.domain.ledger`` lists:

1. *Order.*  Readings are taken by (instant, id).  Of several at one instant only the one stored last takes part; of a
   device's values at one instant the one stored first, or what was closed would change.  ``History`` sees to it.
7. *Dirty.*  Around a marked quarter the ledger is computed again from the quarter that holds the end of the nearest
   calm run wholly before it to the quarter that holds the end of the nearest one wholly after it, else to the ends of
   the data.  The walk begins at a calm run before the first of these quarters, and ends when it has told of the last.

A stretch goes on where it was left, so a long one can be computed and written piece by piece.

Tests: ``tests/domain/test_work.py``
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final, Protocol

from attrs import define, field, frozen

from dsmr_tw.domain.ledger import NEVER, Edits, Finding, Walk
from dsmr_tw.domain.pace import CALM, Pace, Row, calm_end
from dsmr_tw.domain.quarters import Quarter, Told, each, within
from dsmr_tw.domain.spans import QUARTER

NEAR: Final = 8 * QUARTER
"""Marks that are no further apart are computed in one walk: another would read the same readings again."""

_at = itemgetter(0)


class History(Protocol):
    """The stored readings of one set of registers: those that count, one an instant."""

    def before(self, instant: int) -> Iterable[Row]:
        """Those before an instant, newest first."""

    def after(self, instant: int) -> Iterator[list[Row]]:
        """Those after an instant, oldest first, in lists that are not empty."""


@frozen
class Piece:
    """What takes the place of everything that was told of a time before; it begins and ends with a quarter."""

    start: int
    end: int
    told: Sequence[Told]
    epochs: list[Finding]
    outliers: list[Finding]

    @property
    def quarters(self) -> list[Quarter]:
        """Its quarters, one by one."""
        return list(each(self.told))


@define
class Stretch:
    """A stretch of the ledger of one set of registers, on its way of being computed."""

    pace: Pace
    edits: Edits
    done: bool = field(default=False, init=False)
    taken: int = field(default=0, init=False)
    """How many readings the last piece took."""
    settled: int = field(default=0, init=False)
    """How many of the marks it was made for are settled when it is done."""
    _marks: Sequence[int] = field(default=(), init=False)
    _start: int = field(default=-NEVER, init=False)
    """The first quarter of the next piece."""
    _until: int | None = field(default=None, init=False)
    """Where it ends, once that is known."""
    _marked_until: int = field(default=0, init=False)
    _counting: bool = field(default=False, init=False)
    """Whether the walk counts the calm run after the last mark."""
    _walk: Walk = field(init=False)
    _seen: int = field(default=-NEVER, init=False)

    @classmethod
    def around(cls, marks: Sequence[int], pace: Pace, edits: Edits, history: History) -> Stretch:
        """What has to be computed because of marked quarters, given in order; perhaps of the first of them only."""
        stretch = cls(pace, edits)
        stretch._marks = marks
        stretch._mark()
        before = calm_end(history.before(marks[0]), pace)
        if before is None:
            stretch._walk = Walk(pace, edits)
        else:
            stretch._open(before[0] - before[0] % QUARTER, (), history)
        return stretch

    @classmethod
    def over(
        cls, start: int, end: int, pace: Pace, edits: Edits, history: History, cuts: tuple[int, ...] = ()
    ) -> Stretch:
        """From the quarter that holds ``start`` to the one that ends at or after ``end``; all of it by ``NEVER``."""
        stretch = cls(pace, edits)
        stretch._until = end if end == NEVER or end in cuts else end + -end % QUARTER
        stretch._open(start if start == -NEVER else start - start % QUARTER, cuts, history)
        return stretch

    def advance(self, history: History, budget: int) -> Piece:
        """Go on, for about ``budget`` readings; what is told until then."""
        self.taken = 0
        for rows in history.after(self._seen):
            self.taken += len(rows)
            self._take(rows, merging=self.taken < budget)
            self._seen = rows[-1][0]
            if self._until is not None and self._walk.told_until >= self._until:
                self.done = True
                return self._piece(self._until)
            if self.taken >= budget:
                return self._piece(max(self._start, self._walk.told_until))
        self._walk.finish()
        self.done, self.settled = True, len(self._marks)
        return self._piece(NEVER)

    def _open(self, start: int, cuts: tuple[int, ...], history: History) -> None:
        """Begin the walk so that it is right from ``start`` on."""
        self._start = start
        self._walk = Walk(self.pace, self.edits, cuts)
        anchor = calm_end(history.before(start), self.pace)
        if anchor is not None:
            self._walk.begin(anchor, start)
            self._seen = anchor[0]

    def _mark(self) -> None:
        """The stretch reaches to a calm run after the next mark."""
        self._marked_until = self._marks[self.settled] + QUARTER
        self.settled += 1
        self._until = None
        self._counting = False

    def _take(self, rows: list[Row], merging: bool) -> None:
        position = 0
        while self._until is None and position < len(rows):
            if not self._counting:
                behind = bisect_left(rows, self._marked_until, position, key=_at)
                self._walk.take(rows[position:behind])
                position, self._counting = behind, behind < len(rows)
                if self._counting:
                    self._walk.run = 0
            else:
                wanted = rows[position : position + CALM - self._walk.run]
                self._walk.take(wanted)
                position += len(wanted)
                if self._walk.run == CALM:
                    self._end_behind(wanted[-1][0], merging)
        while position < len(rows) and self._until is not None and self._walk.told_until < self._until:
            behind = bisect_left(rows, self._until, position, key=_at) + 1
            self._walk.take(rows[position:behind])
            position = behind

    def _end_behind(self, at: int, merging: bool) -> None:
        """A calm run after the last mark has ended: so does the stretch, unless the next mark is near."""
        self._until = at - at % QUARTER + QUARTER
        if merging and self.settled < len(self._marks) and self._marks[self.settled] <= self._until + NEAR:
            self._mark()

    def _piece(self, end: int) -> Piece:
        """What was told of the time from where the last piece ended to ``end``."""
        start, self._start = self._start, end
        walk = self._walk
        told = within(walk.told, start, end)
        epochs = [epoch for epoch in walk.epochs if start <= epoch.at < end]
        outliers = [outlier for outlier in walk.outliers if start <= outlier.at < end]
        walk.told.clear()
        walk.epochs = [epoch for epoch in walk.epochs if epoch.at >= end]
        walk.outliers = [outlier for outlier in walk.outliers if outlier.at >= end]
        return Piece(start, end, told, epochs, outliers)
