"""Responsible for what of a telegram is stored: a reading, values of M-Bus devices, the meter's own counts and facts.

A telegram needs one register 1.8.x or one value of an M-Bus device.
Totals stand for tariff 1 where a meter prints no tariffs, or counts in none; what it counts in tariffs from 3 on is
added to tariff 2, so that the sum is right.
Return registers and powers that it lacks are 0, all else that it lacks is ``None``; but the powers of its phases tell
its own where it prints those alone, and a power below zero is one that is returned.
A telegram without a clock, or with one that was never set, is dated by its arrival.
So is one whose meter's clock the owner does not trust; the times of its M-Bus devices, which that clock gave them, are
corrected by the same whole minutes, so that a value that is printed again keeps its time.
M-Bus devices are known by what they measure, not by their channel; a value without a time of its own is not taken,
since nobody knows when it was right.

Tests: ``tests/domain/test_arrival.py``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve

from dsmr_tw.domain.facts import failures, month_peaks
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.obis import DEVICE_TYPES, HEAT_IN_KWH, measured
from dsmr_tw.domain.obis_abroad import TARIFFS
from dsmr_tw.domain.parse import Device, Telegram
from dsmr_tw.domain.reading import MINUTE, NO_PHASES, Arrival, DeviceReading, MeterStatistics, Origin, Phases, Reading
from dsmr_tw.errors import TelegramError


def arrival(telegram: Telegram, origin: Origin, received_at: int, zone: MeterZone, by_arrival: bool = False) -> Arrival:
    """The telegram as an intake takes it, dated ``by_arrival`` if the meter's clock is not trusted.

    Raises: ``TelegramError`` when nothing in it can be stored.
    """
    at = clock_of(telegram, zone)
    reading = _reading(telegram.numbers, received_at if by_arrival or at is None else at)
    devices = _device_readings(telegram.measuring, zone)
    if by_arrival and at is not None:
        devices = _later(devices, received_at - at)
    if reading is None and not devices:
        raise TelegramError("Nothing measurable in it: neither a register 1.8.x nor a value of an M-Bus device")
    return Arrival(
        origin,
        received_at,
        reading,
        devices,
        telegram.equipment_id,
        _statistics(telegram),
        telegram.raw.text,
        zone.name,
        month_peaks(telegram, zone),
        failures(telegram, zone),
        by_arrival and at is not None,
    )


def _later(devices: tuple[DeviceReading, ...], microseconds: int) -> tuple[DeviceReading, ...]:
    """The values as many whole minutes later."""
    shift = (microseconds + MINUTE // 2) // MINUTE * MINUTE
    return tuple(evolve(device, at=device.at + shift) for device in devices) if shift else devices


def clock_of(telegram: Telegram, zone: MeterZone) -> int | None:
    """The instant that the telegram gives itself; ``None`` when its clock is absent or was never set."""
    printed = telegram.texts.get("clock")
    return None if printed is None else zone.clock(printed)


def _reading(values: Mapping[str, int], at: int) -> Reading | None:
    """The electricity values; ``None`` without a register of what was delivered."""
    get = values.get
    one, two, back_1, back_2 = get("delivered_1"), get("delivered_2"), get("returned_1"), get("returned_2")
    if one is None or two is None or back_1 is None or back_2 is None or not _OTHERS.isdisjoint(values):
        delivered = _positions(values, *_DELIVERED)
        if delivered is None:
            return None
        one, two = delivered
        back_1, back_2 = _positions(values, *_RETURNED) or (0, 0)
    to, by = get("currently_delivered"), get("currently_returned")
    phases_to = (get("power_delivered_l1"), get("power_delivered_l2"), get("power_delivered_l3"))
    phases_by = (get("power_returned_l1"), get("power_returned_l2"), get("power_returned_l3"))
    if to is None or by is None:
        to, by, phases_to, phases_by = _powers(to, by, phases_to, phases_by)
    return Reading(
        at,
        one,
        back_1,
        two,
        back_2,
        to,
        by,
        phases_to,
        phases_by,
        (get("voltage_l1"), get("voltage_l2"), get("voltage_l3")),
        (get("current_l1"), get("current_l2"), get("current_l3")),
    )


MJ_IN_10_KWH: Final = 36
"""Heat is stored in MJ: most meters of it count in GJ, some in kWh or MWh."""


def _further(way: str) -> tuple[str, ...]:
    return tuple(f"{way}_{tariff}" for tariff in TARIFFS)


_DELIVERED: Final = ("delivered_1", "delivered_2", "delivered_total", _further("delivered"))
_RETURNED: Final = ("returned_1", "returned_2", "returned_total", _further("returned"))
_OTHERS: Final = frozenset((*_DELIVERED[2:3], *_RETURNED[2:3], *_DELIVERED[3], *_RETURNED[3]))
"""The registers that only some meters print beside, or instead of, those of tariffs 1 and 2."""


def _positions(
    values: Mapping[str, int], first: str, second: str, total: str, others: tuple[str, ...]
) -> tuple[int, int] | None:
    """Positions 1 and 2 of one way; ``None`` when no register of it is printed."""
    one, two = values.get(first), values.get(second)
    more = [values[name] for name in others if name in values]
    if more:
        two = sum(more, two or 0)
    if not one and not two and total in values:
        return values[total], 0
    return None if one is None and two is None else (one or 0, two or 0)


def _powers(to: int | None, by: int | None, phases_to: Phases, phases_by: Phases) -> tuple[int, int, Phases, Phases]:
    """The powers of a meter that prints one way only, perhaps signed, or those of its phases only."""
    if to is None and by is None:
        net = sum(power or 0 for power in phases_to) - sum(power or 0 for power in phases_by)
        to, by = max(net, 0), max(-net, 0)
    if by is None and to is not None and to < 0:
        to, by = 0, -to
    if phases_by == NO_PHASES and any(power is not None and power < 0 for power in phases_to):
        l1, l2, l3 = phases_to
        phases_by = (_returned(l1), _returned(l2), _returned(l3))
        phases_to = (_delivered(l1), _delivered(l2), _delivered(l3))
    return to or 0, by or 0, phases_to, phases_by


def _delivered(power: int | None) -> int | None:
    return None if power is None else max(power, 0)


def _returned(power: int | None) -> int | None:
    return None if power is None else max(-power, 0)


def _statistics(telegram: Telegram) -> MeterStatistics:
    get = telegram.numbers.get
    return MeterStatistics(
        telegram.version,
        get("tariff"),
        get("power_failures"),
        get("long_power_failures"),
        (get("voltage_sags_l1"), get("voltage_sags_l2"), get("voltage_sags_l3")),
        (get("voltage_swells_l1"), get("voltage_swells_l2"), get("voltage_swells_l3")),
    )


def _device_readings(devices: list[Device], zone: MeterZone) -> tuple[DeviceReading, ...]:
    """The values that can be stored; of several devices of a type the liveliest first.

    After a change of gas meters the old one may stay on its channel for years: dead, or without an id.
    """
    readings = [reading for device in devices if (reading := _device_reading(device, zone)) is not None]
    if len(readings) > 1:
        readings.sort(key=lambda reading: (reading.equipment_id is None, -reading.at))
    return tuple(readings)


def _device_reading(device: Device, zone: MeterZone) -> DeviceReading | None:
    """The device's value; ``None`` without a time, or when nobody can say what it measures."""
    position = device.position
    at = None if position is None else zone.clock(position.time)
    if position is None or at is None:
        return None
    kind = measured(device.type, position.unit)
    if kind is None:
        return None
    value = position.value
    if (position.unit, DEVICE_TYPES[kind].unit) == HEAT_IN_KWH:
        value = value * MJ_IN_10_KWH // 10_000
    return DeviceReading(at, value, kind, device.channel, device.equipment_id)
