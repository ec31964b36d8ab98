"""Responsible for letting the clients of HTTP go when the service stops: nobody new, and nobody without an answer.

The ports are closed by then.  Connections that rest are closed; a request that has come, or is coming, is answered,
with the word that no other will be, and its connection is closed then.  That lasts ``LONGEST_S`` at most: after it,
what is still asked for is answered as long as the service is there.

Tests: ``tests/test_leaving.py``, ``tests/live/test_stopping.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from dsmr_tw.connections import Connections

LONGEST_S: Final = 5.0
"""A commit takes milliseconds; what takes longer is a long page or a slow client."""


@define(eq=False)
class Leaving(Service):
    """Stops before what answers requests does, and after the ports were closed."""

    connections: Connections
    clock: IReactorTime

    def stopService(self) -> Deferred[None]:
        """Fires when all clients are gone, or it has taken too long."""
        super().stopService()
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        gone: Deferred[None] = Deferred()
        late = self.clock.callLater(LONGEST_S, gone.callback, None)

        def all_left(ignored: object) -> None:
            if late.active():
                late.cancel()
                gone.callback(None)

        self.connections.leave().addCallback(all_left)
        await gone
