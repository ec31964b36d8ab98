"""Responsible for telegrams that nobody sent in, but that standards and habits of meters allow, made up by line."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import instant_of, meter_zone
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import Arrival, Origin, Reading
from dsmr_tw.domain.telegram import RawTelegram, outcomes_in

VERSION: Final = "1-3:0.2.8(50)"
CLOCK: Final = "0-0:1.0.0(240402120000S)"
NOON: Final = "2024-04-02T12:00:00+02:00"
ENERGY: Final = (
    "1-0:1.8.1(000100.000*kWh)",
    "1-0:1.8.2(000200.000*kWh)",
    "1-0:2.8.1(000000.001*kWh)",
    "1-0:2.8.2(000000.002*kWh)",
)
POWER: Final = ("1-0:1.7.0(00.100*kW)", "1-0:2.7.0(00.000*kW)")
ID, OTHER_ID = "4730303030303030303030303030303031", "4730303030303030303030303030303032"


def at(text: str) -> int:
    """The instant of ISO 8601 text."""
    return instant_of(datetime.fromisoformat(text))


def body(*lines: str, header: str = "/ISK5\\2M550T-1012") -> bytes:
    """The bytes from ``/`` to ``!``."""
    return "\r\n".join((header, "", *lines, "!")).encode("latin-1")


def said(data: bytes) -> Telegram:
    """What the one telegram in these bytes says, taken as from a line."""
    (outcome,) = outcomes_in(data)
    assert isinstance(outcome, RawTelegram), outcome
    return TelegramParser().parse(outcome)


def stored(data: bytes, zone: str = "Europe/Amsterdam") -> Arrival:
    """What is stored of it, had it arrived at 0."""
    return arrival(said(data), Origin("device /dev/ttyUSB0"), 0, meter_zone(zone))


def device(kind: str, value: str, channel: int = 1, printed_id: str = ID, code: str = "24.2.1") -> tuple[str, ...]:
    """The lines of an M-Bus device of 11:55."""
    return (
        f"0-{channel}:24.1.0({kind})",
        f"0-{channel}:96.1.0({printed_id})",
        f"0-{channel}:{code}(240402115500S)({value})",
    )


USUAL: Final = Reading(at(NOON), 100_000, 1, 200_000, 2, 100, 0)
