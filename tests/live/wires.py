"""Responsible for a pseudo terminal at whose end is heard what a UART would hear, whatever it is tuned to."""

from __future__ import annotations

import os
import termios
from contextlib import suppress

from attrs import define

from dsmr_tw.domain.speed import LineSetting
from tests.live.terminal import Terminal
from tests.uart import through

BAUD = {termios.B115200: 115200, termios.B9600: 9600, termios.B2400: 2400}


@define
class Wire(Terminal):
    """A cable whose far end minds how the computer listens."""

    def listened(self) -> LineSetting:
        """How the computer listens at this moment."""
        _, _, cflag, _, _, speed, _ = termios.tcgetattr(self._ends[1])
        bits = 7 if cflag & termios.CSIZE == termios.CS7 else 8
        return LineSetting(BAUD.get(speed, 115200), bits, "E" if cflag & termios.PARENB else "N")

    def say(self, data: bytes, spoken: LineSetting) -> None:
        """Print as a meter does; what nobody reads is lost."""
        with suppress(BlockingIOError):
            os.write(self._ends[0], through(data, spoken, self.listened()))
