"""Responsible for posting telegrams to another server, as version 1 of its API takes them.

Whatever the other server does, a request has thirty seconds in all, and of its answer 64 KiB are read; it sends us
nowhere else.
One connection is kept open. When the other server has closed it in the moment when it was used, the request is made
once more, on a new one.

Tests: ``tests/sinks/test_forward.py``, ``tests/live/test_forward.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectionClosed,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, IReactorTime, ITCPTransport, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import HTTP11ClientProtocol
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
    _HTTP11ClientFactory,
)
from twisted.web.http import PotentialDataLoss, stringToDatetime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from dsmr_tw import __version__
from dsmr_tw.domain.forwarded import Answer, bounded_pause, form_body, received_header, taken_together
from dsmr_tw.domain.spooled import Record
from dsmr_tw.errors import SinkError
from dsmr_tw.interfaces import ITarget

DEADLINE_S: Final = 30
"""Seconds that a request may take, from looking up the name to the last byte."""

CONNECT_S: Final = 10

BODY_BYTES: Final = 64 * 1024
"""The longest answer that is read."""

LONGEST_WORDS: Final = 300
"""Characters of an answer that are told."""

_NO_HTTP: Final = (RequestTransmissionFailed, ResponseFailed)
_EXPECTED: Final = (*_NO_HTTP, SinkError, ConnectError, DNSLookupError, TimeoutError, ConnectionClosed, CancelledError)
"""What another host, or the network, may do to a request at any time."""


@implementer(ITarget)
@define(eq=False)
class HttpTarget:
    """A server with version 1 of the API."""

    name: str
    """See ``ITarget``."""
    url: str
    key: str = field(repr=False)
    agent: IAgent = field(repr=False)
    clock: IReactorTime

    def post(self, records: Sequence[Record]) -> Deferred[Answer]:
        """See ``ITarget``."""
        return Deferred.fromCoroutine(self._post(records))

    async def _post(self, records: Sequence[Record]) -> Answer:
        request = Deferred.fromCoroutine(self._ask(records))
        deadline = self.clock.callLater(DEADLINE_S, request.cancel)
        try:
            return await request
        except _EXPECTED as error:
            # Not addTimeout(): what is cancelled while it connects fails with an error of its own.
            words = f"it did not answer within {DEADLINE_S} seconds" if not deadline.active() else explained(error)
            raise SinkError(words) from error
        finally:
            if deadline.active():
                deadline.cancel()

    async def _ask(self, records: Sequence[Record]) -> Answer:
        headers, body = self._headers(records), form_body(records)
        try:
            response = await self._request(headers, body)
        except _NO_HTTP as error:
            if not _was_closed(error):
                raise
            response = await self._request(headers, body)
        text = _Body(response.code)
        response.deliverBody(text)
        return self._answer(response, await text.whole)

    def _request(self, headers: Headers, body: bytes) -> Deferred[IResponse]:
        return self.agent.request(b"POST", self.url.encode("ascii"), headers, _Bytes(body))

    def _headers(self, records: Sequence[Record]) -> Headers:
        headers = Headers(
            {
                "User-Agent": [f"dsmr_tw/{__version__}"],
                "Content-Type": ["application/x-www-form-urlencoded"],
                "X-AUTHKEY": [self.key],
            }
        )
        received = received_header(records)
        if received is not None:
            headers.setRawHeaders("X-Received-At", [received])
        return headers

    def _answer(self, response: IResponse, body: bytes) -> Answer:
        together, *_ = response.headers.getRawHeaders("X-Dsmr-Batch") or [None]
        pause, *_ = response.headers.getRawHeaders("Retry-After") or [None]
        return Answer(response.code, _on_one_line(body), taken_together(together), self._seconds(pause))

    def _seconds(self, said: str | None) -> float | None:
        """How long we shall wait: a number of seconds, or until a date."""
        if said is None:
            return None
        if said.isascii() and said.isdigit() and len(said) < 10:
            return bounded_pause(int(said))
        try:
            return bounded_pause(stringToDatetime(said.encode("ascii")) - self.clock.seconds())
        except (ValueError, LookupError):
            return None


def forward_agent(reactor: Any, policy: IPolicyForHTTPS | None = None) -> IAgent:
    """An agent that keeps one connection open; ``policy`` says whom HTTPS believes."""
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = 1
    # Twisted would repeat no POST by itself; what is repeated is decided above.
    pool.retryAutomatically = False
    pool._factory = _QuietFactory
    trust = {} if policy is None else {"contextFactory": policy}
    return Agent(reactor, connectTimeout=CONNECT_S, pool=pool, **trust)


class _Connection(HTTP11ClientProtocol):
    """One that sends at once: else the end of a long body waits, 40 ms, until its beginning is acknowledged."""

    def makeConnection(self, transport: ITransport) -> None:
        super().makeConnection(transport)
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)


class _QuietFactory(_HTTP11ClientFactory):
    # Twisted's own logs its start and its stop with each connection, and there is no other way to have it silent.
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> HTTP11ClientProtocol:
        return _Connection(self._quiescentCallback)


@implementer(IBodyProducer)
@define(eq=False)
class _Bytes:
    """A body that is in memory."""

    data: bytes
    length: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.length = len(self.data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Give all of it at once."""
        consumer.write(self.data)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def pauseProducing(self) -> None:
        """There is nothing more."""

    def resumeProducing(self) -> None:
        """There is nothing more."""

    def stopProducing(self) -> None:
        """There is nothing more."""


