"""Responsible for what a telegram tells of the past with a date: peaks of power, and long power failures.

A meter repeats them in every telegram for a year and more; they are the same facts each time.
What has no date is none: an entry of a clock that was never set, a month in which no quarter was measured.

Tests: ``tests/domain/test_facts.py``
"""

from __future__ import annotations

from attrs import frozen

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import Telegram


@frozen
class Peak:
    """The quarter of an hour with the highest average power of a month."""

    month_at: int | None
    """The instant at which that month ended; ``None``: it goes on, and a higher quarter may come."""

    at: int
    """The instant at which the quarter ended, by the meter's clock."""

    power: int
    """In W."""


@frozen
class Failure:
    """A long power failure."""

    at: int
    """The instant at which it ended."""

    seconds: int
    """How long it was."""


def peaks(telegram: Telegram, zone: MeterZone) -> tuple[Peak, ...]:
    """The peaks of past months in the meter's order, then the one of the month under way."""
    dated = ((zone.clock(each.month), zone.clock(each.time), each.power) for each in telegram.peaks)
    return tuple(Peak(month_at, at, power) for month_at, at, power in dated if at is not None)


def failures(telegram: Telegram, zone: MeterZone) -> tuple[Failure, ...]:
    """The long power failures in the meter's order, mostly the newest first."""
    dated = ((zone.clock(each.ended), each.seconds) for each in telegram.failures)
    return tuple(Failure(at, seconds) for at, seconds in dated if at is not None)
