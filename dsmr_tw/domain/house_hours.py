"""Responsible for how the demo house spends a day: what runs when, when the sun shines, when the boiler burns.

Everything is counted in steps of ``STEP_S`` seconds from local midnight.
The clocks change in the night, so hours are counted back from the day's end: 7:00 is 17 hours before the next midnight
on days of 23, 24 and 25 hours.
The amounts are natural, not exact: ``dsmr_tw.domain.house_plan`` scales them by some percent to the day's budget.

Tests: ``tests/domain/test_house_model.py``
"""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, pi, sin
from random import Random
from typing import Final

from attrs import define, field, frozen

from dsmr_tw.domain.house_days import (
    HEAT_PUMP_W,
    LATITUDE,
    PANELS_W,
    STEP_S,
    STEPS_PER_HOUR,
    TILT,
    Day,
    air_at,
    heat_pump_wh,
    rooms_dm3,
    water_dm3,
)

DAY_BEGINS: Final = 7
DAY_ENDS: Final = 23
"""The local hours between which tariff 2 counts on working days; the neighbours' roof keeps the sun off until 7."""

NOON: Final = 12.66
"""When the sun is highest over the middle of the country, by the clock of winter."""

SLOT_S: Final = 300
"""How often the gas meter gives a value."""

STEPS_PER_SLOT: Final = SLOT_S // STEP_S

APPETITE: Final = ((6, 3), (9, 16), (17, 8), (22.5, 12), (24, 3))
"""Until which hour the rooms want how much warmth, in parts: little at night, most when everybody gets up."""


@frozen
class Hours:
    """A day laid out."""

    loads: tuple[list[int], list[int], list[int]]
    """What the house takes from L1, L2 and L3 in each step, in W, whatever the sun gives; without the car."""

    sun: list[float]
    """What the panels give in each step, in W."""

    gas: list[int]
    """What is burnt in each 5 minutes, in dm³."""

    sway: list[int]
    """How far the grid's voltage is off in each step, in dV; 0 at both ends of the day."""


