"""Tests of the ledger's first rule: of several readings at one instant one takes part, whatever was computed before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from dsmr_tw.domain.ledger import FIRST
from dsmr_tw.domain.pace import Pace
from dsmr_tw.domain.reading import Arrival
from tests.arrivals import MINUTE, NOON, devices_only, gas, posted
from tests.happenings import OF_DEVICES, OF_METERS
from tests.lawcase import LawCase
from tests.test_ledger_law import HALF
from tests.truth import Registers, Sample
from tests.ways import TIED

Printed: TypeAlias = tuple[int, int]
"""The minute of a reading, and how much more it says than the least that may be said of that minute."""

STEP: Final = 7
"""From the least of one minute to the least of the next; more is never said."""

COMMITS: Final = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, STEP - 1)), min_size=1, max_size=40), st.booleans()
    ),
    min_size=1,
    max_size=5,
)
"""Readings that are stored together, and whether a tick comes then."""

Commits: TypeAlias = list[tuple[list[Printed], bool]]


def of_meter(minute: int, position: int) -> Arrival:
    """A reading of the meter."""
    at, others = NOON + minute * MINUTE, {"returned_1": 0, "delivered_2": 0, "returned_2": 0}
    return posted(at, origin=TIED, delivered_1=position, **others)


def of_device(minute: int, position: int) -> Arrival:
    """A value of a device."""
    at = NOON + minute * MINUTE
    return devices_only(at, gas(at, position), origin=TIED)


class InstantsTests(LawCase):
    """A meter that says several things of one minute."""

    def live(self, commits: Commits, arrival: Callable[[int, int], Arrival], pace: Pace, last: bool) -> Registers:
        """Let it happen; the truth, where the last that was stored of a minute counts, or the first."""
        self.begin_anew()
        stored: dict[int, list[int]] = {}
        for readings, ticks in commits:
            self.add(*(arrival(minute, STEP * minute + more) for minute, more in readings))
            for minute, more in readings:
                if more not in stored.setdefault(minute, []):
                    stored[minute].append(more)
            if ticks:
                self.tick(self.now)
        self.catch_up(self.now)
        registers = Registers(pace, NOON, (0, 0, 0, 0))
        counted = [(minute, of_it[-1 if last else 0]) for minute, of_it in sorted(stored.items())]
        registers.epochs = [
            [Sample(NOON + minute * MINUTE, (STEP * minute + more, 0, 0, 0), None, 400) for minute, more in counted]
        ]
        registers.reasons = [FIRST]
        return registers

    @HALF
    @given(COMMITS)
    def test_of_electricity_the_last_stored_counts(self, commits: Commits) -> None:
        """What is stored later corrects what was stored before; what is stored already corrects nothing."""
        registers = self.live(commits, of_meter, OF_METERS, last=True)
        self.check_epochs(0, registers)
        quarters = [row[1:] for row in self.run_sql("SELECT * FROM quarter")]
        self.check_equal("quarter", quarters, list(registers.quarters()))
        self.check_rebuilt(self.now)

    @HALF
    @given(COMMITS)
    def test_of_a_device_the_first_stored_counts(self, commits: Commits) -> None:
        """A telegram that comes later can't change what was closed by the value before it."""
        registers = self.live(commits, of_device, OF_DEVICES, last=False)
        [(equipment_id,)] = self.run_sql("SELECT id FROM equipment")
        self.check_epochs(equipment_id, registers)
        quarters = [row[2:] for row in self.run_sql("SELECT * FROM device_quarter")]
        self.check_equal(
            "device_quarter", quarters, [(row[0], row[1], row[5], *row[11:]) for row in registers.quarters()]
        )
        self.check_rebuilt(self.now)
