"""Responsible for exports: what a store holds of one meter, as CSV, part by part.

The admin command and the API write the parts that come from here, one after the other.
The store is asked page by page, and where a page begins is an instant, not a number of rows: whatever is stored or
removed meanwhile, no row comes twice, and none is left out.

Source: RFC 4180; rows are as Python's ``csv.writer`` writes them.

Tests: ``tests/test_export.py``
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Coroutine, Iterable
from datetime import date
from functools import partial
from io import StringIO
from typing import Any, Final, Generic, TypeAlias, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred

from dsmr_tw.domain.columns import (
    DAY_HEADINGS,
    HOUR_HEADINGS,
    READING_HEADINGS,
    Cells,
    day_cells,
    hour_cells,
    reading_cells,
    shown,
)
from dsmr_tw.domain.contract import contract_on
from dsmr_tw.domain.costs import costs_of
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import StoredReading
from dsmr_tw.domain.spans import SpanKind, SpanRow
from dsmr_tw.interfaces import IStore
from dsmr_tw.stored import ReadingFilter, SpanFilter

PAGE: Final = 1000
"""Rows that the store is asked for at a time, and the most that an export holds in memory."""

PART: Final = 100
"""Rows that are made text at a time: one or two milliseconds on a desktop, twenty on a small Pi."""

T = TypeVar("T")
Work: TypeAlias = Coroutine[Deferred[Any], Any, T]


@frozen
class Period:
    """The days of an export, both included; ``None``: from the first, or to the last, that is stored."""

    first: date | None = None
    last: date | None = None

    @property
    def is_backwards(self) -> bool:
        """Whether the last day is before the first."""
        return self.first is not None and self.last is not None and self.last < self.first

    def instants(self, zone: MeterZone) -> tuple[int | None, int | None]:
        """Their first and their last instant."""
        return (
            None if self.first is None else zone.day_start(self.first),
            None if self.last is None else zone.bounds(self.last)[1] - 1,
        )


@frozen
class Table(Generic[T]):
    """A table of one meter: what stands in its columns, and how its rows are read."""

    headings: Cells
    cells: Callable[[T], Cells]
    at: Callable[[T], int]
    """The instant of a row; rows are in the order of these."""
    read: Callable[[int | None, int], Work[tuple[int, list[T]]]]
    """From an instant on, but for so many rows: how many there are, and a page of them."""


@define
class Export(Generic[T]):
    """A table on its way into CSV."""

    table: Table[T]
    start: int | None
    """The instant that the next page begins at."""
    rows: int = field(default=0, init=False)
    """How many rows were given so far, the headings not counted."""
    count: int = field(default=0, init=False)
    """How many there will be in all, as far as that is known by now."""
    _skip: int = field(default=0, init=False)
    """How many rows from ``start`` on were given already: none, unless a whole page is of one instant."""
    _page: list[T] = field(factory=list, init=False, repr=False)
    """What was read and is not given yet."""
    _begun: bool = field(default=False, init=False)
    _read_all: bool = field(default=False, init=False)

    @property
    def done(self) -> bool:
        """Whether everything was given."""
        return self._read_all and not self._page

    async def part(self) -> bytes:
        """The next rows as CSV, behind the headings if they are the first; may be empty at the very end."""
        if not self._page and not self._read_all:
            await self._read()
        lines = [] if self._begun else [self.table.headings]
        self._begun = True
        lines += [self.table.cells(row) for row in self._page[:PART]]
        self.rows += len(self._page[:PART])
        del self._page[:PART]
        return csv_of(lines)

    async def _read(self) -> None:
        """Read the next page, and note where the one after it begins."""
        found, page = await self.table.read(self.start, self._skip)
        self.count = self.rows + max(0, found - self._skip)
        self._read_all = len(page) < PAGE
        if not self._read_all:
            # The next page begins with the last instant of this one, and there with its first row: rows are known by
            # their instant alone, and some may be removed meanwhile.
            last = self.table.at(page[-1])
            before = [row for row in page if self.table.at(row) < last]
            if before:
                page, self.start, self._skip = before, last, 0
            else:
                self._skip += PAGE
        self._page = page


def csv_of(lines: Iterable[Cells]) -> bytes:
    """Rows as CSV in UTF-8; no cell is a formula."""
    text = StringIO()
    csv.writer(text).writerows([shown(cell) for cell in cells] for cells in lines)
    return text.getvalue().encode("utf-8")


async def readings(store: IStore, meter_id: int, zone: MeterZone, period: Period) -> Export[StoredReading]:
    """All readings of a meter."""
    start, end = period.instants(zone)

    async def read(start: int | None, skip: int) -> tuple[int, list[StoredReading]]:
        page = await store.readings.page(ReadingFilter(meter_id, start, end), False, skip, PAGE)
        return page.count, page.readings

    cells = partial(reading_cells, zone=zone)
    return Export(Table(READING_HEADINGS, cells, lambda stored: stored.reading.at, read), start)


async def hours(store: IStore, meter_id: int, zone: MeterZone, period: Period) -> Export[SpanRow]:
    """The closed hours of a meter."""
    cells = partial(hour_cells, zone=zone)
    return _spans(store, SpanFilter(SpanKind.HOUR, meter_id, *period.instants(zone)), HOUR_HEADINGS, cells)


async def days(store: IStore, meter_id: int, zone: MeterZone, period: Period) -> Export[SpanRow]:
    """The closed days of a meter, each with what it costs under the contract of that day."""
    contracts = await store.contracts.all(meter_id)

    def cells(row: SpanRow) -> Cells:
        costs = costs_of(row.amounts, contract_on(contracts, zone.day_of(row.start)), days=1)
        return day_cells(row, costs, zone)

    return _spans(store, SpanFilter(SpanKind.DAY, meter_id, *period.instants(zone)), DAY_HEADINGS, cells)


Beginning: TypeAlias = Callable[[IStore, int, MeterZone, Period], Work[Export[Any]]]

TABLES: Final[dict[str, Beginning]] = {"readings": readings, "hours": hours, "days": days}
"""What can be exported, by name: each begins the export of a meter's rows of some days."""


def _spans(store: IStore, wanted: SpanFilter, headings: Cells, cells: Callable[[SpanRow], Cells]) -> Export[SpanRow]:
    async def read(start: int | None, skip: int) -> tuple[int, list[SpanRow]]:
        page = await store.statistics.page(evolve(wanted, start=start), False, skip, PAGE)
        return page.count, page.rows

    return Export(Table(headings, cells, lambda row: row.start, read), wanted.start)
