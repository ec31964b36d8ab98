"""Responsible for counting the telegrams that could not be taken, which nobody shall have to wait for long.

Of each origin one number at a time is on its way to the store.
What comes meanwhile, and what the store did not take, is counted with the next.

Tests: ``tests/test_rejecting.py``
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from dsmr_tw.domain.reading import Origin
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.groupcommit import PATIENCE


@define(eq=False)
class Rejecting:
    """Counts for each origin."""

    count: Callable[[Origin, int], Deferred[None]]
    """Adds so many to those that the store knows of."""
    clock: IReactorTime

    _left: Counter[Origin] = field(factory=Counter, init=False)
    """What is neither stored nor on its way."""
    _waiting: dict[Origin, list[Deferred[None]]] = field(factory=dict, init=False)
    """Whose number is on its way, and who waits for the one after it."""
    _stuck: set[Origin] = field(factory=set, init=False)
    """Whose number has been on its way for longer than anybody's patience."""
    _log = Logger()

    def reject(self, origin: Origin) -> Deferred[None]:
        """Count one more; never fails.

        Fires: when it is stored or can't be now, at once while the store does not answer, after ``PATIENCE`` at last.
        """
        self._left[origin] += 1
        if origin in self._stuck:
            return succeed(None)
        answer: Deferred[None] = Deferred()
        if origin in self._waiting:
            self._waiting[origin].append(answer)
        else:
            self._waiting[origin] = [answer]
            Deferred.fromCoroutine(self._count(origin))
        return answer

    async def _count(self, origin: Origin) -> None:
        goes_on = True
        while goes_on and (telegrams := self._left.pop(origin, 0)):
            waiting, self._waiting[origin] = self._waiting[origin], []
            alarm = self.clock.callLater(PATIENCE, self._lose_patience, origin, waiting)
            goes_on = await self._has_counted(origin, telegrams)
            self._stuck.discard(origin)
            if alarm.active():
                alarm.cancel()
            _tell(waiting)
        _tell(self._waiting.pop(origin))

    async def _has_counted(self, origin: Origin, telegrams: int) -> bool:
        """Whether the store knows of them now."""
        try:
            await self.count(origin, telegrams)
        except Exception as error:
            if not isinstance(error, StoreUnavailable):
                self._log.failure("a rejected telegram could not be counted")
            self._left[origin] += telegrams
            return False
        return True

    def _lose_patience(self, origin: Origin, waiting: list[Deferred[None]]) -> None:
        self._stuck.add(origin)
        _tell(waiting)
        _tell(self._waiting[origin])


def _tell(waiting: list[Deferred[None]]) -> None:
    """Tell all, once."""
    told = list(waiting)
    waiting.clear()
    for answer in told:
        answer.callback(None)
