"""Responsible for the meaning of a telegram: all that stands in it, by name.

Lines that are not understood are kept and counted; the only exception that leaves the parser is ``TelegramError``, for
a measured value that cannot be read, whatever the bytes.

From one telegram to the next most lines of a meter stay the same, and values come back.
So the parser remembers the lines that it has understood; its memory is bounded, and what it forgets costs only time.

Source: P1 Companion Standard 5.0.2, §6.12.

Tests: ``tests/domain/test_parse.py``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from attrs import define, field, frozen

from dsmr_tw.domain.line import CHANNELS, Key, Position, PowerFailure, Value, shown, told_by
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

    valve: int | None = None


@frozen
class Telegram:
    """A telegram, understood."""

    raw: RawTelegram

    told: Mapping[Key, Value]
    """What its lines tell; where two tell the same, the later."""

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
        return cast("Mapping[str, int]", self.told)

    @property
    def texts(self) -> Mapping[str, str]:
        """The same for the names of texts, as printed; a masked equipment id is ``None``."""
        return cast("Mapping[str, str]", self.told)

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

    def parse(self, raw: RawTelegram) -> Telegram:
        """What the telegram says.

        Raises: ``TelegramError`` naming the line of a measured value that cannot be read.
        """
        lines = line_texts(raw)
        remembered = self._remembered.get
        pairs = [remembered(line) or self._read(line) for line in lines]
        told = dict(pairs)
        if None not in told:
            return Telegram(raw, told, (), 0)
        unknown = [shown(line) for line, (key, _) in zip(lines, pairs, strict=True) if key is None]
        return Telegram(raw, told, tuple(unknown[:UNKNOWN_LINES]), len(unknown))

    def _read(self, line: bytes) -> tuple[Key, Value]:
        """What a line tells that is not remembered; from now on it is."""
        pair = told_by(line)
        if len(line) <= REMEMBERED_BYTES:
            if len(self._remembered) >= REMEMBERED_LINES:
                self._remembered.clear()
            self._remembered[line] = pair
        return pair


def line_texts(raw: RawTelegram) -> list[bytes]:
    """The lines between header and end; a value on a line of its own stands behind the code that it belongs to."""
    data = raw.data
    if b"\n(" in data:
        data = data.replace(b"\r\n(", b"(").replace(b"\n(", b"(")
    return data.split(b"\n")[1:-1]
