"""Responsible for fetching the outdoor temperature, again and again, from a feed on the Internet.

Whatever the other host does costs nothing but a temperature: it has ten seconds in all and two MiB, nothing of it is
decompressed, it sends us nowhere else, and no error leaves this service.
An outage is told once, with its reason, and so is its end; meanwhile the feed is asked less and less often.

treq is the client; it is given an agent, so that tests decide where requests go.

Tests: ``tests/test_weather.py``, ``tests/test_weather_trouble.py``, ``tests/live/test_weather.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from random import random
from typing import Any, ClassVar, Final

from attrs import define, field, frozen
from treq.client import HTTPClient
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    _HTTP11ClientFactory,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from dsmr_tw import __version__
from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import DsmrError, FeedError
from dsmr_tw.interfaces import IReporting, ITemperatures
from dsmr_tw.weatherfeeds import Feed

FIRST_S: Final = 5
"""Seconds from the start to the first request; the store is opened meanwhile."""

EVERY_S: Final = 15 * 60
"""Seconds from one temperature to the next request: feeds have a new one each ten or fifteen minutes."""

RETRY_S: Final = 60
"""Seconds after a first failure; each further one doubles them."""

LONGEST_S: Final = 60 * 60
"""The most seconds after a failure."""

JITTER_S: Final = 60
"""At most so many more, so that many houses do not ask in the same second."""

DEADLINE_S: Final = 10
"""Seconds that a request may take, from looking up the name to the last byte."""

BODY_BYTES: Final = 2 * 1024 * 1024
"""The longest answer that is read: twenty times the longest feed."""

LONGEST_WORDS: Final = 200
"""Characters of what a library says about another host's answer, which may be in it."""

EXPECTED: Final = (DsmrError, ConnectError, DNSLookupError, RequestTransmissionFailed, ResponseFailed)
"""What another host, the network or the disk may do to a request at any time."""

HEADERS: Final = {"Accept": ["application/json"], "User-Agent": [f"dsmr_tw/{__version__}"]}


@implementer(IReporting)
@define(eq=False)
class WeatherService(Service):
    """Asks a feed for its newest temperature, and stores it."""

    feed: Feed
    temperatures: ITemperatures
    agent: IAgent
    clock: IReactorTime
    jitter: Callable[[], float] = random
    """A number from 0 to 1, another one each time."""

    heading: ClassVar[str] = "weather"

    last_success_at: int | None = field(default=None, init=False)
    """When a temperature was last stored."""
    last_error: str | None = field(default=None, init=False)
    """Why, in words, none came the last time; ``None`` when one did."""
    _failures: int = field(default=0, init=False)
    """Since the last success."""
    _next: IDelayedCall | None = field(default=None, init=False)
    _round: Deferred[None] | None = field(default=None, init=False)
    _request: Deferred[bytes] | None = field(default=None, init=False)
    _log = Logger()

    def startService(self) -> None:
        """Begin soon."""
        super().startService()
        self._plan(FIRST_S)

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way any more: a request is broken off, a temperature is stored to the end."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._request is not None:
            self._request.cancel()
        if self._round is None:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._round.addBoth(lambda _: ended.callback(None))
        return ended

    def figures(self) -> dict[str, object]:
        """See ``IReporting``."""
        last = self.last_success_at
        return {"last_success_at": None if last is None else to_utc_text(last), "last_error": self.last_error}

    def problems(self) -> list[str]:
        """See ``IReporting``: no reading suffers from what is wrong here."""
        return []

    def _plan(self, seconds: float) -> None:
        self._next = self.clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        """One round; it never fails."""
        self._next = None
        self._round = Deferred.fromCoroutine(self._ask())

    async def _ask(self) -> None:
        try:
            answer = await self._answer()
            now = int(self.clock.seconds() * SECOND)
            await self.temperatures.add([self.feed.temperature(answer, now)])
        except CancelledError:
            self._failed("the request was broken off")
        except EXPECTED as error:
            self._failed(_explained(error))
        except Exception as error:
            self._log.failure("fetching a temperature failed")
            self._failed(f"{type(error).__name__}, see the log")
        else:
            self._succeeded(now)
        if self.running:
            self._plan(self._pause())

    async def _answer(self) -> bytes:
        """What the feed answers, if it does so in time."""
        request = self._request = Deferred.fromCoroutine(self._get())
        deadline = self.clock.callLater(DEADLINE_S, request.cancel)
        try:
            return await request
        except Exception as error:
            # Not addTimeout(): what is cancelled while it connects fails with an error of its own.
            if not deadline.active():
                raise FeedError(f"it did not answer within {DEADLINE_S} seconds") from error
            raise
        finally:
            self._request = None
            if deadline.active():
                deadline.cancel()

    async def _get(self) -> bytes:
        # A client for each request has no cookies of the one before.
        client = HTTPClient(_PlainAgent(self.agent))
        response = await client.get(self.feed.url, headers=Headers(HEADERS), allow_redirects=False, unbuffered=True)
        body = _Body(response.code)
        response.deliverBody(body)
        return await body.whole

    def _pause(self) -> float:
        """Seconds until the next round."""
        pause = EVERY_S
        if self._failures:
            pause = min(RETRY_S * 2 ** min(self._failures - 1, 10), LONGEST_S)
        return pause + self.jitter() * JITTER_S

    def _succeeded(self, now: int) -> None:
        if self.last_success_at is None or self.last_error is not None:
            self._log.info("temperatures come from {feed}", feed=self.feed.name)
        self._failures = 0
        self.last_success_at, self.last_error = now, None

    def _failed(self, reason: str) -> None:
        if not self.running:
            # We ourselves broke it off.
            return
        self._failures += 1
        if reason != self.last_error:
            self._log.warn("no temperature from {feed}: {reason}", feed=self.feed.name, reason=reason)
        self.last_error = reason


