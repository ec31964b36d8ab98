"""Responsible for HTTP that keeps its bounds, whoever is at the other end.

A ``BoundedSite`` is a ``Site`` that

- takes a limited number of connections, in all and per address, and closes idle ones to make room;
- wants a whole request within ten seconds of its first byte (of the connection's beginning, for the first request),
  however it trickles in;
- keeps at most 8 KiB of headers, and of a body 256 KiB and one byte, which tells whoever reads the body that it was
  longer: the rest is read and dropped;
- gives up on a client that does not fetch its answer;
- writes no access log, speaks HTTP/1 only (HTTP/2 would pass by all of this), and answers no error with HTML.

What Twisted does by itself: an idle connection is closed after ``IDLE_SECONDS``, and no more is read from a client that
sends requests faster than they are answered.

Tests: ``tests/test_httpserver.py``
"""

# HTTPChannel and Request are not annotated, and calls of methods that we inherit count as ours.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from dsmr_tw.limits import BODY_BYTES, CONNECTIONS, CONNECTIONS_PER_ADDRESS, HEADER_BYTES, REQUEST_SECONDS, Limits

IDLE_SECONDS: Final = 60
"""How long a connection may rest between two requests."""

FETCH_SECONDS: Final = 60
"""How long a client may take to fetch what the sockets' buffers do not hold, and how long a closing may take."""

HEADERS: Final = 100
"""How many header lines a request may have."""

_log = Logger()


class BoundedRequest(Request):
    """A request whose body stays small."""

    defaultContentType = None
    channel: BoundedChannel
    content: BytesIO

    def gotLength(self, length: int | None) -> None:
        """Keep the body in memory: it is small."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep what fits, and the one byte that tells of the rest."""
        held = self.content.tell()
        if held <= BODY_BYTES < held + len(data):
            self.channel.site.limits.hit("body_bytes")
        self.content.write(data[: BODY_BYTES + 1 - held])

    def processingFailed(self, reason: Failure) -> Failure:
        """Answer for what went wrong outside all routes."""
        _log.failure("a request failed", failure=reason)
        body = b'{"detail":"Internal server error."}'
        self.setResponseCode(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.setHeader(b"Content-Type", b"application/json")
        self.setHeader(b"Content-Length", b"%d" % len(body))
        self.write(body)
        self.finish()
        return reason


class BoundedChannel(HTTPChannel):
    """One connection: idle until a byte of a request comes, then receiving, then answering, and idle again."""

    MAX_LENGTH = HEADER_BYTES
    maxHeaders = HEADERS
    # Twisted would hang up with a bare 400; we count for ourselves, and earlier.
    totalHeadersSize = 4 * HEADER_BYTES

    site: BoundedSite
    transport: Any
    """An ``ITCPTransport``, or what stands for one in TLS and in tests."""

    _header_bytes = 0
    _receiving = False
    _answering = False
    _deadline: IDelayedCall | None = None
    """Ends a request that does not become whole."""
    _patience: IDelayedCall | None = None
    """Ends a connection whose client does not fetch its answer."""

    def connectionMade(self) -> None:
        """Wait for the first request, but not for long."""
        super().connectionMade()
        self.site.connections.opened(self, address_of(self.transport.getPeer()))
        self._start_deadline()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # here Twisted always gives a reason
        """Forget everything about the connection."""
        super().connectionLost(reason)
        self.site.connections.closed(self)
        self._stop_deadline()
        self._wait_for_client(None)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of a request; Twisted keeps them for later while one is being answered."""
        if self.transport.disconnecting:
            return
        if data and not self._answering and not self._receiving:
            self._receiving = True
            self.site.connections.woke(self)
        super().dataReceived(data)
        if not self._receiving and not self._answering and (rest := self.clearLineBuffer()):
            # Behind the request that was answered stands the beginning of another.
            self.setLineMode(rest)
        # Most requests arrive whole, and so never need a timer.
        if self._receiving and self._deadline is None and not self.transport.disconnecting:
            self._start_deadline()

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the header, unless the header grows too long."""
        self._header_bytes += len(line) + 2
        if self._header_bytes > HEADER_BYTES:
            self._header_too_long()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """One line alone is longer than the header may be."""
        self._header_too_long()

    def allContentReceived(self) -> None:
        """The request is whole: answer it."""
        self._receiving, self._answering, self._header_bytes = False, True, 0
        self._stop_deadline()
        super().allContentReceived()

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether another request may follow; none does when the server stops, and the answer says so."""
        if not self.site.connections.are_leaving:
            return bool(super().checkPersistence(request, version))
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False

    def leave(self) -> None:
        """Take no more requests: close at once, or as soon as the one that has begun is answered."""
        if not self._receiving and not self._answering:
            self.loseConnection()
        for request in self.requests:
            self.persistent = self.persistent and self.checkPersistence(request, request.clientproto)

    def requestDone(self, request: Request) -> None:
        """The request is answered; the next may be waiting."""
        self._answering = False
        self.site.connections.rests(self)
        super().requestDone(request)

    def timeoutConnection(self) -> None:
        """Nothing came for ``IDLE_SECONDS``: nothing to log either."""
        self.loseConnection()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Somebody begins to produce; not yet, while it is the client's turn."""
        super().registerProducer(producer, streaming)
        if self._waitingForTransport:
            super().pauseProducing()

    def pauseProducing(self) -> None:
        """The sockets' buffers are full: it is the client's turn."""
        super().pauseProducing()
        self._wait_for_client(FETCH_SECONDS)

    def resumeProducing(self) -> None:
        """The client has fetched."""
        super().resumeProducing()
        self._wait_for_client(None)

    def loseConnection(self) -> None:
        """Close when everything is sent."""
        super().loseConnection()
        self._wait_for_client(FETCH_SECONDS)

    def _start_deadline(self) -> None:
        self._deadline = self.callLater(REQUEST_SECONDS, self._too_late)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _wait_for_client(self, seconds: int | None) -> None:
        """Give the client this long from now, or for ever."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if seconds is not None:
            self._patience = self.callLater(seconds, self._give_up)

    def _give_up(self) -> None:
        self._patience = None
        self.transport.abortConnection()

    def _too_late(self) -> None:
        self._deadline = None
        if self._receiving:
            self.site.limits.hit("request_seconds")
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The request was not complete within {REQUEST_SECONDS} s.")
        else:
            self.loseConnection()

    def _header_too_long(self) -> None:
        self.site.limits.hit("header_bytes")
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The header is longer than {HEADER_BYTES} bytes.")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer what never became a request, and hang up."""
        body = f'{{"detail":"{detail}"}}'
        self.transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode("ascii")
        )
        self.loseConnection()


