"""Responsible for playing recorded telegrams to whoever reads.

Nothing is played without a reader, so that none is left out.
Where there are several readers, the slowest sets the pace; where all have left, the next one hears what comes next.

Tests: ``tests/sinks/test_replay.py``, ``tests/live/test_replay.py``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


@define(eq=False, slots=False)
class Player(ServerFactory):
    """Plays each telegram once, to all who are connected at that moment."""

    telegrams: Iterator[tuple[float, bytes]]
    """Seconds to wait, and what to play then."""
    clock: IReactorTime
    told: Callable[[str], object]
    """Is told, in words, who comes and goes."""
    speed: float | None = 1.0
    """How many times faster than the recording; ``None``: as fast as it is read."""

    played: int = field(default=0, init=False)
    done: Deferred[None] = field(factory=Deferred, init=False)
    """Fires when all is played and sent, fails when there is no more since it can't be had."""
    _readers: set[_Reader] = field(factory=set, init=False)
    _next: bytes | None = field(default=None, init=False)
    """What is played when its time has come and all readers can take it."""
    _pause: IDelayedCall | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """One more reader, unless all is played."""
        return None if self._ended else _Reader(self)

    def joined(self, reader: _Reader) -> None:
        """A reader is there."""
        self.told("a reader came")
        self._readers.add(reader)
        self.play()

    def left(self, reader: _Reader) -> None:
        """A reader is gone; the others need not wait for it."""
        self._readers.discard(reader)
        if not self._ended:
            self.told("a reader left" + ("" if self._readers else f" after {self.played}, waiting for the next"))
        self.play()

    def play(self) -> None:
        """Go on, as far as that is possible now."""
        while not self._ended and self._readers and not self._pause and not any(r.is_full for r in self._readers):
            if self._next is not None:
                data, self._next = self._next, None
                self.played += 1
                for reader in self._readers:
                    reader.wire.write(data)
            self._prepare()
        if self._ended and not self._readers and not self.done.called:
            self.done.callback(None)

    def _prepare(self) -> None:
        """Take the next telegram, and wait until it is due."""
        try:
            pause, self._next = next(self.telegrams, (0.0, None))
        except Exception:
            self._ended = True
            self.done.errback(Failure())
            return
        if self._next is None:
            self._ended = True
            for reader in list(self._readers):
                reader.end()
        elif pause and self.speed is not None:
            self._pause = self.clock.callLater(pause / self.speed, self._due)

    def _due(self) -> None:
        self._pause = None
        self.play()


@implementer(IPushProducer)
class _Reader(Protocol):
    """One program that reads."""

    wire: Any = None
    """The transport: those of all kinds have more than ``ITransport`` tells."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.is_full = False

    def connectionMade(self) -> None:
        """Be told when it does not keep up."""
        self.wire = self.transport
        self.wire.registerProducer(self, True)
        self.player.joined(self)

    def end(self) -> None:
        """Hang up when all is sent."""
        self.wire.unregisterProducer()
        self.wire.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It hung up, or we did."""
        self.player.left(self)

    def pauseProducing(self) -> None:
        """Enough waits for it."""
        self.is_full = True

    def resumeProducing(self) -> None:
        """It has read all."""
        self.is_full = False
        self.player.play()

    def stopProducing(self) -> None:
        """It is gone."""