def internet_agent(reactor: Any) -> IAgent:
    """An agent that asks the Internet, and believes those who can prove who they are."""
    pool = HTTPConnectionPool(reactor, persistent=False)
    pool._factory = _QuietFactory
    return Agent(reactor, BrowserLikePolicyForHTTPS(), connectTimeout=DEADLINE_S, pool=pool)


class _QuietFactory(_HTTP11ClientFactory):
    # Twisted's own logs its start and its stop with each request, and there is no other way to have it silent.
    noisy = False


class _Body(Protocol):
    """Gathers a body, up to a size; as soon as no more of it is wanted, the connection is closed."""

    def __init__(self, status: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._status = status
        self._parts: list[bytes] = []
        self._size = 0

    def connectionMade(self) -> None:
        """The body begins, or is there already."""
        if self._status != HTTPStatus.OK:
            self._refuse(f"it answers with status {self._status}")

    def dataReceived(self, data: bytes) -> None:
        """A piece of it came."""
        if self.whole.called:
            return
        self._size += len(data)
        self._parts.append(data)
        if self._size > BODY_BYTES:
            self._refuse(f"its answer is longer than {BODY_BYTES} bytes")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It ended, somehow."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(FeedError("it hung up amid its answer"))

    def _refuse(self, reason: str) -> None:
        self._parts.clear()
        self.whole.errback(FeedError(reason))
        self._hang_up()

    def _hang_up(self) -> None:
        # Not loseConnection(): through TLS that waits for the other side to agree, and reads on meanwhile.
        IPushProducer(self.transport).stopProducing()


@implementer(IAgent)
@frozen
class _PlainAgent:
    """An agent whose answers are taken as they are: a few bytes that were compressed may be gigabytes."""

    agent: IAgent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        plain = Headers() if headers is None else headers.copy()
        plain.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self.agent.request(method, uri, plain, bodyProducer).addCallback(_as_it_is)


def _as_it_is(response: IResponse) -> IResponse:
    """The response without the header that would have treq decompress it."""
    response.headers.removeHeader(b"Content-Encoding")
    return response


def _explained(error: Exception) -> str:
    """What went wrong, in words; another host's own words not for long."""
    if isinstance(error, DsmrError):
        return str(error)
    if isinstance(error, ConnectError | DNSLookupError):
        return f"it can't be reached: {error}".rstrip(".")
    reasons: Sequence[Failure] = getattr(error, "reasons", ())
    words = "; ".join(reason.getErrorMessage() for reason in reasons)
    return f"it gave no answer of HTTP: {words[:LONGEST_WORDS]}".rstrip(".")
