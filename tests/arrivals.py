"""Arrivals for tests: a telegram heard on a cable, a reading posted with a key, and the instants they stand at.

Nothing here is random: the same call gives the same value, and what a test does not name is what a quiet house would
say.
"""

from __future__ import annotations

from typing import Any

from dsmr_tw.domain.reading import GAS, SECOND, Arrival, DeviceReading, MeterStatistics, Origin, Reading

MINUTE = 60 * SECOND
QUARTER = 15 * MINUTE

NOON = 1_712_052_000 * SECOND
"""2024-04-02T10:00:00Z, noon in Amsterdam."""

CABLE = Origin("device /dev/ttyUSB0")
SECOND_CABLE = Origin("device /dev/ttyUSB1")
KEY = Origin("key 1")

METER = "ELECTRICITY-A"
OTHER_METER = "ELECTRICITY-B"
THIRD_METER = "ELECTRICITY-C"
GAS_METER = "GAS-A"
OTHER_GAS_METER = "GAS-B"

WATER = 7
"""The M-Bus device type of water; EN 13757-3."""

QUIET = MeterStatistics("50", 2, 4, 2, (1, 0, 0), (0, 0, 1))
"""What a meter says about itself."""


def reading(at: int = NOON, **values: Any) -> Reading:
    """A three-phase reading; its positions grow with its instant, by 400 W in tariff 2."""
    house: dict[str, Any] = {
        "delivered_1": 1_000_000,
        "returned_1": 0,
        "delivered_2": 2_000_000 + max(0, at - NOON) // SECOND // 9,
        "returned_2": 500,
        "currently_delivered": 400,
        "currently_returned": 0,
        "powers_delivered": (300, 100, 0),
        "powers_returned": (0, 0, 0),
        "voltages": (230_100, 229_900, 231_000),
        "currents": (1_000, 0, 0),
    }
    return Reading(at, **{**house, **values})


def gas(
    at: int = NOON, value: int = 500_000, equipment_id: str | None = GAS_METER, channel: int | None = 1
) -> DeviceReading:
    """A value of a gas meter in dm³."""
    return DeviceReading(at, value, GAS, channel, equipment_id)


def posted_gas(at: int = NOON, value: int = 500_000) -> DeviceReading:
    """A gas value as a v2 POST has it: nobody says of which gas meter."""
    return gas(at, value, None, None)


def water(at: int = NOON, value: int = 90_000, equipment_id: str | None = "WATER-A", channel: int = 2) -> DeviceReading:
    """A value of a water meter in dm³."""
    return DeviceReading(at, value, WATER, channel, equipment_id)


def heard(
    at: int = NOON,
    *devices: DeviceReading,
    received_at: int | None = None,
    origin: Origin = CABLE,
    equipment_id: str | None = METER,
    statistics: MeterStatistics = QUIET,
    telegram: str = "/TST5\\a quiet house\r\n\r\n!0000",
    **values: Any,
) -> Arrival:
    """A telegram that a cable brought; it arrives at its own instant unless ``received_at`` says otherwise."""
    return Arrival(
        origin,
        at if received_at is None else received_at,
        reading(at, **values),
        devices,
        equipment_id,
        statistics,
        telegram,
    )


def devices_only(
    received_at: int, *devices: DeviceReading, origin: Origin = CABLE, equipment_id: str | None = None
) -> Arrival:
    """A telegram of a meter that measures no electricity."""
    return Arrival(origin, received_at, None, devices, equipment_id, QUIET, "/TST5\\heat only\r\n\r\n!0000")


def posted(
    at: int = NOON, *devices: DeviceReading, received_at: int | None = None, origin: Origin = KEY, **values: Any
) -> Arrival:
    """A v2 POST; it arrives at its own instant unless ``received_at`` says otherwise."""
    return Arrival(origin, at if received_at is None else received_at, reading(at, **values), devices)
