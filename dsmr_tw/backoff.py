"""Responsible for waiting between two tries, longer and longer.

Tests: ``tests/test_spooling.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

FIRST_WAIT: Final = 1.0
LAST_WAIT: Final = 10.0
"""Seconds between two tries of a store, or of a disk, that takes nothing; doubling."""


@define(eq=False)
class Backoff:
    """Waits longer and longer."""

    clock: IReactorTime
    seconds: float = 0.0
    longest: float = LAST_WAIT
    """The most seconds between two tries."""
    _waiting: Deferred[None] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether somebody waits."""
        return self._waiting is not None

    async def wait(self, at_least: float = 0.0) -> None:
        """Some time, or until ``stop``."""
        self.seconds = min(self.longest, self.seconds * 2 or FIRST_WAIT)
        self._waiting = deferLater(self.clock, max(self.seconds, at_least))
        try:
            await self._waiting
        except CancelledError:
            pass
        finally:
            self._waiting = None

    def stop(self) -> None:
        """Who waits goes on now."""
        if self._waiting is not None:
            self._waiting.cancel()
