"""Responsible for work that is done again and again, and survives itself.

One exception would end Twisted's ``LoopingCall`` for good; here it is logged, shown, and the next time is tried again.

Tests: ``tests/test_rollup.py``
"""

from __future__ import annotations

from abc import abstractmethod

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import StoreUnavailable


@define(eq=False)
class Periodic(Service):
    """A service whose ``work`` is done every so often."""

    clock: IReactorTime
    every: float = field(kw_only=True)
    """Seconds from the beginning of the work to its next beginning; work that takes longer delays it."""

    last_success_at: int | None = field(default=None, init=False)
    """When work was last begun that ended well."""
    last_error: str | None = field(default=None, init=False)
    """What ended the last work, if it did not end well."""
    _loop: LoopingCall = field(init=False)
    _working: Deferred[None] | None = field(default=None, init=False)
    _log = Logger()

    what = "the work"
    """What can't be done when it fails, for people."""

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._once)
        self._loop.clock = self.clock

    @abstractmethod
    async def work(self, now: int) -> None:
        """Do it, as of this instant; should end soon when the service is not ``running`` any more."""

    def startService(self) -> None:
        """Begin, with the first work a moment later: the store is being opened now."""
        super().startService()
        self._loop.start(self.every, now=False)

    def stopService(self) -> Deferred[None]:
        """Fires when the work under way has ended, which is soon."""
        super().stopService()
        self._loop.stop()
        if self._working is None:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._working.addBoth(lambda _: ended.callback(None))
        return ended

    def _once(self) -> Deferred[None]:
        self._working = Deferred.fromCoroutine(self._survive(int(self.clock.seconds() * SECOND)))
        return self._working

    async def _survive(self, now: int) -> None:
        try:
            await self.work(now)
        except StoreUnavailable as error:
            if self.last_error is None:
                self._log.error("{what} can't be done now: {error}", what=self.what, error=str(error))
            self.last_error = str(error)
        except Exception as error:
            words = f"{type(error).__name__}, see the log"
            # A fault of ours comes back with each tick, and would fill the log with the same pages.
            if self.last_error != words:
                self._log.failure("{what} failed", what=self.what)
            self.last_error = words
        else:
            if self.last_error is not None:
                self._log.info("{what} is done again", what=self.what)
            self.last_success_at, self.last_error = now, None
