"""Responsible for the name of the dialect that a telegram is in: which standard, of which country.

No setting chooses it, and nothing depends on it: every line is read by its code and its form, whatever the dialect.
The name is for people, who compare it with what they know of their meter.

A header names the maker, so tells a country only where the grid's owner stands in it, as in Belgium.
Else it is the version that is printed, and lines that no other dialect has.

Source: telegrams of meters of these countries.

Tests: ``tests/domain/test_dialect.py``, ``tests/domain/test_field.py``
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from dsmr_tw.domain.line import SECOND_CHANNEL, Key, Value
from dsmr_tw.domain.printed_peaks import MonthEnd

UNKNOWN: Final = "unknown"

BELGIUM: Final = "eMUCS"
SWITZERLAND: Final = "Switzerland"
HUNGARY: Final = "Hungary"
NORDIC: Final = "Sweden or Finland"
FIRST_DUTCH: Final = "DSMR 2.2 or 3.0"
"""Nothing in a telegram tells which of the two; they are read alike."""


@frozen
class Signs:
    """What tells one dialect from all that stand behind it."""

    dialect: str

    header: re.Pattern[str] | None
    """Of the identification; ``None``: no header is its own."""

    told: frozenset[str] = frozenset()
    """Names of registers that no other dialect prints: one of them is enough."""


def _signs(dialect: str, header: str = "", told: str = "") -> Signs:
    return Signs(dialect, re.compile(header, re.IGNORECASE) if header else None, frozenset(told.split()))


SIGNS: Final = (
    _signs("Luxembourg", "Lux", "fuses fuses_by_the_text message_2 message_3 message_4 message_5"),
    _signs("Lithuania", "ESO", "voltage_any average_voltage_l1 average_voltage_l2 average_voltage_l3 last_demand_to"),
    _signs("Austria", "EST"),
    _signs("Ireland", r".*MIE\d", "delivered_5"),
    _signs("Germany, Q3D", "ESY|.*Q3D", "nameplate"),
    _signs("ACE4000", "ACE"),
    _signs("DSMR 5.0, Metcom", "MCS"),
    _signs(HUNGARY, "AUX", "breaker_text reactive_energy_q1 reactive_energy_q2 reactive_power_q1 reactive_power_q2"),
    _signs("Austria", "", "reactive_plus_1 reactive_plus_2 reactive_minus_1 reactive_minus_2"),
)
"""The first that fits holds: what a dialect prints may be part of what one before it prints."""

_BELGIAN_VERSION: Final = re.compile(r"50[0-9]{3}")
_DUTCH_VERSION: Final = re.compile(r"[0-9]{2}")


def dialect_of(identification: str, told: Mapping[Key, Value]) -> str:
    """The name of the dialect: ``DSMR 5.0``, ``eMUCS 50217``, ``Luxembourg``; ``unknown`` when nothing tells."""
    version = belgian_version(told)
    if version is not None:
        return f"{BELGIUM} {version}"
    if identification[:3].upper() == "FLU":
        return BELGIUM
    for signs in SIGNS:
        if (signs.header and signs.header.match(identification)) or not signs.told.isdisjoint(told):
            return signs.dialect
    if isinstance(told.get("peaks"), MonthEnd):
        return HUNGARY
    if any(key and key.startswith(SECOND_CHANNEL) for key in told):
        return SWITZERLAND
    return _by_version(told)


def belgian_version(told: Mapping[Key, Value]) -> str | None:
    """The version of the port as a Belgian meter prints it; others print other things under its code, or nothing."""
    version = told.get("port_version")
    return version if isinstance(version, str) and _BELGIAN_VERSION.fullmatch(version) else None


def _by_version(told: Mapping[Key, Value]) -> str:
    """The name, when nothing but version and clock are left to tell."""
    version = str(told.get("version") or "")
    if _DUTCH_VERSION.fullmatch(version):
        return f"DSMR {version[0]}.{version[1]}"
    if any(name in told for name in ("peak", "1.uncorrected", "1.second_id")):
        return BELGIUM
    if "version" in told:
        return "DSMR, version not known"
    has_tariffs = "delivered_1" in told or "delivered_2" in told
    if "clock" not in told:
        return FIRST_DUTCH if has_tariffs else UNKNOWN
    return NORDIC if "delivered_total" in told else UNKNOWN
