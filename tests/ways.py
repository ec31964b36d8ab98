"""How what was printed reaches the store: telegrams, what is late, what comes twice, commits, and what happens between.

All belongs to one meter, since which meter an arrival belongs to is another question than what the ledger makes of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum
from itertools import cycle
from random import Random
from typing import Final

from attrs import evolve, frozen

from dsmr_tw.domain.reading import GAS, SECOND, Arrival, DeviceReading, Origin, Reading
from tests.contracts.storecase import FIRST
from tests.truth import Registers, Sample

TIED: Final = Origin("key 1", FIRST)
"""The key of one meter."""


class Order(Enum):
    """In which order readings arrive."""

    PRINTED = "as they were printed"
    FEW_LATE = "as they were printed, but for a few that come last"
    THIRDS = "every third one, then those behind them, then the others"
    MIXED_COMMITS = "commit by commit in any order"
    BACKWARDS = "the last one first"
    SHUFFLED = "any"


class Deed(Enum):
    """What the service does after a commit."""

    NOTHING = "nothing"
    TICK = "compute all, and close"
    ONE_PIECE = "compute one piece"
    CLOSE = "close"
    RESTART = "start again"
    POWER_CUT = "compute until the power is cut, and start again"
    REBUILD = "let another program rebuild all of it, or a part"
    TICK_BESIDE = "let another program compute all, and close"


@frozen
class Way:
    """How readings arrive."""

    order: Order
    seed: int
    """Of what is left to chance."""
    sizes: list[int]
    """Of the commits; what is left over is the last one."""
    again: int
    """So many readings come once more, identical."""
    deeds: list[Deed]
    """After the commits, over and over."""
    lag: int
    """So much the server's clock is behind the meter's, for the time being."""
    asked: tuple[int, int, int]
    """What is asked about begins and ends there, in thousandths of the whole time."""


@frozen
class Commit:
    """What is stored together, and what is done then."""

    now: int
    arrivals: list[Arrival]
    deed: Deed


@frozen
class Behind:
    """A device behind the meter."""

    device: DeviceReading
    """What all its values have in common."""
    registers: Registers

    @property
    def is_gas(self) -> bool:
        """Whether it is a gas meter."""
        return self.device.device_type == GAS


def arrivals_of(electricity: Registers, devices: Sequence[Behind]) -> list[Arrival]:
    """Telegrams, with the latest value of each device, and the values that no telegram has; by time."""
    arrivals = []
    ats = [[sample.at for sample in behind.registers.samples] for behind in devices]
    carried: set[tuple[int, int]] = set()
    for sample in electricity.samples:
        latest = [(number, bisect_right(of, sample.at) - 1) for number, of in enumerate(ats)]
        heard = [(number, index) for number, index in latest if index >= 0]
        carried.update(heard)
        arrivals.append(_telegram(sample, [_value(devices[number], index) for number, index in heard]))
    for number, of in enumerate(ats):
        for index, at in enumerate(of):
            if (number, index) not in carried:
                arrivals.append(Arrival(TIED, at, None, (_value(devices[number], index),)))
    arrivals.sort(key=_received)
    return arrivals


def commits_of(arrivals: list[Arrival], way: Way) -> list[Commit]:
    """What is stored together, in the order in which that is done."""
    random = Random(way.seed)
    parts = _parts(arrivals, way, random)
    for _ in range(way.again):
        random.choice(parts).append(random.choice(arrivals))
    commits, latest = [], 0
    for part, deed in zip(parts, cycle(way.deeds), strict=False):
        latest = max(latest, max(arrival.received_at for arrival in part))
        now = latest - way.lag
        commits.append(Commit(now, [evolve(arrival, received_at=now) for arrival in part], deed))
    return commits


def _parts(arrivals: list[Arrival], way: Way, random: Random) -> list[list[Arrival]]:
    """The readings in their order, cut into commits."""
    late: list[int] = []
    if way.order is Order.FEW_LATE:
        late = random.sample(range(len(arrivals)), random.randint(1, 4))
    elif way.order is Order.THIRDS:
        arrivals = [arrival for rest in range(3) for arrival in arrivals[rest::3]]
    elif way.order is Order.BACKWARDS:
        arrivals = arrivals[::-1]
    elif way.order is Order.SHUFFLED:
        arrivals = random.sample(arrivals, len(arrivals))
    in_time = [arrival for number, arrival in enumerate(arrivals) if number not in late]
    parts, start = [], 0
    for size in [*way.sizes, len(arrivals)]:
        parts.append(in_time[start : start + size])
        start += size
    parts.append([arrivals[number] for number in late])
    parts = [part for part in parts if part]
    if way.order is Order.MIXED_COMMITS:
        random.shuffle(parts)
    return parts


def _received(arrival: Arrival) -> int:
    return arrival.received_at


def _value(behind: Behind, index: int) -> DeviceReading:
    sample = behind.registers.samples[index]
    return evolve(behind.device, at=sample.at, value=sample.positions[0])


def _telegram(sample: Sample, devices: Sequence[DeviceReading]) -> Arrival:
    both = 100 if sample.at // SECOND % 7 == 0 else 0
    power = max(0, sample.power_w) + both, max(0, -sample.power_w) + both
    return Arrival(TIED, sample.at, Reading(sample.at, *sample.positions, *power), tuple(devices), sample.equipment_id)
