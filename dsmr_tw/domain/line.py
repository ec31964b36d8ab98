"""Responsible for one line of a telegram: its code, its value, or the admission that it is not understood.

Nothing is guessed: a line whose code is in no row of ``obis.py`` and ``obis_abroad.py``, or whose value is not printed
as its row says, is unknown. Only a *measured* value that cannot be read is an error, for the account would rest on it.

Source: P1 Companion Standard 5.0.2, §6.4 and §6.12; 3.0 for values on a line of their own.

Tests: ``tests/domain/test_line.py``
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import frozen

from dsmr_tw.domain.obis import DEVICE_REGISTERS, REGISTERS, Kind, Register
from dsmr_tw.domain.obis_abroad import ABROAD
from dsmr_tw.domain.printed_peaks import MonthEnd, PrintedPeak, read_past_months, read_peak
from dsmr_tw.domain.units import quantity, whole_number
from dsmr_tw.errors import TelegramError


@frozen
class PowerFailure:
    """An entry of the log of long power failures."""

    ended: str
    """When it ended, as printed: ``180417201458S``."""

    seconds: int
    """How long it was; nearly every Kaifa prints one of 2147483647."""


@frozen
class Position:
    """What an M-Bus device shows, and since when."""

    time: str
    """The device's own time, as printed; without a flag before DSMR 4."""

    value: int
    """In thousandths of the unit."""

    unit: str
    """``m3``, ``GJ``, ``kWh``; empty when none is printed."""


@frozen
class Currents:
    """One or two limits of the current."""

    limits: tuple[int, ...]
    """In mA; the second one, by the client, below zero."""


CHANNELS: Final = range(1, 6)
"""The M-Bus channels that a meter has: four, in some countries five."""

Entries: TypeAlias = tuple[PowerFailure, ...] | tuple[PrintedPeak, ...]

Value: TypeAlias = int | str | Position | PrintedPeak | MonthEnd | Currents | Entries | None

Key: TypeAlias = str | None
"""What a line tells: the name of its register; if it is about an M-Bus device with the channel, ``1.position``; if it
has the code of a meter's second channel, ``1-1.delivered_1``.

Of a line without a row: ``None`` when it is unknown, ``""`` when it is blank.
"""


SECOND_CHANNEL: Final = "1-1."
"""Before the name of a register whose code begins with ``1-1:``, as all those of some Swiss meters do."""


@frozen
class Row:
    """A register as a line may print it."""

    register: Register

    channel: int
    """Of the M-Bus device, 1 to 5; 0: the meter itself."""

    key: Key

    unit: bytes
    """As it is usually printed, for a register of thousandths of it; empty for others."""


def understood(text: bytes) -> tuple[Row | None, Value, str]:
    """Row, value and unit of a line.

    Raises: ``TelegramError`` when it is a measured value that cannot be read.
    """
    usual = _usual(text)
    if usual is not None:
        code, whole, fraction, printed = usual.groups()
        row = _ROWS.get(code)
        if row is not None and row.unit == printed:
            return row, int(whole + (fraction or b"").ljust(3, b"0")), row.register.unit or ""
    text = text.strip(_PADDING)
    code, _, rest = text.partition(b"(")
    row = _ROWS.get(code) or _ROWS.get(_plain(code))
    if row is None:
        return None, None, ""
    register = row.register
    if b" " in rest and register.kind is not Kind.TEXT:
        rest = _spaces(b"", rest)
    try:
        if rest[-1:] != b")":
            raise ValueError(text)
        value, unit = _READERS[register.kind](rest[:-1], register)
    except ValueError:
        if register.kind is Kind.MEASURED:
            raise TelegramError(f"Line {shown(text)[:80]!r} cannot be read: {register.meaning}") from None
        return None, None, ""
    return row, value, unit


def told_by(text: bytes) -> tuple[Key, Value]:
    """What a line tells. Raises: as ``understood``."""
    row, value, _ = understood(text)
    if row is None:
        return None if text.strip(_PADDING) else "", None
    return row.key, value


def shown(text: bytes) -> str:
    """A line as text, without its end."""
    return text.strip(_PADDING).decode("latin-1")


_PADDING: Final = b"\r\0 "

_usual: Final = re.compile(rb"([-:.0-9]+)\(([0-9]{1,9})(?:\.([0-9]{1,3}))?\*([A-Za-z]+)\)\r?").fullmatch
"""Recognises what nearly all lines are that change: a quantity as the standard prints it. Only a short cut."""


