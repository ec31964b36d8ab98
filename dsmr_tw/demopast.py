"""Responsible for filling the past of a demo: as fast as the store takes it, through the same receiver as a meter's.

Tests: ``tests/test_demopast.py``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from dsmr_tw.demo import DemoMeter, instants
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.telegram import RawTelegram, TelegramAssembler
from dsmr_tw.errors import TelegramError
from dsmr_tw.interfaces import IReadings
from dsmr_tw.limits import READINGS_PER_COMMIT
from dsmr_tw.serialproto import TelegramReceiver
from dsmr_tw.stored import ReadingFilter

TURN: Final = 25
"""Telegrams printed in one turn of the reactor: a few milliseconds, so that the server answers meanwhile."""

AHEAD: Final = 4 * READINGS_PER_COMMIT
"""So many may wait for their commit."""

WAIT_S: Final = 0.005

FIRST_METER: Final = 1
"""A demo has a store of its own, and its house is the first meter there."""


@define(eq=False, kw_only=True)
class DemoPast(Service):
    """Takes the telegrams of the past, then lets the present begin."""

    meter: DemoMeter
    days: int
    origin: Origin
    on_telegram: Callable[[RawTelegram, int, Origin], object]
    waiting: Callable[[], int]
    """How many readings wait for their commit."""
    readings: IReadings
    clock: IReactorTime
    advance: Callable[[int, int], None]
    """Told how many more telegrams were taken, and of how many."""
    then: Callable[[], None]
    """Called when all are stored."""
    _filling: Deferred[None] | None = field(default=None, init=False)
    _log = Logger()

    def startService(self) -> None:
        """Begin to fill."""
        super().startService()
        self._filling = Deferred.fromCoroutine(self._fill())
        self._filling.addErrback(lambda failure: self._log.failure("the past could not be filled", failure))

    def stopService(self) -> Deferred[None]:
        """Stop where it is; the next start goes on from there."""
        super().stopService()
        return self._filling or succeed(None)

    async def _fill(self) -> None:
        missing = await self._missing()
        for start in range(0, len(missing), TURN):
            turn = missing[start : start + TURN]
            for at in turn:
                self._take(at)
            await self._until_at_most(AHEAD)
            if not self.running:
                return
            self.advance(len(turn), len(missing))
        await self._until_at_most(0)
        if self.running:
            self.then()

    async def _missing(self) -> range:
        """The instants of the telegrams to take: those after the newest stored, if the past was begun before."""
        due = instants(self.days, int(self.clock.seconds() * SECOND))
        stored = await self.readings.page(ReadingFilter(FIRST_METER, due.start, due[-1]), False, 0, 1)
        if not stored.count or stored.readings[0].reading.at != due.start:
            return due
        newest = await self.readings.page(ReadingFilter(FIRST_METER, due.start, due[-1]), True, 0, 1)
        return range(newest.readings[0].reading.at + due.step, due.stop, due.step)

    async def _until_at_most(self, waiting: int) -> None:
        """Let the reactor, and the store, do their work."""
        await deferLater(self.clock, 0)
        while self.waiting() > waiting and self.running:
            await deferLater(self.clock, WAIT_S)

    def _take(self, at: int) -> None:
        """Let one telegram go through the line protocol, as if it came at its own instant."""

        def take(telegram: RawTelegram, _: int) -> None:
            self.on_telegram(telegram, at, self.origin)

        def refuse(error: TelegramError) -> None:
            raise error

        receiver = TelegramReceiver(TelegramAssembler(), self.clock, take, refuse)
        receiver.dataReceived(self.meter.telegram(at))
