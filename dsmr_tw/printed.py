"""Responsible for telegrams that a program prints, on their way through the same receiver as a meter's.

Printed at whole seconds, as a meter does; a telegram that could not be printed costs no later one.

Tests: ``tests/test_printed.py``
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.serialproto import TelegramReceiver
from dsmr_tw.source import TelegramSource


@define(eq=False, slots=False, kw_only=True)
class PrintedSource(TelegramSource):
    """Telegrams of a program that prints what a meter would, through the same receiver as a meter's."""

    produce: Callable[[int], bytes]
    """The bytes of the telegram at an instant, which is a whole second."""

    every_s: int = 1
    """Printed at each instant that is a multiple of so many seconds."""

    _receiver: TelegramReceiver = field(init=False, repr=False)
    _next: IDelayedCall | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._receiver = TelegramReceiver(self._assembler, self.clock, self._take, self._refuse)

    def startService(self) -> None:
        """Print from the next whole second on."""
        super().startService()
        self._health.connected = True
        self._schedule(0)

    def stopService(self) -> None:
        """Print no more."""
        super().stopService()
        self._health.connected = False
        if self._next is not None:
            self._next.cancel()

    def _schedule(self, printed: int) -> None:
        now = self.clock.seconds()
        second = (int(now) // self.every_s + 1) * self.every_s
        if second == printed:
            # Woken a hair too early.
            second += self.every_s
        self._next = self.clock.callLater(second - now, self._print, second)

    def _print(self, second: int) -> None:
        try:
            printed = self.produce(second * SECOND)
            self._health.bytes_received += len(printed)
            self._receiver.dataReceived(printed)
        except Exception:  # whatever it did, it is asked again
            self._health.trouble = "printing fails"
            if self._tell("printing fails"):
                self._log.failure("{source}: printing fails:", source=self.origin.name)
        finally:
            self._schedule(second)
