"""Responsible for the months and years that days make up.

Days are given by where they begin, as the meter's zone has them, in any number and with any gap.

Tests: ``tests/domain/test_months.py``
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.spans import SpanKind


def complete(kind: SpanKind, days: Sequence[int], zone: MeterZone) -> list[tuple[int, int]]:
    """Start and end of the months (the years) of which every day is there, in order.

    ``days`` are the first instants of days, ascending; those before the first of them are not missed.
    """
    found: list[tuple[int, int]] = []
    if not days:
        return found
    day, newest = zone.day_of(days[0]), zone.day_of(days[-1])
    while True:
        first, last = _bounds(kind, day)
        start, end = zone.day_start(first), zone.bounds(last)[1]
        if bisect_left(days, end) - bisect_left(days, start) == (last - day).days + 1:
            found.append((start, end))
        if last >= newest:
            return found
        day = last + timedelta(days=1)


def _bounds(kind: SpanKind, day: date) -> tuple[date, date]:
    """The first and the last day of the month (the year) that holds a day."""
    start, end = (1, 12) if kind is SpanKind.YEAR else (day.month, day.month)
    last = date(day.year, 12, 31) if end == 12 else date(day.year, end + 1, 1) - timedelta(days=1)
    return date(day.year, start, 1), last
