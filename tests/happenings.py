"""What may happen to a meter and to the devices behind it, as data, and how it goes into the truth.

Nothing that happens may be open to doubt, or the truth would be: eleven good readings stand between two events, a swap
without ids goes to lower registers, a glitch can't be true of the moment it stands in, and of a counter of whole kWh
only one register moves at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from attrs import evolve, frozen

from dsmr_tw.domain.localtime import instant_of
from dsmr_tw.domain.pace import Pace
from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from tests.arrivals import MINUTE
from tests.truth import NOTHING, Positions, Registers

OF_METERS: Final = Pace(60_000, MINUTE, 15 * MINUTE, stays=False)
OF_DEVICES: Final = Pace(40_000, 5 * MINUTE, 3 * HOUR, stays=True)
"""What the rules say of electricity, and of gas and water."""

MOMENTS: Final = [
    instant_of(datetime(*moment, tzinfo=UTC))
    for moment in (
        (2024, 4, 2, 10),
        (2024, 3, 31, 1),  # the clocks of Amsterdam go forward
        (2024, 3, 31, 22),  # there ends the month
        (2024, 10, 27, 1),  # the clocks go back
        (2024, 10, 31, 23),
        (2024, 2, 29, 23),
        (2024, 12, 31, 23),
        (2020, 1, 1, 8),
    )
]
"""Something happens to the calendar about then."""

GAPS: Final = [
    *(7 * MINUTE, 16 * MINUTE, 45 * MINUTE, 150 * MINUTE, 3 * HOUR, 200 * MINUTE, 7 * HOUR, 26 * HOUR),
    *(4 * DAY, 19 * DAY),
]

INTERVALS: Final = [MINUTE, 10 * SECOND, SECOND, 5 * MINUTE, 15 * MINUTE, HOUR]

FLOWS: Final[list[Positions]] = [
    (420, 0, 0, 0),
    (0, 0, 3_517, 0),
    (0, 1_999, 0, 0),
    NOTHING,
    (0, 0, 0, 733),
    (11_003, 0, 0, 0),
]
"""What goes through electricity registers, in W."""

MIXED_FLOWS: Final[list[Positions]] = [(311, 47, 0, 0), (0, 90, 1_201, 13)]
"""Through several of them at once."""

DEVICE_FLOWS: Final[list[Positions]] = [(1_307, 0, 0, 0), NOTHING, (240, 0, 0, 0), (3_999, 0, 0, 0)]
"""What goes through a device, in dm³ an hour."""

Event: TypeAlias = tuple[object, ...]
"""``("gap", duration)``, ``("glitch", what it looks like, ...)`` or ``("swap", how long it takes, to what)``."""

WRONG: Final = ["a little lower", "much lower", "zero", "just too fast", "far too fast"]
"""What one reading of a glitch looks like."""

EVENTS: Final[list[Event]] = [
    *(("gap", duration) for duration in GAPS),
    *(("glitch", first) for first in WRONG),
    *(("glitch", first, second) for first in WRONG for second in WRONG),
    *(("glitch", "zero", "far too fast", third) for third in WRONG),
    *(("swap", delay, to) for delay in (0, *GAPS[:8]) for to in ("lower", "other id", "first id", "higher")),
]


@frozen
class Step:
    """Something happens, then the registers go on calmly. To new registers nothing happens."""

    event: Event
    readings: int
    interval: int
    """Between readings; those of a device have its own."""
    flow: int
    """Which of the flows."""


@frozen
class Meter:
    """What a meter is like."""

    begins_at: int
    whole: bool
    """It prints whole kWh."""
    ids: int
    """0: it prints its id in each telegram; 1: in most; 2: never."""
    waiting: int
    """So many wrong readings come at the end."""
    steps: list[Step]


@frozen
class Device:
    """What an M-Bus device is like."""

    device_type: int
    named: bool
    """It prints an id; if not, it is known by its channel."""
    period: int
    """Between its readings."""
    after: int
    """Its first one comes so much after the meter's first, or after the last of the device before it."""
    waiting: int
    steps: list[Step]


def of_meter(meter: Meter) -> Registers:
    """What happened to a meter."""
    flows = FLOWS if meter.whole else FLOWS + MIXED_FLOWS
    name = None if meter.ids == 2 else "METER-0"
    begin = (57_123_456, 41_000_001, 63_999_999, 40_000_500)
    registers = Registers(OF_METERS, meter.begins_at, begin, name, meter.whole)
    for number, step in enumerate(meter.steps):
        _happen(registers, step, flows, number)
        registers.calm(step.readings, step.interval, flows[step.flow % len(flows)], silent=meter.ids == 1)
    _wait(registers, meter.waiting, MINUTE)
    return registers


def of_device(like: Device, after: int) -> Registers:
    """What happened to a device whose first reading comes some time after an instant."""
    at = after + like.after
    registers = Registers(OF_DEVICES, at - at % like.period, (8_765_432, 0, 0, 0))
    for number, step in enumerate(like.steps):
        _happen(registers, evolve(step, interval=like.period), DEVICE_FLOWS, number)
        registers.calm(step.readings, like.period, DEVICE_FLOWS[step.flow % len(DEVICE_FLOWS)])
    _wait(registers, like.waiting, like.period)
    return registers


def _wait(registers: Registers, readings: int, interval: int) -> None:
    for _ in range(readings):
        registers.wait(NOTHING, interval, NOTHING)


def _happen(registers: Registers, step: Step, flows: Sequence[Positions], number: int) -> None:
    """Let the event of a step happen, unless the registers are new."""
    flow = flows[step.flow % len(flows)]
    match step.event:
        case _ if number == 0:
            pass
        case ("gap", int(duration)):
            registers.gap(duration - duration % step.interval, flow)
        case ("glitch", *readings):
            for looks in readings:
                registers.glitch(_wrong(registers, str(looks)), step.interval, flow)
        case ("swap", int(delay), str(to)):
            registers.gap(delay - delay % step.interval, NOTHING)
            _swap(registers, to, number)


def _swap(registers: Registers, to: str, number: int) -> None:
    """Another meter hangs there."""
    one, two, three, four = registers.positions
    name = registers.equipment_id
    if to == "lower" or name is None:
        registers.swap(name, (one // 2, two, three // 2, four))
    elif to == "first id" and name != "METER-0":
        registers.swap("METER-0", (one // 2, 0, three, four))
    elif to == "higher":
        registers.swap(f"METER-{number}", (one + 3_000_000, two + 1, three, four + 123_456))
    else:
        registers.swap(f"METER-{number}", (one, two // 2, three // 3, 0))


def _wrong(registers: Registers, looks: str) -> Positions:
    """Positions that can't be those of this moment."""
    one, two, three, four = registers.counted.positions
    return {
        "a little lower": (one - 1, two, three, four),
        "much lower": (one - 7_000, two, three, four + 7_000 * (four > 0)),
        "zero": NOTHING,
        "just too fast": (one + registers.too_far, two, three, four),
        "far too fast": (one + 100 * registers.too_far, two, three, four),
    }[looks]
