"""Responsible for outdoor temperatures: what one measurement is, and what those of a stretch of time come to.

A temperature is an ``int`` in tenths of a degree Celsius; an instant is UTC, in microseconds since 1970.
Temperatures belong to no meter.

Tests: ``tests/domain/test_temperature.py``
"""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from dsmr_tw.domain.reading import SECOND

LEAST: Final = -999
"""The lowest temperature that is believed; the lowest that was ever measured outdoors is -89.2."""

MOST: Final = 999
"""The highest that is; 56.7 was measured."""


def _whole_second(at: int) -> int:
    return at - at % SECOND


@frozen
class Temperature:
    """One measurement."""

    at: int = field(converter=_whole_second)
    """When it was measured; a fraction of a second is cut off, since its seconds are what a measurement is known by."""

    tenths_celsius: int
    """From ``LEAST`` to ``MOST``."""


@frozen
class TemperatureSummary:
    """What the measurements of a stretch of time come to, in tenths of a degree."""

    lowest: int
    highest: int
    average: int
    """Rounded half up, as all that is shown: -0.25 degrees become -0.3."""


def summary(lowest: int | None, highest: int | None, total: int | None, measurements: int) -> TemperatureSummary | None:
    """The summary of so many measurements with these extremes and this sum; ``None`` when nothing was measured."""
    if lowest is None or highest is None or total is None:
        return None
    average = (2 * abs(total) + measurements) // (2 * measurements)
    return TemperatureSummary(lowest, highest, -average if total < 0 else average)
