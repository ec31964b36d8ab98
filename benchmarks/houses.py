"""Responsible for what is measured with: telegrams of the demo's houses, and the arrivals that they become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import define, field

from dsmr_tw.demo import DemoMeter
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import SECOND, Arrival, Origin
from dsmr_tw.domain.telegram import RawTelegram, outcomes_in

ZONE: Final = MeterZone("Europe/Amsterdam")

START: Final = 1_711_929_600 * SECOND
"""2024-04-01T00:00:00Z: in spring a day has heating, sun and clouds."""

EVERY_S: Final = 10
"""A house that posts its telegrams, or thins them out, has one every ten seconds."""

CABLE: Final = Origin("benchmark")


@define
class House:
    """A house whose telegrams are taken in order, each unlike all others."""

    seed: int
    next_at: int
    every_s: int = EVERY_S
    _meter: DemoMeter = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._meter = DemoMeter(self.seed, ZONE)

    def telegrams(self, number: int) -> list[bytes]:
        """The next ones."""
        start, self.next_at = self.next_at, self.next_at + number * self.every_s * SECOND
        return [self._meter.telegram(at) for at in range(start, self.next_at, self.every_s * SECOND)]


def arrivals(seed: int, start: int, number: int, every_s: int = EVERY_S) -> Iterator[Arrival]:
    """The same telegrams as an intake takes them, each arriving at its own instant."""
    meter, parser = DemoMeter(seed, ZONE), TelegramParser()
    for at in range(start, start + number * every_s * SECOND, every_s * SECOND):
        yield arrival(parser.parse(raw(meter.telegram(at))), CABLE, at, ZONE)


def raw(telegram: bytes) -> RawTelegram:
    """A telegram whose CRC was found right."""
    [outcome] = outcomes_in(telegram)
    assert isinstance(outcome, RawTelegram), outcome
    return outcome
