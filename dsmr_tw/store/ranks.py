"""Responsible for places in long lists: how many rows a list has, and where a page of it lies.

A table of counts says how many rows each day holds, and perhaps each hour.
The *rank* of an instant, how many rows of the list lie before it, is thus a sum over days, over the hours of one day,
and a count within one hour; and the row of a given rank is found the same way, from the end of the list that is nearer.
What is left to whoever reads the rows is a walk from the beginning of one hour (of one day, where hours are not
counted), whatever the length of the list.

Source: SQLite, ``WITHOUT ROWID`` tables are ordered by their key.

Tests: ``tests/store/test_ranks.py``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from dsmr_tw.domain.reading import DAY
from dsmr_tw.store.connection import Connection

EVER: Final = 50_000_000 * DAY
"""An instant after all instants; it begins a day, so that there is nothing to count within that day."""


@frozen
class Counts:
    """A table that says how many rows of a list each span of one length holds."""

    length: int
    """Of each span, in microseconds."""
    column: str
    """What holds the number of rows."""
    source: str
    """The table, and which of its rows: ``"reading_count WHERE meter_id = ? AND hours = 24"``."""
    sum: str = field(init=False, repr=False)
    """The rows of the spans that begin from one instant up to before another, as SQL."""
    forward: str = field(init=False, repr=False)
    """These spans and their rows, ascending."""
    backward: str = field(init=False, repr=False)
    """The same, descending."""

    @sum.default
    def _sum(self) -> str:
        return f"SELECT coalesce(sum({self.column}), 0) FROM {self.source} AND instant >= ? AND instant < ?"

    @forward.default
    def _forward(self) -> str:
        # Not a window function that adds up: that takes ten times as long for ten years of days.
        return f"SELECT instant, {self.column} FROM {self.source} AND instant >= ? AND instant < ? ORDER BY instant"

    @backward.default
    def _backward(self) -> str:
        return f"{self._forward()} DESC"


@frozen
class Edge:
    """Where a stretch of a list begins or ends."""

    rank: int
    """How many rows lie before it."""
    span: int
    """The day that holds it."""
    before: int
    """How many rows lie before that day."""


@frozen
class Cut:
    """A page of a list."""

    count: int
    """How many rows the list has."""
    rows: int
    """How many of them the page has; none or fewer beyond the end."""
    rank: int
    """That of its earliest row."""
    first: Edge
    last: Edge
    """Those of the list."""


@frozen
class Ranks:
    """The places in one list, which is kept in the order of time."""

    connection: Connection
    key: tuple[int, ...]
    """What the sources of the counts ask for."""
    counts: tuple[Counts, ...]
    """The longest spans first."""
    within: Callable[[int, int], int]
    """How many rows lie from one instant up to before another, both within one of the shortest spans."""

    def cut(self, start: int | None, end: int | None, descending: bool, offset: int, limit: int) -> Cut:
        """The page of ``limit`` rows behind ``offset`` others, in the list from ``start`` to ``end``, included."""
        first = Edge(0, -EVER, 0) if start is None else self.edge(start)
        last = self.edge(EVER if end is None else end + 1)
        count = max(0, last.rank - first.rank)
        rows = min(limit, count - offset)
        return Cut(count, rows, last.rank - offset - rows if descending else first.rank + offset, first, last)

    def place(self, cut: Cut) -> tuple[int, int]:
        """The shortest counted span that holds a page's earliest row, and how many rows of the span come before it."""
        coarse, *finer = self.counts
        if cut.rank - cut.first.rank <= cut.last.rank - cut.rank:
            at, skip = self._ahead(coarse, cut.first.span, EVER, cut.rank - cut.first.before)
        else:
            at, skip = self._back(cut)
        length = coarse.length
        for counts in finer:
            at, skip = self._ahead(counts, at, at + length, skip)
            length = counts.length
        return at, skip

    def edge(self, instant: int) -> Edge:
        """The place of an instant."""
        coarse, *finer = self.counts
        span = start = instant - instant % coarse.length
        before = rank = self._sum(coarse, -EVER, start)
        for counts in finer:
            end = instant - instant % counts.length
            if end > start:
                rank += self._sum(counts, start, end)
            start = end
        if instant > start:
            rank += self.within(start, instant)
        return Edge(rank, span, before)

    def _sum(self, counts: Counts, start: int, end: int) -> int:
        (rows,) = self.connection.execute(counts.sum, (*self.key, start, end)).fetchone()
        return int(rows)

    def _ahead(self, counts: Counts, start: int, end: int, skip: int) -> tuple[int, int]:
        """The span that holds the row ``skip`` places after the first from ``start`` on, and its place there."""
        for instant, rows in self.connection.execute(counts.forward, (*self.key, start, end)):
            if skip < rows:
                return instant, skip
            skip -= rows
        raise LookupError(f"there are fewer rows than counted, by {skip + 1}")

    def _back(self, cut: Cut) -> tuple[int, int]:
        """The longest span that holds a page's earliest row, and its place there, looked for from the list's end."""
        at, before = cut.last.span, cut.last.before
        spans = iter(self.connection.execute(self.counts[0].backward, (*self.key, -EVER, at)))
        while before > cut.rank:
            at, rows = next(spans)
            before -= rows
        return at, cut.rank - before
