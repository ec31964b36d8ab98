"""Responsible for serving telegrams on a port, as the meter's own P1 port does, to as many programs as want them.

It is a wire, not the store: a telegram goes out as soon as its CRC was found right, before anything is made of it, and
also when nothing in it can be stored.
Whoever connects gets the last telegram of each source at once, unless it is older than a minute, and then every one.
What clients send is not looked at.

A client that does not read costs nobody else anything: at most 64 KiB and a telegram wait for it here, and as much in
the system; with the next telegram it is dropped. It may connect again.

Tests: ``tests/sinks/test_p1server.py``, ``tests/live/test_p1server.py``
"""

from __future__ import annotations

import socket
from typing import Any, ClassVar, Final

from attrs import define, field
from twisted.internet.interfaces import IAddress, IPushProducer, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.reprint import on_a_line
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.interfaces import IReporting
from dsmr_tw.limits import P1_CLIENTS, Limits

FRESH: Final = 60 * SECOND
"""A last telegram that is older is not sent to a client that connects: its meter is silent, or gone."""

SYSTEM_BYTES: Final = 64 * 1024
"""How many unread bytes of a client the system is asked to hold: left alone it would take megabytes for each."""


@implementer(IReporting)
@define(eq=False, slots=False)
class P1Server(ServerFactory):
    """Sends telegrams to all who are connected."""

    clock: IReactorTime
    limits: Limits
    most_clients: int = P1_CLIENTS

    telegrams: int = field(default=0, init=False)
    """How many telegrams were served since the start."""
    last_telegram_at: int | None = field(default=None, init=False)
    """When the last of them came."""
    _clients: set[_Client] = field(factory=set, init=False)
    _last: dict[Origin, tuple[int, bytes]] = field(factory=dict, init=False)
    """The last telegram of each source, and when it came; the one that came last is the last."""

    noisy = False
    heading: ClassVar[str] = "p1_server"

    @property
    def clients(self) -> int:
        """How many programs are connected."""
        return len(self._clients)

    def figures(self) -> dict[str, object]:
        """See ``IReporting``."""
        last = self.last_telegram_at
        return {
            "clients": self.clients,
            "telegrams": self.telegrams,
            "last_telegram_at": None if last is None else to_utc_text(last),
        }

    def problems(self) -> list[str]:
        """See ``IReporting``: a client's troubles are its own."""
        return []

    def offer(self, raw: RawTelegram, received_at: int, origin: Origin, sign: bool = False) -> None:
        """Send a telegram to everybody; ``sign`` if a CRC that is missing was stripped by the source."""
        data = on_a_line(raw, sign)
        self._last.pop(origin, None)
        self._last[origin] = received_at, data
        self.telegrams += 1
        self.last_telegram_at = received_at
        for client in list(self._clients):
            client.send(data)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """One more client; ``None``, which hangs up, when there are enough."""
        if len(self._clients) >= self.most_clients:
            self.limits.hit("p1_clients")
            return None
        return _Client(self)

    def stopFactory(self) -> None:
        """Hang up on everybody: the port is closed."""
        for client in list(self._clients):
            client.end()

    def joined(self, client: _Client) -> None:
        """A client is there: it need not wait for the next telegram."""
        self._clients.add(client)
        now = self.clock.seconds() * SECOND
        fresh = [data for received_at, data in self._last.values() if 0 <= now - received_at <= FRESH]
        if fresh:
            client.send(b"".join(fresh))

    def left(self, client: _Client) -> None:
        """A client is gone."""
        self._clients.discard(client)


@implementer(IPushProducer)
@define(eq=False, slots=False)
class _Client(Protocol):
    """One program that reads telegrams."""

    server: P1Server

    _wire: Any = field(default=None, init=False, repr=False)
    """The transport: those of all kinds have more than ``ITransport`` tells."""
    _full: bool = field(default=False, init=False)
    """Whether so much waits for it that no more may."""

    _log: ClassVar[Logger] = Logger()

    def connectionMade(self) -> None:
        """Be told when it does not keep up, or is gone without a word."""
        self._wire = self.transport
        self._wire.registerProducer(self, True)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
            self.transport.setTcpNoDelay(True)
            self._wire.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SYSTEM_BYTES)
        self.server.joined(self)

    def send(self, data: bytes) -> None:
        """Send a telegram; who has not read what was sent before is dropped instead."""
        if not self._full:
            self._wire.write(data)
            return
        self._log.info("a client of --p1-server was dropped, it does not read: {peer}", peer=self._wire.getPeer())
        self.server.limits.hit("p1_unread_bytes")
        self._drop()

    def end(self) -> None:
        """Hang up, after what was sent."""
        if self._full:
            self._drop()
            return
        self._wire.unregisterProducer()
        self._wire.loseConnection()

    def _drop(self) -> None:
        """Hang up now: what waits for it would never be read."""
        self.server.left(self)
        self._wire.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It hung up."""
        self.server.left(self)

    def pauseProducing(self) -> None:
        """Enough waits for it."""
        self._full = True

    def resumeProducing(self) -> None:
        """It has read all."""
        self._full = False

    def stopProducing(self) -> None:
        """It is gone."""
