"""Responsible for the meaning of a telegram: all that stands in it, by name.

Lines that are not understood are kept and counted; the only exception that leaves the parser is ``TelegramError``, for
a measured value that cannot be read, whatever the bytes.
The position of an M-Bus device is understood when it is known what the device measures: its line is counted, too, when
the device's type is none that is known, or its unit another than that of its type.

From one telegram to the next most lines of a meter stay the same, and values come back.
So the parser remembers the lines that it has understood; its memory is bounded, and what it forgets costs only time.

Source: P1 Companion Standard 5.0.2, §6.12.

Tests: ``tests/domain/test_parse.py``
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from attrs import define, field, frozen

from dsmr_tw.domain.dialect import belgian_version, dialect_of
from dsmr_tw.domain.line import CHANNELS, SECOND_CHANNEL, Key, Position, PowerFailure, Value, shown, told_by
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.obis import REGISTERS, measured
from dsmr_tw.domain.obis_abroad import ABROAD
from dsmr_tw.domain.printed_peaks import PrintedPeak
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.limits import UNKNOWN_LINES

REMEMBERED_LINES: Final = 4096
"""How many lines the parser remembers: some dozens of meters' worth."""

REMEMBERED_BYTES: Final = 512
"""The longest line that it remembers, so that its memory has a bound in bytes, too."""

_ABOUT: Final = {
    channel: [f"{channel}.{name}" for name in ("type", "equipment_id", "position", "valve")] for channel in CHANNELS
}
"""What may be told about a device: by names of ``obis.py``, in the order of the fields of ``Device``."""

_POSITIONS: Final = tuple((channel, f"{channel}.position") for channel in CHANNELS)

_STANDS_FOR: Final[dict[Key, Key]] = {
    **{f"{SECOND_CHANNEL}{row.name}": row.name for row in (*REGISTERS.values(), *ABROAD.values())},
    **{f"{channel}.uncorrected": f"{channel}.position" for channel in CHANNELS},
    **{f"{channel}.second_id": f"{channel}.equipment_id" for channel in CHANNELS},
}
"""What some meters tell instead of what most do, and by which name it is asked for."""

_ENERGY: Final = frozenset(row.name for row in (*REGISTERS.values(), *ABROAD.values()) if row.unit == "kWh")
"""The registers of energy: those of two channels are never mixed, for their sum would be of neither."""

_ANY_ZONE: Final = meter_zone("UTC")
"""In which it is asked whether a clock was ever set: that is the same everywhere."""

_IDS: Final = ("serial", "nameplate", "logical_name", "device_address", "owners_number")
"""What a meter may be known by that prints no equipment id, or a masked one: the best first."""


@frozen
class Device:
    """What a telegram says about one M-Bus device."""

    channel: int
    """1 to 5, by order of installation, not by medium."""

    type: int | None = None
    """EN 13757-3; ``None`` when it is not printed."""

    equipment_id: str | None = None
    """As printed; ``None`` when it is missing or masked."""

    position: Position | None = None
    """In Belgium as it was measured, else gas converted to a standard temperature."""

    valve: int | None = None


@frozen
class Telegram:
    """A telegram, understood."""

    raw: RawTelegram

    told: Mapping[Key, Value]
    """What its lines tell; where two tell the same, the later.

    What is told by a code that few meters print is there by the name of the usual code, too, if that tells nothing.
    """

    unknown: tuple[str, ...]
    """The first 64 lines that are not understood."""

    unknown_lines: int
    """How many lines are not understood."""

    @property
    def numbers(self) -> Mapping[str, int]:
        """What is told, as far as it is asked for the names of numbers in ``obis.py``.

        Thousandths where the row has a unit, else as they are printed.
        """
        # No copy: the kind of a name's row is the type of its value, and this is asked for every telegram.
        told: Any = self.told
        numbers: Mapping[str, int] = told
        return numbers

    @property
    def texts(self) -> Mapping[str, str]:
        """The same for the names of texts, as printed; a masked equipment id is ``None``."""
        told: Any = self.told
        texts: Mapping[str, str] = told
        return texts

    @property
    def dialect(self) -> str:
        """Which standard the meter speaks: see ``dialect_of``."""
        return dialect_of(self.raw.identification, self.told)

    @property
    def version(self) -> str | None:
        """The version of the P1 port as printed."""
        told: Any = self.told
        return told.get("version") or belgian_version(told)

    @property
    def equipment_id(self) -> str | None:
        """The meter's printed id, by whichever name this dialect prints one; ``None`` when all are masked or absent."""
        get: Any = self.told.get
        return get("equipment_id") or next((printed for name in _IDS if (printed := get(name))), None)

    @property
    def peaks(self) -> tuple[PrintedPeak, ...]:
        """The peaks of past months as printed, then the one of the month under way; those never reached included."""
        past, now = self.told.get("peaks"), self.told.get("peak")
        past = cast("tuple[PrintedPeak, ...]", past) if isinstance(past, tuple) else ()
        return (*past, now) if isinstance(now, PrintedPeak) else past

    @property
    def failures(self) -> tuple[PowerFailure, ...]:
        """The log of long power failures as printed: newest first, not always plausible."""
        return cast("tuple[PowerFailure, ...]", self.told.get("power_failure_log", ()))

    @property
    def devices(self) -> list[Device]:
        """The M-Bus devices by channel, dead ones included."""
        return [self.device(channel) for channel in CHANNELS if any(key in self.told for key in _ABOUT[channel])]

    @property
    def measuring(self) -> list[Device]:
        """Those of them that show a position."""
        return [self.device(channel) for channel, key in _POSITIONS if key in self.told]

    def device(self, channel: int) -> Device:
        """What is told about the device on a channel."""
        get: Any = self.told.get
        return Device(channel, *map(get, _ABOUT[channel]))