_spaces: Final = re.compile(rb"^ ++|(?<=[()*,]) ++|(?<! ) ++(?=[()*,A-Za-z]|$)").sub
"""Takes away the spaces around a value and its unit: some meters print ``00007137.694*kWh )``.

It looks at no space twice, however many there are.
"""


def equipment_id(text: str) -> str | None:
    """The printed id as it stands; ``None`` when it is missing, masked, or one filler throughout."""
    octets = {text[start : start + 2] for start in range(0, len(text), 2)}
    return text if len(octets) > 1 and len(set(text)) > 1 and set(text) <= _HEX_DIGITS else None


def serial_number(text: str) -> str | None:
    """The same of a nameplate's number, in which all letters may stand but the one that numbers are masked with."""
    usable = text.isascii() and text.isalnum() and "x" not in text.lower() and len(set(text)) > 1
    return text if usable else None


_HEX_DIGITS: Final = frozenset("0123456789ABCDEFabcdef")


def _plain(code: bytes) -> bytes:
    """A code as the table spells it; meters in the field also print ``1-0:72:32.0`` and ``1-0:31.7.0.255``."""
    medium, colon, register = code.replace(b" ", b"").partition(b":")
    return medium + colon + register.replace(b":", b".").removesuffix(b".255").removesuffix(b"*255")


def _quantity(text: bytes, register: Register) -> tuple[Value, str]:
    return quantity(text, register.unit)


def _count(text: bytes, register: Register) -> tuple[Value, str]:
    return whole_number(text), ""


def _text(text: bytes, register: Register) -> tuple[Value, str]:
    return text.decode("latin-1"), ""


def _equipment_id(text: bytes, register: Register) -> tuple[Value, str]:
    return equipment_id(text.decode("latin-1")), ""


def _serial(text: bytes, register: Register) -> tuple[Value, str]:
    return serial_number(text.decode("latin-1")), ""


def _peak(text: bytes, register: Register) -> tuple[Value, str]:
    return read_peak(text), ""


def _peaks(text: bytes, register: Register) -> tuple[Value, str]:
    return read_past_months(text), ""


def _currents(text: bytes, register: Register) -> tuple[Value, str]:
    return Currents(tuple(quantity(group, "A")[0] for group in text.replace(b")(", b",").split(b","))), ""


def _failures(text: bytes, register: Register) -> tuple[Value, str]:
    """The entries that are there: some meters print how many there should be, and none of them."""
    groups = text.split(b")(")[2:]
    entries = zip(groups[::2], groups[1::2], strict=True)
    return tuple(PowerFailure(end.decode("latin-1"), whole_number(s.removesuffix(b"*s"))) for end, s in entries), ""


def _device_value(text: bytes, register: Register) -> tuple[Value, str]:
    time, printed = text.split(b")(")
    value, unit = quantity(printed, None)
    return Position(time.decode("latin-1"), value, unit), unit


def _device_value_30(text: bytes, register: Register) -> tuple[Value, str]:
    time, _status, _period, _number, _code, unit, printed = text.split(b")(")
    if unit and b"*" not in printed:
        printed += b"*" + unit
    return _device_value(time + b")(" + printed, register)


def _unit(register: Register) -> bytes:
    return (register.unit or "").encode() if register.kind in (Kind.MEASURED, Kind.NUMBER) else b""


_READERS: Final[dict[Kind, Callable[[bytes, Register], tuple[Value, str]]]] = {
    Kind.MEASURED: _quantity,
    Kind.NUMBER: _quantity,
    Kind.COUNT: _count,
    Kind.TEXT: _text,
    Kind.EQUIPMENT_ID: _equipment_id,
    Kind.SERIAL: _serial,
    Kind.PEAK: _peak,
    Kind.PEAKS: _peaks,
    Kind.CURRENTS: _currents,
    Kind.FAILURES: _failures,
    Kind.DEVICE_VALUE: _device_value,
    Kind.DEVICE_VALUE_30: _device_value_30,
}

_METER: Final = {**REGISTERS, **ABROAD}

_ROWS: Final[dict[bytes, Row]] = {
    **{
        code.replace("1-0:", "1-1:").encode(): Row(register, 0, f"{SECOND_CHANNEL}{register.name}", _unit(register))
        for code, register in _METER.items()
        if code.startswith("1-0:")
    },
    **{code.encode(): Row(register, 0, register.name, _unit(register)) for code, register in _METER.items()},
    **{
        code.replace("n", str(channel)).encode(): Row(register, channel, f"{channel}.{register.name}", b"")
        for code, register in DEVICE_REGISTERS.items()
        for channel in CHANNELS
    },
}
"""Every code as meters print it."""
