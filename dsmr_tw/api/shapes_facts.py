"""Responsible for the names and forms in JSON of what meters date themselves, and of their M-Bus devices.

Field names are known here and in the other ``shapes`` modules, and in no other file.
Domain values in, dictionaries for JSON out; powers are decimals of three places in strings, in kW.

Tests: ``tests/api/test_facts.py``, ``tests/api/test_devices.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dsmr_tw.api.shapes import Json, ShowInstant
from dsmr_tw.domain.facts import MONTHS
from dsmr_tw.domain.obis import DEVICE_TYPES
from dsmr_tw.domain.reading import SECOND, MonthPeak
from dsmr_tw.domain.units import three_decimals
from dsmr_tw.stored import Equipment, Event

MONTH: Final = "month"
"""The field that peaks are listed by."""

ENDED_AT: Final = "ended_at"
"""The field that events are listed by."""

ID: Final = "id"
"""The field that devices are listed by."""


def peak(value: MonthPeak, show: ShowInstant) -> Json:
    """The highest quarter of a month; its id is how many months have been since 1970."""
    month = MONTHS.day_of(value.month_at)
    return {
        ID: (month.year - 1970) * 12 + month.month - 1,
        MONTH: month.isoformat(),
        "read_at_end": show(value.at),
        "average_delivered": three_decimals(value.power),
    }


def event(value: Event, show: ShowInstant) -> Json:
    """A power failure; its id is how many seconds had been since 1970 when it ended."""
    return {
        ID: value.at // SECOND,
        "kind": value.kind,
        "started_at": None if value.seconds is None else show(value.at - value.seconds * SECOND),
        ENDED_AT: show(value.at),
        "seconds": value.seconds,
    }


def device(value: Equipment, show: ShowInstant) -> Json:
    """An M-Bus device."""
    kind = DEVICE_TYPES.get(value.device_type)
    return {
        ID: value.id,
        "type": None if kind is None else kind.meaning,
        "unit": None if kind is None else kind.unit,
        "channel": value.channel,
        "equipment_id": value.printed_id,
        "first_seen_at": show(value.first_seen_at),
        "last_seen_at": show(value.last_seen_at),
    }


def ordered(devices: Sequence[Equipment], descending: bool) -> list[Equipment]:
    """Devices in the order of a list."""
    return sorted(devices, key=lambda each: each.id, reverse=descending)