class _Body(Protocol):
    """Gathers a body, up to a size; as soon as no more of it is wanted, the connection is closed."""

    def __init__(self, status: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._data = b""
        self._is_good = status in (HTTPStatus.OK, HTTPStatus.CREATED)

    def dataReceived(self, data: bytes) -> None:
        """A piece of it came."""
        self._data += data
        if len(self._data) > BODY_BYTES and not self.whole.called:
            # The status says all.
            self.whole.callback(self._data)
            self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It ended, somehow."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss) or self._is_good:
            self.whole.callback(self._data)
        else:
            self.whole.errback(SinkError("it hung up amid its answer"))

    def _hang_up(self) -> None:
        IPushProducer(self.transport).stopProducing()


def _was_closed(error: Exception) -> bool:
    """Whether the connection was closed before anything of an answer came."""
    reasons: Sequence[Failure] = getattr(error, "reasons", ())
    closed = bool(reasons) and all(reason.check(ConnectionClosed) for reason in reasons)
    return closed and isinstance(error, ResponseNeverReceived | RequestTransmissionFailed)


def _on_one_line(body: bytes) -> str:
    """The beginning of a text for people, whoever wrote it: it may be shown on a terminal."""
    words = " ".join(body[: 4 * LONGEST_WORDS].decode("utf-8", "replace").split())
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words)[:LONGEST_WORDS]


def explained(error: Exception) -> str:
    """Why there was no answer, in words."""
    match error:
        case SinkError():
            return str(error)
        case ConnectionRefusedError():
            return "it refuses the connection; does a server run there?"
        case DNSLookupError():
            return "no host has that name"
        case TimeoutError() | TCPTimedOutError():
            return "it does not answer"
        case CancelledError():
            return "the request was broken off"
        case ConnectError():
            return f"it can't be reached: {error}".rstrip(".")
    kinds = {type(reason.value).__name__ for reason in getattr(error, "reasons", ())}
    # Names, since the packages are not there where no server is asked by HTTPS.
    if "VerificationError" in kinds:
        return "its certificate is for another name than that in the address"
    if "Error" in kinds:
        return (
            "it can't prove who it is: its certificate is self-signed, expired or of an unknown authority; "
            "if it is yours, name the file with its certificate, or that of its authority, as --ca-file"
        )
    if isinstance(error, ConnectionClosed) or (kinds and _was_closed(error)):
        return "it hung up without an answer"
    return "it gives no answer of HTTP; is the address right?"
