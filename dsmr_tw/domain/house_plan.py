"""Responsible for a day of the demo house as its meter counts it: step by step, and adding up to the day's budget.

``dsmr_tw.domain.house_hours`` gives a day's natural loads and sunshine.  Here the sun is dimmed or brightened until
what is left over for the grid is as the budget has it; what L1, L2 and L3 take together in a step goes into one
register, as in a meter; and each register's running total is scaled to its budget: total × budget / its own sum,
rounded down, so that a step's power is a whole number of watts and the last total is the budget to the watt.
The car comes last and is not scaled: it charges in the dark, at the low tariff, with known power.

Tests: ``tests/domain/test_house_model.py``
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from operator import add
from typing import Final, TypeAlias

from attrs import frozen

from dsmr_tw.domain.house_days import PHASE_W, STEPS_PER_HOUR, Budget, budget_of, charging_of, day_of
from dsmr_tw.domain.house_hours import DAY_BEGINS, DAY_ENDS, Hours, lay_out

Totals: TypeAlias = tuple[int, int, int, int, int]
"""Delivered 1 and 2, returned 1 and 2 in watt steps, and gas in dm³."""

SAMPLE: Final = 6
"""Every how many steps the sun is looked at when it is dimmed or brightened."""


@frozen
class Plan:
    """A local day, step by step."""

    running: tuple[array[int], ...]
    """What delivered 1 and 2 and returned 1 and 2 have counted since midnight, at the start of each step and at the
    end of the day, in watt steps."""

    powers: tuple[array[int], ...]
    """What L1, L2 and L3 take in each step, in W; negative when they return."""

    tariff_2: range
    """The steps in which tariff 2 counts."""

    sway: array[int]
    """How far the grid's voltage is off in each step, in dV."""

    gas: array[int]
    """What was burnt since midnight, at each five minutes' mark and at the end of the day, in dm³."""


def totals_of(seed: int, number: int) -> Totals:
    """What the day ``number`` adds to the registers, the car included; without planning it."""
    budget = budget_of(day_of(seed, number))
    last_night, tonight = charging_of(seed, number - 1), charging_of(seed, number)
    car = PHASE_W * (last_night.phases * last_night.after_midnight + tonight.phases * tonight.before_midnight)
    return budget.delivered_1 + car, budget.delivered_2, budget.returned_1, budget.returned_2, budget.gas


def plan_of(seed: int, number: int, steps: int, summer_time: bool) -> Plan:
    """The plan of the day ``number``, which has ``steps`` steps; it adds up to ``totals_of`` the day."""
    day = day_of(seed, number)
    hours = lay_out(seed, day, steps, summer_time)
    day_hours = range(steps - (24 - DAY_BEGINS) * STEPS_PER_HOUR, steps - (24 - DAY_ENDS) * STEPS_PER_HOUR)
    tariff_2 = range(0) if day.weekend else day_hours
    running, powers = _count(hours, budget_of(day), tariff_2)
    charging = [0] * steps
    last_night, tonight = charging_of(seed, number - 1), charging_of(seed, number)
    _charge(powers, charging, 0, last_night.after_midnight, last_night.phases)
    _charge(powers, charging, day_hours.stop + tonight.wait, tonight.before_midnight, tonight.phases)
    running[0] = list(map(add, running[0], accumulate(charging, initial=0)))
    return Plan(
        running=tuple(array("q", line) for line in running),
        powers=tuple(array("i", line) for line in powers),
        tariff_2=tariff_2,
        sway=array("h", hours.sway),
        gas=array("q", fit(hours.gas, budget_of(day).gas)),
    )


def fit(parts: Iterable[int], amount: int) -> list[int]:
    """Running totals of the parts, scaled to end at ``amount``: they begin at 0 and never fall."""
    totals = list(accumulate(parts, initial=0))
    whole = totals[-1] or 1
    return [total * amount // whole for total in totals]


def _count(hours: Hours, budget: Budget, tariff_2: range) -> tuple[list[list[int]], list[list[int]]]:
    """The registers' running totals and the phases' powers, without the car."""
    one, two, three = hours.loads
    loads = list(map(sum, zip(one, two, three, strict=True)))
    shine = _shine(loads, hours.sun, budget.returned_1 + budget.returned_2)
    flow = [load - int(shine * sun) for load, sun in zip(loads, hours.sun, strict=True)]
    natural = [
        *_split([max(watts, 0) for watts in flow], tariff_2),
        *_split([max(-watts, 0) for watts in flow], tariff_2),
    ]
    amounts = (budget.delivered_1, budget.delivered_2, budget.returned_1, budget.returned_2)
    running = [fit(line, amount) for line, amount in zip(natural, amounts, strict=True)]
    scales = [amount / (sum(line) or 1) for line, amount in zip(natural, amounts, strict=True)]
    net = [b - a for a, b in pairwise(map(_net, *running))]
    scale = [scales[2 * (watts < 0) + (step in tariff_2)] for step, watts in enumerate(flow)]
    # L1 carries lights and panels, and what rounding leaves.
    two = [int(watts * by) for watts, by in zip(two, scale, strict=True)]
    three = [int(watts * by) for watts, by in zip(three, scale, strict=True)]
    one = [total - other - another for total, other, another in zip(net, two, three, strict=True)]
    return running, [one, two, three]


def _net(delivered_1: int, delivered_2: int, returned_1: int, returned_2: int) -> int:
    return delivered_1 + delivered_2 - returned_1 - returned_2


def _split(flow: list[int], tariff_2: range) -> tuple[list[int], list[int]]:
    """What flows at tariff 1, and what at tariff 2."""
    begin, end = tariff_2.start, tariff_2.stop
    rest = len(flow) - end
    return flow[:begin] + [0] * len(tariff_2) + flow[end:], [0] * begin + flow[begin:end] + [0] * rest


def _shine(loads: Sequence[int], sun: Sequence[float], returned: int) -> float:
    """How much brighter than drawn the sun must be for the house to return about so much, in watt steps."""
    light = [(watts, load) for load, watts in zip(loads[::SAMPLE], sun[::SAMPLE], strict=True) if watts]
    wanted = returned // SAMPLE

    def surplus(shine: float) -> float:
        return sum(shine * watts - load for watts, load in light if shine * watts > load)

    low, high = 0.0, 1.0
    while surplus(high) < wanted:
        low, high = high, high * 2
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if surplus(middle) < wanted else (low, middle)
    return high


def _charge(powers: list[list[int]], charging: list[int], begin: int, steps: int, phases: int) -> None:
    """Plug in the car."""
    for step in range(begin, begin + steps):
        charging[step] = phases * PHASE_W
        for line in powers[:phases]:
            line[step] += PHASE_W
