"""Responsible for what each day holds in the demo house: its weather, its habits, its budget of energy and gas.

A day is a pure function of the seed and its number (the ordinal of its date), made without looking at its hours.
That is what lets a register's position at any midnight be the sum of some thousand small budgets instead of the
simulation of as many days; ``dsmr_tw.domain.house_hours`` lays a day out, and ``house_plan`` sees to it that
its hours add up to the budget.

Floats describe weather and appetite only; whatever is added up over days is an integer.

Tests: ``tests/domain/test_house_model.py``
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from hashlib import blake2b
from math import acos, cos, pi, pow, radians, sin, tan
from struct import unpack
from typing import Final

from attrs import frozen

BIRTH: Final = date(2015, 1, 1).toordinal()
"""The day on which the meter was put in, all of its registers at 0; nothing flows before it."""

STEP_S: Final = 10
"""Power is constant for ten seconds, counted from local midnight."""

STEPS_PER_HOUR: Final = 3600 // STEP_S

PHASE_W: Final = 3680
"""What the car's charger takes from each phase that it uses: 16 A."""

HEAT_PUMP_W: Final = 950

PANELS_W: Final = 3400
"""What the panels give when the sun stands straight above them."""

LATITUDE: Final = radians(52.1)
TILT: Final = radians(35)
"""How steeply the panels look south."""

DISHWASHER_WH: Final = 850
LAUNDRY_WH: Final = 815


@frozen
class Charging:
    """The car's night, which begins at 23:00 with the low tariff and may go on after midnight."""

    phases: int
    """How many phases its charger uses: 1 or 3; 0 when the car is not plugged in."""

    wait: int
    """Steps from 23:00 to the begin of charging."""

    steps: int
    """How long it charges."""

    @property
    def before_midnight(self) -> int:
        """Steps of charging on the day on which it begins."""
        return min(self.steps, STEPS_PER_HOUR - self.wait)

    @property
    def after_midnight(self) -> int:
        """Steps of charging on the next day, from midnight on."""
        return self.steps - self.before_midnight


PARKED: Final = Charging(phases=0, wait=0, steps=0)


@frozen
class Season:
    """What a time of the year brings, in every year alike."""

    temperature: float
    """The day's mean in an average year, in degrees Celsius."""

    clearness: float
    """What the day's is on an average day."""

    declination: float
    """The sun's, in radians."""

    sunset: float
    """How far the sun turns from noon to sunset, in radians: a quarter of a turn in March, a third in June."""

    clear_sky_wh: float
    """What the panels give on a day without a cloud."""


@frozen
class Day:
    """A day before its hours are known."""

    number: int
    """Ordinal of the date."""

    weekend: bool
    """Saturday or Sunday: tariff 1 all day, and somebody at home."""

    season: Season

    temperature: float
    """Mean of the day, in degrees Celsius."""

    clearness: float
    """0 (fog all day) to 1 (not a cloud)."""

    at_home: float
    """0 to 1: how much of the working hours somebody is at home."""

    dishwasher: bool
    laundry: bool
    showers: int


@frozen
class Budget:
    """What a day adds to the registers, the car left out: its energy is known to the step anyway."""

    delivered_1: int
    delivered_2: int
    returned_1: int
    returned_2: int
    """All four in watt steps: W, each for ``STEP_S`` seconds."""

    gas: int
    """In dm³."""


WORD: Final = 2**32

YEAR_DAYS: Final = 365.2425

NOTHING: Final = Budget(0, 0, 0, 0, 0)


@lru_cache(maxsize=64)
def _draws(seed: int, number: int) -> tuple[float, ...]:
    """Eight numbers from 0 to 1 that belong to this day for ever.

    A hash, since a ``random.Random`` takes ten times as long to seed, and a start asks for thousands of days.
    """
    a, b, c, d, e, f, g, h = unpack(">8I", blake2b(b"%d/%d" % (seed, number), digest_size=32).digest())
    return a / WORD, b / WORD, c / WORD, d / WORD, e / WORD, f / WORD, g / WORD, h / WORD


@lru_cache(maxsize=64)
def charging_of(seed: int, number: int) -> Charging:
    """How the car charges in the night that begins on the day ``number``."""
    plugged, length, begin = _draws(seed, number)[5:8]
    if plugged > 0.32 or number < BIRTH:
        return PARKED
    phases = 1 if plugged < 0.1 else 3
    return Charging(phases=phases, wait=int(begin * 240), steps=240 + int(length * (720 if phases == 1 else 240)))


