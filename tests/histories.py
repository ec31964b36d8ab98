"""Histories of a meter and its devices, for hypothesis: what really happened, and how the readings arrived."""

from __future__ import annotations

from typing import Final

from attrs import frozen
from hypothesis import strategies as st

from dsmr_tw.domain.reading import DAY, GAS, HOUR, SECOND, DeviceReading
from tests.arrivals import MINUTE, WATER
from tests.happenings import EVENTS, INTERVALS, MOMENTS, Device, Meter, Step, of_device, of_meter
from tests.truth import Registers
from tests.ways import Behind, Commit, Deed, Order, Way, arrivals_of, commits_of

SILENT: Final = 4 * HOUR
"""A device that is so much older than the electricity is not waited for."""


@frozen
class History:
    """A history: its truth, and its way into the store."""

    electricity: Registers
    devices: list[Behind]
    commits: list[Commit]
    now: int
    """When all has arrived."""
    asked: list[int]
    """Three instants, in order."""

    @property
    def gas(self) -> list[Registers]:
        """The gas meters."""
        return [behind.registers for behind in self.devices if behind.is_gas]

    @property
    def begin(self) -> int:
        """The first reading of electricity or gas."""
        return min(registers.first_at for registers in (self.electricity, *self.gas))

    @property
    def horizon(self) -> int:
        """What ends later can't be closed: rule 9 of the ledger."""
        newest_at = self.electricity.counted.at
        bounds = [newest_at]
        for behind in self.devices:
            counted_at, heard_at = behind.registers.counted.at, behind.registers.samples[-1].at
            if heard_at < newest_at - SILENT:
                counted_at = max(counted_at, newest_at - (DAY if heard_at > counted_at else HOUR))
            bounds.append(counted_at)
        return min(bounds)


def history(meter: Meter, devices: list[Device], way: Way) -> History:
    """What happened to a meter and its devices, and how it became known."""
    electricity = of_meter(meter)
    behind: list[Behind] = []
    after = electricity.first_at
    for channel, like in enumerate(devices, start=1):
        registers = of_device(like, after)
        after = registers.samples[-1].at
        name = f"DEVICE-{channel}" if like.named else None
        behind.append(Behind(DeviceReading(0, 0, like.device_type, channel, name), registers))
    arrivals = arrivals_of(electricity, behind)
    first, now = arrivals[0].received_at, arrivals[-1].received_at
    asked = [first - HOUR + (now - first + 2 * HOUR) * part // 1000 for part in sorted(way.asked)]
    return History(electricity, behind, commits_of(arrivals, way), now, asked)


WAITING = st.sampled_from([0, 0, 0, 0, 1, 10])

METERS = st.builds(
    Meter,
    st.builds(
        lambda moment, minutes, more: moment - minutes * MINUTE + more,
        st.sampled_from(MOMENTS),
        st.integers(0, 200),
        st.sampled_from([0, 0, 13 * SECOND, 123_457]),
    ),
    st.booleans(),
    st.integers(0, 2),
    WAITING,
    st.lists(
        st.builds(Step, st.sampled_from(EVENTS), st.integers(11, 20), st.sampled_from(INTERVALS), st.integers(0, 7)),
        min_size=1,
        max_size=5,
    ),
)

DEVICES = st.builds(
    Device,
    st.sampled_from([GAS, GAS, WATER]),
    st.booleans(),
    st.sampled_from([HOUR, 5 * MINUTE]),
    st.integers(-3, 12).map(lambda hours: hours * HOUR),
    WAITING,
    st.lists(
        st.builds(Step, st.sampled_from(EVENTS), st.integers(11, 14), st.just(0), st.integers(0, 3)),
        min_size=1,
        max_size=3,
    ),
)

WAYS = st.builds(
    Way,
    st.sampled_from(Order),
    st.integers(0, 999),
    st.lists(st.integers(1, 40), max_size=6),
    st.integers(0, 3),
    st.lists(st.sampled_from(Deed), min_size=1, max_size=7),
    st.sampled_from([0, 0, 0, 5 * HOUR]),
    st.tuples(*[st.integers(0, 1000)] * 3),
)

HISTORIES = st.builds(history, METERS, st.lists(DEVICES, max_size=2), WAYS)
