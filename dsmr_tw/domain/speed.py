"""Responsible for finding the speed of a serial line by listening: what bytes say about it, and what to try next.

Bytes in, as a port hears them; the same as the meter sent them, and the setting to listen with, out.
A telegram settles it. Bytes that can't be a meter's at this speed send the search on, at a pause of the line, so that
no telegram is cut. Silence says little: at a wrong speed bytes are heard, too, only others.

A port that listens to 7E1 as if it were 8N1 hears the same bytes, each with its parity in the highest bit, so both are
listened to in one way. A line that is read rightly has few bytes but letters, digits and line ends; at a wrong speed
most are others.

Source: P1 Companion Standard 2.2 and 5.0.2, §5; EN 13757-2 for the slowest.

Tests: ``tests/domain/test_speed.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define, field, frozen

from dsmr_tw.domain.resemblance import PLAIN, resemblance

LEAST_BYTES: Final = 8
"""From fewer nothing is concluded."""

MOST_BYTES: Final = 4096
"""After so many without a pause a conclusion is drawn all the same."""

_TEXT: Final = bytes([9, 10, 13, *range(32, 127)])
_STRIPPED: Final = bytes(byte & 0x7F if byte.bit_count() % 2 == 0 else byte for byte in range(256))


@frozen
class LineSetting:
    """How a port listens, or a meter speaks."""

    baud: int

    bits: int = 8

    parity: str = "N"
    """``N`` for none, ``E`` for even."""

    def __str__(self) -> str:
        """As people write it: ``115200 8N1``."""
        return f"{self.baud} {self.bits}{self.parity}1"


FAST: Final = LineSetting(115200)
"""DSMR 4 and later, and all other countries."""

SLOW: Final = LineSetting(9600)
"""DSMR 2.2 and 3.0: those that speak 7E1, too."""

SEVEN_BITS: Final = LineSetting(9600, 7, "E")

FOREIGN: Final = (LineSetting(2400, 8, "E"), LineSetting(2400))
"""No P1 port is as slow as this; what else speaks like this shall be called by its name."""

_ROUND: Final = (FAST, SLOW, FAST, SLOW, *FOREIGN)


@define
class SpeedSearch:
    """What is known of the speed of one line."""

    setting: LineSetting = FAST
    """How to listen now."""

    found: bool = field(default=False, init=False)
    """Whether a telegram came that was read with this setting."""

    recent: bytes = field(default=b"", init=False, repr=False)
    """The last bytes, as the port heard them."""

    _heard: int = field(default=0, init=False)
    """How many bytes came since the last conclusion."""

    _place: int = field(init=False)
    """Where in the round of settings the search is."""

    _has_parity: bool = field(default=False, init=False)
    """Whether a byte with its parity in it was among those."""

    def __attrs_post_init__(self) -> None:
        self._place = _ROUND.index(self.setting)

    @property
    def spoken(self) -> LineSetting:
        """How the meter speaks, as far as it is known."""
        return SEVEN_BITS if self.setting == SLOW and self._has_parity else self.setting

    def take(self, data: bytes) -> bytes:
        """Take bytes that a port heard with the setting: as the meter sent them, if it speaks like that."""
        sent = data.translate(_STRIPPED) if self.setting == SLOW else data
        if sent != data:
            self._has_parity = True
        if not self.found:
            self.recent = (self.recent + data)[-MOST_BYTES:]
            self._heard += len(data)
        return sent

    @property
    def is_full(self) -> bool:
        """Whether a conclusion can't wait for a pause any more."""
        return self._heard >= MOST_BYTES

    def settle(self) -> None:
        """A telegram came: this is how to listen."""
        self.found = True
        self.recent, self._heard = b"", 0
        self._place = _ROUND.index(self.setting)

    def doubt(self) -> None:
        """No telegram came for a while: look at what comes from now on."""
        self.found = False

    def conclude(self) -> bool:
        """Look at what came before a pause: whether to go on with another setting."""
        if self.found or self._heard < LEAST_BYTES:
            return False
        heard, self._heard = self.recent[-self._heard :], 0
        if self._can_be_a_meters(heard):
            return False
        self._begin((self._place + 1) % len(_ROUND))
        return True

    def give_up(self) -> None:
        """Nothing came for long: try the other speed of P1 ports, as some adapters are deaf at a wrong one."""
        self._begin(_ROUND.index(FAST if self.setting == SLOW else SLOW))

    def _begin(self, place: int) -> None:
        self._place, self.setting = place, _ROUND[place]
        self._heard, self._has_parity = 0, False

    def _can_be_a_meters(self, heard: bytes) -> bool:
        seen = resemblance(heard)
        if seen is not None and seen != PLAIN:
            return True
        sent = heard.translate(_STRIPPED) if self.setting == SLOW else heard
        return 5 * len(sent.translate(None, _TEXT)) <= len(sent)
