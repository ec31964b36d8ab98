"""Responsible for stopping services one after the other.

Tests: ``tests/test_inorder.py``
"""

from __future__ import annotations

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger


class InOrder(MultiService):
    """Starts its services in the order in which they were added, and stops them in the opposite one.

    Twisted's own stops all at once; here each is given the time to finish before the one it stands on goes: the ports
    are closed before the queue is drained, the queue is drained before the store is closed.
    """

    _log = Logger()

    def stopService(self) -> Deferred[None]:
        """Fires when the last one has stopped; one that fails does not keep the others from stopping."""
        self.running = 0
        return Deferred.fromCoroutine(self._stop_all())

    async def _stop_all(self) -> None:
        for service in reversed(self.services):
            try:
                await maybeDeferred(service.stopService)
            except Exception:
                self._log.failure("a service did not stop cleanly")