@lru_cache(maxsize=366)
def season_of(day_of_year: int) -> Season:
    """The season some days after New Year: the sun's height over the panels, integrated from noon to dusk, and air."""
    angle = 2 * pi * day_of_year / YEAR_DAYS
    declination = -radians(23.44) * cos(angle + 0.17)
    sine, cosine = sin(declination), cos(declination)
    sunset, behind = (acos(-tan(slope) * tan(declination)) for slope in (LATITUDE, LATITUDE - TILT))
    facing = min(sunset, behind)
    height = facing * sine * sin(LATITUDE - TILT) + cosine * cos(LATITUDE - TILT) * sin(facing)
    noon = sine * sin(LATITUDE) + cosine * cos(LATITUDE)
    air = (0.8 + 0.2 * noon) * air_at(noon)
    return Season(
        temperature=10.7 - 7.4 * cos(angle - 0.33),
        clearness=0.44 - 0.14 * cos(angle),
        declination=declination,
        sunset=sunset,
        clear_sky_wh=PANELS_W * 24 / pi * height * air,
    )


def air_at(height: float) -> float:
    """What the air lets through of a sun that stands at this sine over the horizon."""
    return pow(min((height + 0.02) / 0.5, 1.0), 0.7)


def day_of(seed: int, number: int) -> Day:
    """Weather and habits of the day ``number``; its weather remembers the two days before."""
    today, yesterday, before = _draws(seed, number), _draws(seed, number - 1), _draws(seed, number - 2)
    season = season_of(int((number - BIRTH) % YEAR_DAYS))
    return Day(
        number=number,
        weekend=number % 7 in (6, 0),
        season=season,
        temperature=season.temperature + 7.0 * (today[0] + yesterday[0] + before[0]) - 10.5,
        clearness=season.clearness * (0.1 + 1.4 * (0.65 * today[1] + 0.35 * yesterday[1])),
        at_home=today[2],
        dishwasher=today[3] < 0.6,
        laundry=today[3] % 0.2 < 0.08,
        showers=1 + int(4 * today[4]),
    )


def budget_of(day: Day) -> Budget:
    """What the day takes and returns.

    The part of the sun's energy that meets a load is taken to be sun × load / (sun + load) of the daylight hours:
    near enough to what comes out of the hours, and never more than either.
    """
    if day.number < BIRTH:
        return NOTHING
    heat_pump = heat_pump_wh(day)
    night = 1390 + heat_pump / 3
    load = 7600 + heat_pump + DISHWASHER_WH * day.dishwasher + LAUNDRY_WH * day.laundry
    load += 600 if day.weekend else 1035 * day.at_home
    sun = sun_wh(day)
    light = min(day.season.sunset * 24 / pi, 15.0) / 24 * load
    kept = sun * light / (sun + light)
    low, normal = (load - kept, 0.0) if day.weekend else (night, load - kept - night)
    returned_1, returned_2 = (sun - kept, 0.0) if day.weekend else (0.0, sun - kept)
    return Budget(
        delivered_1=int(low * STEPS_PER_HOUR),
        delivered_2=int(normal * STEPS_PER_HOUR),
        returned_1=int(returned_1 * STEPS_PER_HOUR),
        returned_2=int(returned_2 * STEPS_PER_HOUR),
        gas=rooms_dm3(day) + water_dm3(day),
    )


def heat_pump_wh(day: Day) -> float:
    """What the heat pump takes; in hard frost it leaves the rest to the gas boiler."""
    return 290 * min(max(16.0 - day.temperature, 0.0), 18.0)


def rooms_dm3(day: Day) -> int:
    """What the boiler burns to warm the rooms."""
    cold = max(15.5 - day.temperature, 0.0)
    return int(290 * cold + 60 * max(cold - 13.0, 0.0))


def water_dm3(day: Day) -> int:
    """What the boiler burns for showers and the kitchen tap."""
    return 170 * day.showers + 130


def sun_wh(day: Day) -> float:
    """What the panels give behind the day's clouds."""
    return day.season.clear_sky_wh * (0.95 * day.clearness + (1 - day.clearness) * (0.155 + 0.2 * day.clearness))
