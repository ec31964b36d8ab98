"""Responsible for the peaks of power that meters print: the highest quarter of an hour of a month.

Belgian meters print the month under way on one line, up to thirteen past ones on another; in Ireland value and time
change places; a Hungarian meter prints what all its registers showed at the end of the month under the Belgian code.
Which of these a line is, its form alone tells.

Times stay as they are printed: ``dsmr_tw.domain.facts`` dates them.

Source: telegrams of Belgian, Irish and Hungarian meters.

Tests: ``tests/domain/test_printed_peaks.py``
"""

from __future__ import annotations

import re
from itertools import dropwhile
from typing import Final

from attrs import frozen

from dsmr_tw.domain.units import quantity


@frozen
class PrintedPeak:
    """The highest quarter of a month."""

    month: str
    """When that month ended, as printed: ``200501000000S``; empty: it goes on."""

    time: str
    """When the quarter ended, as printed: ``200423192538S``; for a month without one ``632525252525W`` and the like."""

    power: int
    """Its average, in W."""


@frozen
class MonthEnd:
    """What the registers of a Hungarian meter showed when a month ended."""

    time: str
    """When that was, as printed."""

    values: tuple[tuple[int, str], ...]
    """In thousandths, with their unit; in the meter's own order."""


def read_peak(text: bytes) -> PrintedPeak:
    """The peak of the month under way: ``200509134558S)(02.589*kW``, or ``08.796*kW)(260102010000``.

    Raises: ``ValueError`` when the text is no such thing.
    """
    first, second = text.split(b")(")
    if first and not _time(first):
        first, second = second, first
    return _peak(b"", first, second)


def read_past_months(text: bytes) -> tuple[PrintedPeak, ...] | MonthEnd:
    """Peaks of past months: ``2)(1-0:1.6.0)(1-0:1.6.0)(…``, then month, time and power of each; or a month's end.

    There may be fewer than their number says: those that are there count.
    Raises: ``ValueError`` when the text is no such thing.
    """
    first, *groups = text.split(b")(")
    if _time(first):
        return MonthEnd(first.decode("latin-1"), tuple(quantity(group, None) for group in groups))
    entries = list(dropwhile(_is_code, groups))
    triples = zip(entries[::3], entries[1::3], entries[2::3], strict=True)
    return tuple(_peak(*triple) for triple in triples if any(triple))


_time: Final = re.compile(rb"[0-9]{12,}[SW]?").fullmatch
"""Tells a clock, set or not, from a value: that has fewer digits, or a point."""


def _is_code(group: bytes) -> bool:
    return b":" in group


def _peak(month: bytes, time: bytes, printed: bytes) -> PrintedPeak:
    power, _ = quantity(printed, "kW")
    return PrintedPeak(month.decode("latin-1"), time.decode("latin-1"), power)