@define
class Connections:
    """The open connections, and whether there is room for one more."""

    limits: Limits
    total: int = CONNECTIONS
    per_address: int = CONNECTIONS_PER_ADDRESS
    is_proxy: Callable[[str], bool] = lambda address: False
    """Whether an address speaks for many, so that only the total bounds it."""
    _left: Deferred[None] | None = field(default=None, init=False, repr=False)
    """Fires when nobody is connected any more, once they have been asked to leave."""
    _open: dict[BoundedChannel, str | None] = field(factory=dict, init=False, repr=False)
    _per_address: Counter[str | None] = field(factory=Counter, init=False, repr=False)
    _idle: dict[BoundedChannel, None] = field(factory=dict, init=False, repr=False)
    """In the order in which they became idle."""

    def room_for(self, address: str | None) -> bool:
        """Whether a connection from this address may be opened; closes an idle one if that makes it so."""
        if address is not None and self._per_address[address] >= self.per_address and not self.is_proxy(address):
            self.limits.hit("connections_per_address")
            return self._close_idle(lambda channel: self._open[channel] == address)
        if len(self._open) >= self.total:
            self.limits.hit("connections")
            return self._close_idle(lambda channel: True)
        return True

    @property
    def are_leaving(self) -> bool:
        """Whether they were asked to."""
        return self._left is not None

    def leave(self) -> Deferred[None]:
        """Fires when all are closed: those that wait for an answer get it first."""
        left: Deferred[None] = Deferred()
        self._left = left
        for channel in list(self._open):
            channel.leave()
        self._see_whether_all_left()
        return left

    def opened(self, channel: BoundedChannel, address: str | None) -> None:
        """A connection begins, idle."""
        self._open[channel] = address
        self._per_address[address] += 1
        self._idle[channel] = None

    def woke(self, channel: BoundedChannel) -> None:
        """A request begins to arrive."""
        self._idle.pop(channel, None)

    def rests(self, channel: BoundedChannel) -> None:
        """A request is answered."""
        self._idle[channel] = None

    def closed(self, channel: BoundedChannel) -> None:
        """A connection is over."""
        self._idle.pop(channel, None)
        if channel in self._open:
            address = self._open.pop(channel)
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]
            self._see_whether_all_left()

    def _see_whether_all_left(self) -> None:
        if self._left is not None and not self._left.called and not self._open:
            self._left.callback(None)

    def _close_idle(self, wanted: Callable[[BoundedChannel], bool]) -> bool:
        """Close the one that has been idle longest; whether there was any."""
        channel = next(filter(wanted, self._idle), None)
        if channel is None:
            return False
        self.closed(channel)
        channel.loseConnection()
        return True


class BoundedSite(Site):
    """A site with bounds; the same one may listen on several ports."""

    protocol = BoundedChannel  # type: ignore[assignment]  # Twisted's own is a wrapper that can switch to HTTP/2
    requestFactory = BoundedRequest
    noisy = False
    on_answer: Callable[[bytes, bytes, int], object] = staticmethod(lambda method, path, status: None)
    """Told of each answer that was sent."""

    def __init__(
        self, resource: IResource, reactor: IReactorTime, connections: Connections, **site_arguments: Any
    ) -> None:
        """Serve ``resource``."""
        # Routes read their bodies themselves, with a bound; Twisted would parse forms without one.
        super().__init__(
            resource, reactor=reactor, timeout=IDLE_SECONDS, parsePOSTFormSubmission=False, **site_arguments
        )
        self.connections = connections
        self.limits = connections.limits

    def buildProtocol(self, addr: IAddress | None) -> BoundedChannel | None:  # type: ignore[override]
        """A channel for a new connection, or ``None``, which closes it."""
        if not self.connections.room_for(address_of(addr)):
            return None
        channel: BoundedChannel = super().buildProtocol(addr)
        return channel

    def startFactory(self) -> None:
        """There is no access log, so no clock that ticks for it every second either."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def log(self, request: http.Request) -> None:
        """Count the answer, and write no access log: that costs a seventh of a request."""
        self.on_answer(request.method, request.path, request.code)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on."""
        return [b"http/1.1"]


def address_of(peer: IAddress | None) -> str | None:
    """The IP address of the other end; ``None`` when it has none, as on a UNIX socket."""
    host: str | None = getattr(peer, "host", None)
    return host
