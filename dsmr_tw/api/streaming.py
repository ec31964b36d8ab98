"""Responsible for answers that are longer than memory should be: sent part by part, as fast as the client fetches them.

Such an answer has no ``Content-Length``; HTTP/1.1 sends it in chunks.
What goes wrong on the way cuts the connection, so that nobody takes half of it for the whole.

Tests: ``tests/api/test_streaming.py``
"""

from __future__ import annotations

from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.server import Request
from zope.interface import implementer

_log = Logger()


class Parts(Protocol):
    """What makes the parts of an answer, each in a few milliseconds."""

    @property
    def done(self) -> bool:
        """Whether the last part was given."""

    async def part(self) -> bytes:
        """The next one; it may be empty."""


@implementer(IPushProducer)
@define(eq=False)
class Stream:
    """The rest of one answer."""

    request: Request
    clock: IReactorTime
    _resumed: Deferred[None] | None = field(default=None, init=False)
    """Fires when the client has fetched; ``None`` while nothing waits for it."""

    async def send(self, first: bytes, rest: Parts) -> None:
        """Send a part and those that follow it; ends when all are given to the transport.

        Status and headers must be set. When the client hangs up, Klein cancels whatever is waited for here.
        """
        self.request.registerProducer(self, True)
        try:
            self.request.write(first)
            while not rest.done:
                await self._turn()
                self.request.write(await rest.part())
        except CancelledError:
            raise
        except Exception:
            _log.failure("an answer was broken off")
            await self._cut()
        finally:
            if self.request.channel is not None:
                self.request.unregisterProducer()

    def pauseProducing(self) -> None:
        """The buffers are full: it is the client's turn."""
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        """The client has fetched."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """The client is gone; Klein is told, too."""

    async def _turn(self) -> None:
        """Let the reactor look after its other work, and the client fetch what was written."""
        await deferLater(self.clock, 0)
        while self._resumed is not None:
            await self._resumed

    async def _cut(self) -> None:
        """Cut the connection; what waits here is cancelled with it, and so writes nothing behind the part."""
        transport: Any = self.request.channel.transport
        transport.abortConnection()
        await Deferred()
