"""Responsible for what of a telegram is stored: one reading, the values of M-Bus devices, and the meter's own counts.

A telegram needs one register 1.8.x or one value of an M-Bus device.
Totals stand for tariff 1 where a meter prints no tariffs; return registers and powers that it lacks are 0, all else
that it lacks is ``None``.
A telegram without a clock, or with one that was never set, is dated by its arrival.
M-Bus devices are known by what they measure, not by their channel; a value without a time of its own is not taken,
since nobody knows when it was right.

Tests: ``tests/domain/test_arrival.py``
"""

from __future__ import annotations

from collections.abc import Mapping

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.obis import DEVICE_TYPES, TYPE_OF_UNIT
from dsmr_tw.domain.parse import Device, Telegram
from dsmr_tw.domain.reading import Arrival, DeviceReading, MeterStatistics, Origin, Reading
from dsmr_tw.errors import TelegramError


def arrival(telegram: Telegram, origin: Origin, received_at: int, zone: MeterZone) -> Arrival:
    """The telegram as an intake takes it.

    Raises: ``TelegramError`` when nothing in it can be stored.
    """
    at = clock_of(telegram, zone)
    reading = _reading(telegram.numbers, received_at if at is None else at)
    devices = _device_readings(telegram.measuring, zone)
    if reading is None and not devices:
        raise TelegramError("Nothing measurable in it: neither a register 1.8.x nor a value of an M-Bus device")
    return Arrival(
        origin,
        received_at,
        reading,
        devices,
        telegram.texts.get("equipment_id"),
        _statistics(telegram),
        telegram.raw.text,
        zone.name,
    )


def clock_of(telegram: Telegram, zone: MeterZone) -> int | None:
    """The instant that the telegram gives itself; ``None`` when its clock is absent or was never set."""
    printed = telegram.texts.get("clock")
    return None if printed is None else zone.clock(printed)


def _reading(values: Mapping[str, int], at: int) -> Reading | None:
    """The electricity values; ``None`` without a register of what was delivered."""
    get = values.get
    if "delivered_1" in values or "delivered_2" in values:
        delivered_1, delivered_2 = get("delivered_1", 0), get("delivered_2", 0)
    elif "delivered_total" in values:
        delivered_1, delivered_2 = values["delivered_total"], 0
    else:
        return None
    if "returned_1" in values or "returned_2" in values:
        returned_1, returned_2 = get("returned_1", 0), get("returned_2", 0)
    else:
        returned_1, returned_2 = get("returned_total", 0), 0
    return Reading(
        at,
        delivered_1,
        returned_1,
        delivered_2,
        returned_2,
        get("currently_delivered", 0),
        get("currently_returned", 0),
        (get("power_delivered_l1"), get("power_delivered_l2"), get("power_delivered_l3")),
        (get("power_returned_l1"), get("power_returned_l2"), get("power_returned_l3")),
        (get("voltage_l1"), get("voltage_l2"), get("voltage_l3")),
        (get("current_l1"), get("current_l2"), get("current_l3")),
    )


def _statistics(telegram: Telegram) -> MeterStatistics:
    get = telegram.numbers.get
    return MeterStatistics(
        telegram.texts.get("version"),
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
    kind = device.type or TYPE_OF_UNIT.get(position.unit, 0)
    known = DEVICE_TYPES.get(kind)
    if known is None or position.unit not in ("", known.unit):
        return None
    return DeviceReading(at, position.value, kind, device.channel, device.equipment_id)
