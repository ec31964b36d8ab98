"""Responsible for what the demo house's meter shows at any instant, without remembering anything.

``House(seed, zone).at(instant)`` is a pure function: asked in any order, at any spacing, before and after a restart,
it tells of one and the same life.  Its contract is a meter's:

- positions never fall, and rise by exactly the power shown times the time for which it was shown;
- a phase takes or returns, and what the three do together goes into *one* register, of the tariff at that moment;
- nothing is lost between two tariffs, two days or two years.

What a day adds to each register is known without its hours (``house_days``), so that the position at any midnight is
a sum of small budgets; only the day that is asked for is laid out (``house_hours``, ``house_plan``).

Tests: ``tests/domain/test_house_model.py``
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import define, field, frozen

from dsmr_tw.domain.house_days import BIRTH, STEP_S
from dsmr_tw.domain.house_plan import Plan, Totals, plan_of, totals_of
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import HOUR, SECOND

PLANS_KEPT: Final = 3
"""How many days stay laid out in memory, 400 KB each: a walk through time needs one, a look back another."""

GAS_EVERY: Final = 300 * SECOND

WATTS_PER_DV: Final = 45
"""The power that lowers a phase's voltage by 0.1 V."""

PerPhase: TypeAlias = tuple[int, int, int]
"""One quantity of L1, L2 and L3."""


@frozen
class Moment:
    """Everything that the meter shows at one instant."""

    tariff: int
    """The register that counts now: 1 is low, 2 is normal."""

    delivered_1: int
    delivered_2: int
    returned_1: int
    returned_2: int
    """Positions of the four registers, in Wh."""

    powers: PerPhase
    """What L1, L2 and L3 take, in W; negative when they return."""

    voltages: PerPhase
    """In mV, to a tenth of a volt."""

    currents: PerPhase
    """In mA, to whole amperes, unsigned."""

    gas_at: int
    """When the gas meter last gave a value: the last five minutes' mark."""

    gas: int
    """Its position then, in dm³."""

    @property
    def power(self) -> int:
        """What the three phases take together, in W; negative when they return."""
        return sum(self.powers)


@frozen
class _Today:
    """A laid out day and its place in time."""

    start: int
    end: int
    before: Totals
    """What the registers had counted at its start."""
    plan: Plan


@define
class House:
    """A house with a heat pump, a car, and panels on its roof, living the life that its seed tells."""

    seed: int
    zone: MeterZone
    _totals: list[Totals] = field(init=False, repr=False, factory=lambda: [(0, 0, 0, 0, 0)])
    """At the start of each day from ``BIRTH`` on, as far as it was asked for."""
    _days: list[_Today] = field(init=False, repr=False, factory=list)

    def at(self, instant: int) -> Moment:
        """What the meter shows at an instant, to the second."""
        today = self._today(instant)
        plan = today.plan
        step, seconds = divmod((instant - today.start) // SECOND, STEP_S)
        slot = (instant - today.start) // GAS_EVERY
        tariff = 2 if step in plan.tariff_2 else 1
        one, two, three = (line[step] for line in plan.powers)
        net = one + two + three
        counted = [(total + line[step]) * STEP_S for total, line in zip(today.before, plan.running, strict=False)]
        counted[tariff - 1 if net > 0 else tariff + 1] += abs(net) * seconds
        delivered_1, delivered_2, returned_1, returned_2 = (watt_seconds // 3600 for watt_seconds in counted)
        sway = plan.sway[step]
        volts = _decivolts(2312 + sway, one), _decivolts(2296 + sway // 2, two), _decivolts(2304 + sway * 3 // 4, three)
        return Moment(
            tariff=tariff,
            delivered_1=delivered_1,
            delivered_2=delivered_2,
            returned_1=returned_1,
            returned_2=returned_2,
            powers=(one, two, three),
            voltages=(volts[0] * 100, volts[1] * 100, volts[2] * 100),
            currents=(_current(one, volts[0]), _current(two, volts[1]), _current(three, volts[2])),
            gas_at=today.start + slot * GAS_EVERY,
            gas=today.before[4] + plan.gas[slot],
        )

    def _today(self, instant: int) -> _Today:
        """The local day of an instant, from memory or laid out anew."""
        for today in self._days:
            if today.start <= instant < today.end:
                return today
        date = self.zone.day_of(instant)
        start, end = self.zone.bounds(date)
        steps = (end - start) // (STEP_S * SECOND)
        summer_time = bool(self.zone.local(end - 12 * HOUR).dst())
        plan = plan_of(self.seed, date.toordinal(), steps, summer_time)
        today = _Today(start, end, self._totals_before(date.toordinal()), plan)
        self._days = [today, *self._days][:PLANS_KEPT]
        return today

    def _totals_before(self, number: int) -> Totals:
        """What the registers have counted when the day ``number`` begins."""
        days = max(number - BIRTH, 0)
        while len(self._totals) <= days:
            one, two, three, four, five = self._totals[-1]
            a, b, c, d, e = totals_of(self.seed, BIRTH + len(self._totals) - 1)
            self._totals.append((one + a, two + b, three + c, four + d, five + e))
        return self._totals[days]


def _decivolts(idle: int, watts: int) -> int:
    """A phase's voltage in dV: what it takes lowers it, what it returns lifts it."""
    return idle - watts // WATTS_PER_DV


def _current(watts: int, decivolts: int) -> int:
    """The current in mA, in the whole amperes that a meter shows."""
    return (abs(watts) * 10 + decivolts // 2) // decivolts * 1000
