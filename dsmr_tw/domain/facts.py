"""Responsible for what a telegram tells of the past with a date: peaks of power, and long power failures.

A meter repeats them in every telegram for a year and more; they are the same facts each time.
What has no date is none: an entry of a clock that was never set, a month in which no quarter was measured.
A month has one peak, the highest that was ever printed for it: that of the month under way may still rise, and two
telegrams tell the same in whichever order they come.

Tests: ``tests/domain/test_facts.py``
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attrs import frozen

from dsmr_tw.domain.line import PowerFailure
from dsmr_tw.domain.localtime import MeterZone, meter_zone
from dsmr_tw.domain.parse import Telegram
from dsmr_tw.domain.printed_peaks import PrintedPeak
from dsmr_tw.domain.reading import DAY, UNKNOWN_SECONDS, Failure, MonthPeak

MONTHS: Final = meter_zone("UTC")
"""The zone whose midnights stand for months: a month is the same one when its meter is read in another zone."""

REMEMBERED: Final = 256
"""Of so many logs it is remembered what they say: a meter's change once a month, or when the power fails."""

REMEMBERED_ENTRIES: Final = 32
"""The longest log that is remembered, so that the memory has a bound in bytes, too: meters print 10 or 13 entries."""


@frozen
class Peak:
    """The quarter of an hour with the highest average power of a month."""

    month_at: int | None
    """The instant at which that month ended; ``None``: it goes on, and a higher quarter may come."""

    at: int
    """The instant at which the quarter ended, by the meter's clock."""

    power: int
    """In W."""


def peaks(telegram: Telegram, zone: MeterZone) -> tuple[Peak, ...]:
    """The peaks of past months in the meter's order, then the one of the month under way."""
    return _dated_peaks(telegram.peaks, zone)


def month_peaks(telegram: Telegram, zone: MeterZone) -> tuple[MonthPeak, ...]:
    """The highest of the peaks of each month, the earliest month first."""
    printed = telegram.peaks
    if not printed:
        return ()
    return (_month_peaks if len(printed) <= REMEMBERED_ENTRIES else _month_peaks.__wrapped__)(printed, zone)


def failures(telegram: Telegram, zone: MeterZone) -> tuple[Failure, ...]:
    """The long power failures in the meter's order, mostly the newest first; those of unknown length left out."""
    printed = telegram.failures
    if not printed:
        return ()
    return (_dated_failures if len(printed) <= REMEMBERED_ENTRIES else _dated_failures.__wrapped__)(printed, zone)


def is_higher(one: MonthPeak, other: MonthPeak) -> bool:
    """Whether of two peaks of a month the first is the month's; of two that are as high the earlier is."""
    return (-one.power, one.at) < (-other.power, other.at)


@lru_cache(maxsize=REMEMBERED)
def _month_peaks(printed: tuple[PrintedPeak, ...], zone: MeterZone) -> tuple[MonthPeak, ...]:
    found: dict[int, MonthPeak] = {}
    for peak in _dated_peaks(printed, zone):
        # A quarter that ends at midnight is the last of its day. A month's end may be printed some hours off.
        inside = peak.at - 1 if peak.month_at is None else peak.month_at - DAY
        candidate = MonthPeak(MONTHS.day_start(zone.day_of(inside).replace(day=1)), peak.at, peak.power)
        known = found.get(candidate.month_at)
        if known is None or is_higher(candidate, known):
            found[candidate.month_at] = candidate
    return tuple(found[month_at] for month_at in sorted(found))


def _dated_peaks(printed: tuple[PrintedPeak, ...], zone: MeterZone) -> tuple[Peak, ...]:
    dated = ((zone.clock(each.month), zone.clock(each.time), each.power) for each in printed)
    return tuple(Peak(month_at, at, power) for month_at, at, power in dated if at is not None)


@lru_cache(maxsize=REMEMBERED)
def _dated_failures(printed: tuple[PowerFailure, ...], zone: MeterZone) -> tuple[Failure, ...]:
    dated = ((zone.clock(each.ended), each.seconds) for each in printed)
    return tuple(Failure(at, seconds) for at, seconds in dated if at is not None and seconds < UNKNOWN_SECONDS)
