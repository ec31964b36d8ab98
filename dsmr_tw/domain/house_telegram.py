"""Responsible for what the demo house's meter shows as a telegram, byte for byte as a DSMR 5 meter prints it.

Source: P1 Companion Standard 5.0.2, §6.12.

Tests: ``tests/test_demo.py``
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attrs import frozen
from fastcrc.crc16 import arc

from dsmr_tw.domain.house import Moment
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import SECOND

MINUTE: Final = 60 * SECOND

_LINES: Final = (
    b"/DEM5\\dsmr_tw demo house",
    b"",
    b"1-3:0.2.8(50)",
    b"0-0:1.0.0(%b)",
    b"0-0:96.1.1(%b)",
    b"1-0:1.8.1(%06d.%03d*kWh)",
    b"1-0:1.8.2(%06d.%03d*kWh)",
    b"1-0:2.8.1(%06d.%03d*kWh)",
    b"1-0:2.8.2(%06d.%03d*kWh)",
    b"0-0:96.14.0(%04d)",
    b"1-0:1.7.0(%02d.%03d*kW)",
    b"1-0:2.7.0(%02d.%03d*kW)",
    # Installed, tried, and tried again before the house was lived in: no failure while it counts.
    b"0-0:96.7.21(00003)",
    b"0-0:96.7.9(00002)",
    b"1-0:99.97.0(2)(0-0:96.7.19)(141217134522W)(0000002913*s)(141216101507W)(0000000241*s)",
    b"1-0:32.32.0(00002)",
    b"1-0:52.32.0(00001)",
    b"1-0:72.32.0(00000)",
    b"1-0:32.36.0(00000)",
    b"1-0:52.36.0(00000)",
    b"1-0:72.36.0(00001)",
    b"0-0:96.13.0()",
    *(b"1-0:%d.7.0(%%03d.%%d*V)" % phase for phase in (32, 52, 72)),
    *(b"1-0:%d.7.0(%%03d*A)" % phase for phase in (31, 51, 71)),
    *(b"1-0:%d.7.0(%%02d.%%03d*kW)" % phase for phase in (21, 41, 61)),
    *(b"1-0:%d.7.0(%%02d.%%03d*kW)" % phase for phase in (22, 42, 62)),
    b"0-1:24.1.0(003)",
    b"0-1:96.1.0(%b)",
    b"0-1:24.2.1(%b)(%05d.%03d*m3)",
    b"!",
)
_FORM: Final = b"\r\n".join(_LINES)


@frozen
class Nameplate:
    """The equipment ids of the house's meters, as a telegram prints them: the hexadecimal digits of their text."""

    electricity: bytes
    gas: bytes


def nameplate_of(seed: int) -> Nameplate:
    """The ids of the house that a seed tells of: ``E0000DEMO`` and ``G0000DEMO``, then the seed."""
    electricity, gas = (f"{letter}0000DEMO{seed:08d}".encode().hex().upper().encode() for letter in "EG")
    return Nameplate(electricity, gas)


def print_telegram(moment: Moment, at: int, nameplate: Nameplate, zone: MeterZone) -> bytes:
    """From ``/`` to the line end behind the CRC, what the meter prints at an instant."""
    taken = (moment.power, *moment.powers)
    power, *powers = [max(watts, 0) for watts in taken]
    returned, *powers_returned = [max(-watts, 0) for watts in taken]
    body = _FORM % (
        _clock(zone, at),
        nameplate.electricity,
        *_parts(1000, moment.delivered_1, moment.delivered_2, moment.returned_1, moment.returned_2),
        moment.tariff,
        *_parts(1000, power, returned),
        *_parts(10, *(millivolts // 100 for millivolts in moment.voltages)),
        *(milliamperes // 1000 for milliamperes in moment.currents),
        *_parts(1000, *powers, *powers_returned),
        nameplate.gas,
        _clock(zone, moment.gas_at),
        *_parts(1000, moment.gas),
    )
    return b"%b%04X\r\n" % (body, arc(body))


@lru_cache(maxsize=64)
def _minute(zone: MeterZone, minute: int) -> tuple[bytes, bytes]:
    """A minute's local time without its seconds, and the flag with which it reads as this minute again."""
    instant = minute * MINUTE
    digits = zone.local(instant).strftime("%y%m%d%H%M")
    flag = "W" if zone.clock(f"{digits}00W") == instant else "S"
    return digits.encode(), flag.encode()


def _clock(zone: MeterZone, instant: int) -> bytes:
    """Local time as a meter prints it: ``YYMMDDhhmmss`` and ``S`` in summer, ``W`` in winter."""
    minute, rest = divmod(instant, MINUTE)
    digits, flag = _minute(zone, minute)
    return b"%b%02d%b" % (digits, rest // SECOND, flag)


def _parts(whole: int, *values: int) -> list[int]:
    """What stands before and behind the decimal point of each value."""
    return [part for value in values for part in divmod(value, whole)]
