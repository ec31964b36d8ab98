"""Responsible for a pseudo terminal that plays a meter on a cable which can be pulled out and plugged in again."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterable, Iterator
from contextlib import suppress

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator


@define
class Terminal:
    """A cable whose other end appears at a path while it is plugged in."""

    path: str
    """Where the device file is: a symbolic link, as in ``/dev/serial/by-id``."""

    _ends: tuple[int, ...] = field(default=(), init=False)
    """The descriptors of the meter's end and of the computer's."""

    def print(self, data: bytes) -> None:
        """Send bytes now; there is room for a telegram or two."""
        os.write(self._ends[0], data)

    def plug(self) -> None:
        """Make the device appear. What is written before somebody opens it is lost, as with a real one."""
        meter, computer = self._ends = os.openpty()
        tty.setraw(computer)
        os.set_blocking(meter, False)
        os.symlink(os.ttyname(computer), self.path)

    def unplug(self) -> None:
        """Make the device disappear, if it is there."""
        if self._ends:
            os.unlink(self.path)
            for end in self._ends:
                os.close(end)
            self._ends = ()

    def write(self, pieces: Iterable[bytes]) -> Deferred[Iterator[None]]:
        """Send bytes, a piece at most in each turn of the reactor; fires when all are on their way."""
        turns = Cooperator(terminationPredicateFactory=lambda: lambda: True)
        return turns.coiterate(self._writing(self._ends[0], pieces))

    @staticmethod
    def _writing(meter: int, pieces: Iterable[bytes]) -> Iterator[None]:
        for piece in pieces:
            rest = piece
            while rest:
                # When the terminal is full, the other side reads in a later turn of this reactor.
                with suppress(BlockingIOError):
                    rest = rest[os.write(meter, rest) :]
                yield