@define
class TelegramParser:
    """Understands telegrams, any meter's in any order."""

    _remembered: dict[bytes, tuple[Key, Value]] = field(factory=dict, init=False, repr=False)

    _has_other_codes: bool = field(default=False, init=False, repr=False)
    """Whether a line that stands for another was ever read: no Dutch meter prints one, and looking costs time."""

    def parse(self, raw: RawTelegram) -> Telegram:
        """What the telegram says.

        Raises: ``TelegramError`` naming the line of a measured value that cannot be read.
        """
        lines = line_texts(raw)
        remembered = self._remembered.get
        pairs = [remembered(line) or self._read(line) for line in lines]
        told = dict(pairs)
        if self._has_other_codes:
            _adopt(told)
        unplaced = _unplaced(told)
        if None not in told and not unplaced:
            return Telegram(raw, told, (), 0)
        unknown = [shown(line) for line, (key, _) in zip(lines, pairs, strict=True) if key is None or key in unplaced]
        return Telegram(raw, told, tuple(unknown[:UNKNOWN_LINES]), len(unknown))

    def _read(self, line: bytes) -> tuple[Key, Value]:
        """What a line tells that is not remembered; from now on it is."""
        pair = told_by(line)
        if pair[0] in _STANDS_FOR:
            self._has_other_codes = True
        if len(line) <= REMEMBERED_BYTES:
            if len(self._remembered) >= REMEMBERED_LINES:
                self._remembered.clear()
            self._remembered[line] = pair
        return pair


def _adopt(told: dict[Key, Value]) -> None:
    """Let what is told by another code stand for what is not told, or masked, by the usual one."""
    kept = frozenset() if _ENERGY.isdisjoint(told) else _ENERGY
    for key, value in list(told.items()):
        usual = _STANDS_FOR.get(key)
        if usual is not None and usual not in kept and _tells_nothing(told.get(usual)):
            told[usual] = value


def _tells_nothing(value: Value) -> bool:
    """Whether it is absent, masked, or the position of a device whose clock was never set."""
    return value is None or (isinstance(value, Position) and _ANY_ZONE.clock(value.time) is None)


def _unplaced(told: Mapping[Key, Value]) -> list[Key]:
    """Names of positions of which nobody can say what they measure; a channel that is dead has none."""
    found: list[Key] = []
    for channel, key in _POSITIONS:
        if key not in told:
            continue
        position: Any = told[key]
        kind: Any = told.get(f"{channel}.type")
        if measured(kind, position.unit) is None and _ANY_ZONE.clock(position.time) is not None:
            found += [key, f"{channel}.uncorrected"]
    return found


_end_before_a_value: Final = re.compile(rb"(?<![\r\0 ])[\r\0 ]*+\n\(").sub
"""Takes away the end of a line, with its padding, where a value follows; it looks at no byte twice."""


def line_texts(raw: RawTelegram) -> list[bytes]:
    """The lines between header and end; a value on a line of its own stands behind the code that it belongs to."""
    data = raw.data
    if b"\n(" in data:
        data = _end_before_a_value(b"(", data)
    return data.split(b"\n")[1:-1]
