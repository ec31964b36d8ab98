"""Responsible for HTTP that keeps its bounds, whoever is at the other end.

A ``BoundedSite`` is a ``Site`` that

- takes a limited number of connections, in all and per address, and closes idle ones to make room;
- wants a whole request within ten seconds of its first byte (of the connection's beginning, for the first request),
  however it trickles in;
- keeps at most 8 KiB of headers, and of a body 256 KiB and one byte, which tells whoever reads the body that it was
  longer: the rest is read and dropped;
- gives up on a client that does not fetch its answer;
- works for all addresses in turns, so that none of them holds up another, see ``dsmr_tw/turns.py``;
- writes no access log, speaks HTTP/1 only (HTTP/2 would pass by all of this), and answers no error with HTML.

What Twisted does by itself: an idle connection is closed after ``IDLE_SECONDS``, and no more is read from a client that
sends requests faster than they are answered.

Tests: ``tests/test_httpserver.py``
"""

# HTTPChannel and Request are not annotated, and calls of methods that we inherit count as ours.
# mypy: allow-untyped-calls

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from dsmr_tw.connections import Connections
from dsmr_tw.limits import BODY_BYTES, HEADER_BYTES, REQUEST_SECONDS
from dsmr_tw.turns import Turns

IDLE_SECONDS: Final = 60
"""How long a connection may rest between two requests."""

FETCH_SECONDS: Final = 60
"""How long a client may take to fetch what the sockets' buffers do not hold, and how long a closing may take."""

GOODBYE_SECONDS: Final = 1
"""How long a client may take for that when its connection has to make room."""

PIECE_BYTES: Final = 2048
"""How much of a chunked body is read at a time: as chunks of one byte it takes more than a millisecond."""

HEADERS: Final = 100
"""How many header lines a request may have."""

ABSOLUTE: Final = re.compile(rb"(?i:https?)://[^/?]*/?(.*)", re.DOTALL)
"""A request's target with scheme and host."""

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
        kept = data[: BODY_BYTES + 1 - held]
        if kept:
            self.content.write(kept)
            self.channel.site.connections.keeps(self.channel, len(kept))

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
    # Twisted would hang up with a bare 400; we count for ourselves, and earlier.
    maxHeaders = 2 * HEADERS
    totalHeadersSize = 4 * HEADER_BYTES

    site: BoundedSite
    transport: Any
    """An ``ITCPTransport``, or what stands for one in TLS and in tests."""

    _lane: object = None
    """Whose time is used for it: that of its address; a proxy's connections are for many, and stand for themselves."""
    _header_bytes = 0
    _header_lines = 0
    _receiving = False
    _answering = False
    _deadline: IDelayedCall | None = None
    """Ends a request that does not become whole."""
    _patience: IDelayedCall | None = None
    """Ends a connection whose client does not fetch its answer."""

    def connectionMade(self) -> None:
        """Wait for the first request, but not for long."""
        super().connectionMade()
        address, connections = address_of(self.transport.getPeer()), self.site.connections
        self._lane = self if address is None or connections.is_proxy(address) else address
        connections.opened(self, address)
        self._start_deadline()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # here Twisted always gives a reason
        """Forget everything about the connection."""
        super().connectionLost(reason)
        self.site.connections.closed(self)
        self.site.turns.leave(self._lane, self)
        self._stop_deadline()
        self._wait_for_client(None)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of a request; Twisted keeps them for later while one is being answered."""
        if self.transport.disconnecting:
            return
        if data and not self._answering and not self._receiving:
            self._receiving = True
            self.site.connections.woke(self)
        turns = self.site.turns
        if not self.paused and not turns.is_free(self._lane):
            self._wait_for_turn()
        if self.paused:
            super().dataReceived(data)
        else:
            turns.work(self._lane, super().dataReceived, data)
        self._watch_deadline()

    def go_on(self) -> None:
        """It is our turn: take what has come meanwhile, up to the next answer or piece."""
        if self._waitingForTransport:
            # First the client has to fetch its answers; then we wait again.
            return
        self.paused = False
        try:
            self.site.turns.work(self._lane, super().dataReceived, b"")
        except Exception:
            _log.failure("a connection failed")
            self.transport.abortConnection()
            return
        if self._takes_more():
            self._networkProducer.resumeProducing()
        self._watch_deadline()

    def _takes_more(self) -> bool:
        return not (self.paused or self._waitingForTransport or self.transport.disconnecting)

    def _wait_for_turn(self) -> None:
        """Leave what has come where it is, and take no more, until it is our turn."""
        self.paused = True
        self._networkProducer.pauseProducing()
        self.site.turns.wait(self._lane, self)

    def _watch_deadline(self) -> None:
        # Most requests arrive whole, and so never need a timer.
        if self._receiving and self._deadline is None and not self.transport.disconnecting:
            self._start_deadline()

    def rawDataReceived(self, data: bytes) -> None:
        """Take a piece of a body; one in chunks may be more work than it looks."""
        piece = len(data) if self.length is not None or self._answering else PIECE_BYTES
        super().rawDataReceived(data[:piece])
        if len(data) > piece and not self.transport.disconnecting:
            self._buffer += data[piece:]
            self._wait_for_turn()

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the header, unless the header grows too long."""
        self._header_bytes += len(line) + 2
        self._header_lines += bool(line)
        # The first line is that of the request itself.
        if self._header_bytes > HEADER_BYTES or self._header_lines > 1 + HEADERS:
            self._header_too_long()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """One line alone is longer than the header may be."""
        self._header_too_long()

    def allContentReceived(self) -> None:
        """The request is whole: answer it."""
        absolute = ABSOLUTE.fullmatch(self._path)
        if absolute is not None:
            # As a proxy is asked; every server must understand it, too (RFC 9112, 3.2.2).
            self._path = b"/" + absolute[1]
        self._receiving, self._answering = False, True
        self._header_bytes = self._header_lines = 0
        self._stop_deadline()
        self.site.connections.received(self)
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
        """The request is answered; the next may be waiting, and waits for its turn."""
        self._answering = False
        self.site.connections.rests(self)
        self.paused = True
        super().requestDone(request)
        if self._buffer and not self.transport.disconnecting:
            self._receiving = True
            self.site.connections.woke(self)
            self._wait_for_turn()
        else:
            self.paused = False

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
        if self.paused:
            self._wait_for_turn()

    def loseConnection(self) -> None:
        """Close when everything is sent."""
        super().loseConnection()
        self._wait_for_client(FETCH_SECONDS)

    def make_room(self, at_once: bool) -> None:
        """Close, for the sake of another."""
        self.loseConnection()
        if at_once:
            self.transport.abortConnection()
        else:
            self._wait_for_client(GOODBYE_SECONDS)

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
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The header has more than {HEADER_BYTES} bytes, or {HEADERS} lines.",
        )

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer what never became a request, and hang up."""
        body = f'{{"detail":"{detail}"}}'
        self.transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode("ascii")
        )
        self.loseConnection()


class NoRoom(Protocol):
    """Closes a connection for which there is no room; TLS cannot do with ``None`` in its place."""

    def connectionMade(self) -> None:
        """Close it."""
        transport: Any = self.transport
        transport.abortConnection()


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
        self.turns = Turns(reactor)

    def buildProtocol(self, addr: IAddress | None) -> BoundedChannel | NoRoom:  # type: ignore[override]
        """A channel for a new connection, or what closes it."""
        if not self.connections.room_for(address_of(addr)):
            return NoRoom()
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