@define
class _Sketch:
    """A day being laid out."""

    day: Day
    steps: int
    random: Random
    loads: tuple[list[int], list[int], list[int]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.loads = ([0] * self.steps, [0] * self.steps, [0] * self.steps)

    def hour(self, hour: float, spread: float = 0.0) -> int:
        """The step at a local hour, or up to ``spread`` hours after it."""
        return max(self.steps - int((24 - hour - spread * self.random.random()) * STEPS_PER_HOUR), 0)

    def about(self, least: int, most: int) -> int:
        """A number from ``least`` up to ``most``."""
        return least + int((most - least) * self.random.random())

    def run(self, phase: int, begin: int, steps: int, watts: int) -> None:
        """Let something on L1 (0), L2 (1) or L3 (2) take ``watts``, as far as the time falls on this day."""
        line = self.loads[phase]
        for step in range(max(begin, 0), min(begin + steps, self.steps)):
            line[step] += watts


def lay_out(seed: int, day: Day, steps: int, summer_time: bool) -> Hours:
    """The hours of a day of ``steps`` steps; always the same ones for the same seed and day."""
    sketch = _Sketch(day, steps, Random(f"{seed}/{day.number}"))
    _standby(sketch)
    _people(sketch)
    _kitchen(sketch)
    _machines(sketch)
    _heat_pump(sketch)
    sun = _sunshine(sketch, sketch.hour(NOON + summer_time))
    return Hours(sketch.loads, sun, _boiler(sketch), _sway(sketch))


def _standby(sketch: _Sketch) -> None:
    """Router, pumps and chargers that never sleep, and a fridge that does now and then."""
    random = sketch.random.random
    for line, least, spread in zip(sketch.loads, (74, 16, 26), (15, 5, 7), strict=True):
        line[:] = [least + int(spread * random()) for _ in line]
    step = -sketch.about(0, 200)
    while step < sketch.steps:
        on = sketch.about(85, 115)
        sketch.run(0, step, on, 88)
        step += on + sketch.about(150, 210)


def _people(sketch: _Sketch) -> None:
    """Light, screens and a kettle, where and when somebody is awake and at home."""
    awake = [(17.5, 22.8, 330), (22.8, 23.6, 90)]
    if sketch.day.weekend:
        awake += [(8.5, 10.5, 240), (10.5, 17.5, 130)]
    else:
        awake += [(6.7, 8.4, 280), (8.4, 17.5, int(110 * sketch.day.at_home))]
    for begin, end, watts in awake:
        step = sketch.hour(begin, 0.15)
        while step < sketch.hour(end):
            steps = sketch.about(20, 120)
            sketch.run(sketch.about(0, 2), step, steps, sketch.about(watts * 2 // 5, watts * 8 // 5))
            step += steps
    for _ in range(sketch.about(5, 8)):
        sketch.run(2, sketch.hour(7, 15.5), sketch.about(9, 24), 1900)


def _kitchen(sketch: _Sketch) -> None:
    """Dinner: two plates that switch on and off by themselves."""
    dinner = sketch.hour(17.3, 1)
    for watts in (1850, 1200):
        step, end = dinner + sketch.about(0, 60), dinner + sketch.about(150, 240)
        while step < end:
            on = sketch.about(4, 18)
            sketch.run(2, step, on, watts)
            step += on + sketch.about(5, 21)


def _machines(sketch: _Sketch) -> None:
    """Dishwasher and washing machine: a motor all along, and water to heat."""
    if sketch.day.dishwasher:
        begin = sketch.hour(12.5 if sketch.day.weekend else 20, 1)
        for wait, steps, watts in ((0, 420, 60), (30, 85, 1950), (330, 60, 1900)):
            sketch.run(1, begin + wait, steps, watts)
    if sketch.day.laundry:
        begin = sketch.hour(10, 3)
        for wait, steps, watts in ((0, 480, 110), (18, 110, 2050), (450, 40, 380)):
            sketch.run(2, begin + wait, steps, watts)


def _heat_pump(sketch: _Sketch) -> None:
    """On and off, longer on the colder it is."""
    duty = heat_pump_wh(sketch.day) / 24 / HEAT_PUMP_W
    step = -sketch.about(0, 300)
    while duty and step < sketch.steps:
        period = sketch.about(180, 420)
        sketch.run(1, step, int(period * duty), HEAT_PUMP_W + sketch.about(-100, 100))
        step += period


def _sunshine(sketch: _Sketch, noon: int) -> list[float]:
    """The sun's way over the panels, behind clouds that come and go."""
    half_day = 12 * STEPS_PER_HOUR
    sine, cosine = sin(sketch.day.season.declination), cos(sketch.day.season.declination)
    sun = [0.0] * sketch.steps
    dusk = int(sketch.day.season.sunset / pi * half_day)
    light = range(max(noon - dusk, sketch.hour(DAY_BEGINS)), min(noon + dusk, sketch.hour(DAY_ENDS)))
    for step, clear in zip(light, _clouds(sketch), strict=False):
        turn = cos((step - noon) * pi / half_day)
        straight = sine * sin(LATITUDE - TILT) + cosine * cos(LATITUDE - TILT) * turn
        height = sine * sin(LATITUDE) + cosine * cos(LATITUDE) * turn
        sun[step] = PANELS_W * max(straight, 0.0) * air_at(max(height, 0.0)) * clear
    return sun


def _clouds(sketch: _Sketch) -> Iterator[float]:
    """What the clouds let through, step by step."""
    random, clearness = sketch.random.random, sketch.day.clearness
    level = clearness
    while True:
        thin = 0.9 + 0.1 * random() if random() < clearness else 0.08 + (0.15 + 0.4 * clearness) * random()
        for _ in range(sketch.about(6, 86)):
            level += (thin - level) * 0.25
            yield level


def _boiler(sketch: _Sketch) -> list[int]:
    """Warmth for the rooms, most of it in the morning and in the evening, and hot water."""
    random = sketch.random.random
    slots = sketch.steps // STEPS_PER_SLOT
    hours = (24 - (slots - slot) * SLOT_S / 3600 for slot in range(slots))
    appetites = (next(level for until, level in APPETITE if hour < until) for hour in hours)
    weights = [appetite * (0.3 + 1.4 * random()) * (random() < 0.7) for appetite in appetites]
    rooms = rooms_dm3(sketch.day) / sum(weights)
    gas = [int(rooms * weight) for weight in weights]
    for _ in range(sketch.day.showers):
        slot = sketch.hour(6.7 if random() < 0.6 else 20.0, 1.5) // STEPS_PER_SLOT
        gas[slot] += 95
        gas[slot + 1] += 75
    for _ in range(10):
        gas[sketch.hour(7, 15) // STEPS_PER_SLOT] += (water_dm3(sketch.day) - 170 * sketch.day.showers) // 10
    return gas


def _sway(sketch: _Sketch) -> list[int]:
    """A voltage that strays and is drawn back."""
    random = sketch.random.random
    off, path = 0.0, []
    for _ in range(sketch.steps):
        path.append(off)
        off = 0.985 * off + 9.0 * random() - 4.5
    return [int(here - off * step / sketch.steps) for step, here in enumerate(path)]
