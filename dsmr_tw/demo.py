"""Responsible for the demo meter: what the meter of a simulated house prints, now and in the past.

``DemoMeter(seed, zone).telegram(at)`` depends on nothing but its arguments: a demo that is started again goes on where
its house is by then, and its past can be filled, twice if need be, with the telegrams of the very same meter.
The bytes go through the line protocol like any others; only the header and equipment ids that spell DEMO tell.

Tests: ``tests/test_demo.py``
"""

from __future__ import annotations

from attrs import define, field

from dsmr_tw.domain.house import House
from dsmr_tw.domain.house_telegram import Nameplate, nameplate_of, print_telegram
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import DAY, SECOND


@define
class DemoMeter:
    """The meter of the house that a seed tells of; another seed is another meter."""

    seed: int
    zone: MeterZone
    _house: House = field(init=False, repr=False)
    _nameplate: Nameplate = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._house = House(self.seed, self.zone)
        self._nameplate = nameplate_of(self.seed)

    def telegram(self, at: int) -> bytes:
        """What the meter prints at an instant; its clock has whole seconds."""
        return print_telegram(self._house.at(at), at, self._nameplate, self.zone)


def instants(days: int, now: int, every_s: int = 10) -> range:
    """The instants of the last so many days at which a telegram is due; ``now`` itself is left to the live line."""
    step = every_s * SECOND
    end = now // step * step
    return range(end - days * DAY // step * step, end, step)
