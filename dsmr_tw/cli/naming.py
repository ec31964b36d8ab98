"""Responsible for how a person names equipment and instants, and for how they are named to a person.

Tests: ``tests/cli/test_meters.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from dsmr_tw.cli.parse import printable
from dsmr_tw.domain.localtime import MeterZone, instant_of
from dsmr_tw.domain.obis import DEVICE_TYPES
from dsmr_tw.errors import SettingsError
from dsmr_tw.stored import Equipment

ELECTRICITY: Final = "electricity"


def equipment_named(known: Sequence[Equipment], wanted: str) -> Equipment:
    """The equipment that prints this id, else the one with this number.

    Raises: ``SettingsError``
    """
    printing = [one for one in known if one.printed_id == wanted]
    if len(printing) > 1:
        numbers = ", ".join(str(one.id) for one in printing)
        raise SettingsError(f"{wanted!r} is printed by several: name one by its number: {numbers}.")
    numbered = (one for one in known if str(one.id) == wanted)
    found = next(iter(printing), None) or next(numbered, None)
    if found is None:
        raise SettingsError(f"There is no equipment {wanted!r}; `dsmr meters` lists what there is.")
    return found


def instant_named(text: str, zone: MeterZone) -> int:
    """The instant of a time as a person writes it: with its offset, else in the meter's zone.

    Raises: ``SettingsError``
    """
    try:
        moment = datetime.fromisoformat(text)
        return zone.from_local(moment) if moment.tzinfo is None else instant_of(moment)
    except ValueError as error:
        raise SettingsError(
            f"{text!r} is no time here: write it like 2024-10-27T02:30:00+02:00. Without an offset it is local time "
            f"({zone.name}), and then must be neither in the hour that comes twice nor in the one that never comes."
        ) from error


def kind_of(equipment: Equipment) -> str:
    """What some equipment measures."""
    if equipment.device_type == 0:
        return ELECTRICITY
    known = DEVICE_TYPES.get(equipment.device_type)
    return f"type {equipment.device_type}" if known is None else known.meaning


def id_of(equipment: Equipment) -> str:
    """The id that some equipment prints, safe to show; empty when it prints none."""
    return "" if equipment.printed_id is None else printable(equipment.printed_id)


def name_of(equipment: Equipment) -> str:
    """Some equipment in a sentence: ``gas G0012``."""
    return f"{kind_of(equipment)} {id_of(equipment) or f'without an id (number {equipment.id})'}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as lines, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
