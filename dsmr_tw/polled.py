"""Responsible for telegrams of a dongle that has to be asked for them, over HTTP, once a second.

Whatever it does, a request has five seconds in all, and its answer 32 KiB; it sends us nowhere else.
The same telegram is taken once, however often it is answered; one that stays the same for a minute is a silent meter.
A dongle that is away is asked less and less often, at least every 30 s.

Tests: ``tests/test_polled.py``, ``tests/live/test_polled.py``
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    _HTTP11ClientFactory,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from dsmr_tw import __version__
from dsmr_tw.device import explain
from dsmr_tw.errors import FeedError
from dsmr_tw.limits import TELEGRAM_BYTES
from dsmr_tw.serialproto import TelegramReceiver
from dsmr_tw.source import TelegramSource, retry_delay

EVERY_S: Final = 1.0
"""Seconds from one request to the next, while they are answered."""

DEADLINE_S: Final = 5
"""Seconds that a request may take, from looking up the name to the last byte."""

BODY_BYTES: Final = 2 * TELEGRAM_BYTES
"""The longest answer that is read."""

_NO_HTTP: Final = (RequestTransmissionFailed, ResponseFailed)
_EXPECTED: Final = (*_NO_HTTP, FeedError, ConnectError, DNSLookupError, TimeoutError, CancelledError)
"""What a dongle, or the network, may do to a request at any time."""


@define(eq=False, slots=False, kw_only=True)
class PolledSource(TelegramSource):
    """Telegrams of a dongle that is asked, again and again."""

    url: str

    agent: IAgent

    retry_delay: Callable[[int], float] = retry_delay

    _failures: int = field(default=0, init=False, repr=False)
    """Since the last answer."""
    _answers: bool = field(default=False, init=False, repr=False)
    """Whether there ever was one."""
    _last_answer: bytes | None = field(default=None, init=False, repr=False)
    """The last answer."""
    _next: IDelayedCall | None = field(default=None, init=False, repr=False)
    _round: Deferred[None] = field(factory=partial(succeed, None), init=False, repr=False)
    _request: Deferred[bytes] | None = field(default=None, init=False, repr=False)

    def startService(self) -> None:
        """Ask at once."""
        super().startService()
        self._begin()

    def stopService(self) -> Deferred[None]:
        """Ask no more. Fires when nothing is under way any more."""
        super().stopService()
        self._health.connected = False
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._request is not None:
            self._request.cancel()
        ended: Deferred[None] = Deferred()
        self._round.addBoth(lambda _: ended.callback(None))
        return ended

    def _begin(self) -> None:
        """One round; it never fails."""
        self._next = None
        self._round = Deferred.fromCoroutine(self._ask())

    async def _ask(self) -> None:
        begun = self.clock.seconds()
        try:
            answer = await self._answer()
        except _EXPECTED as error:
            self._away("it gives no answer of HTTP" if isinstance(error, _NO_HTTP) else _words(error))
        except Exception:
            self._log.failure("{source}: asking fails:", source=self.origin.name)
            self._away("asking fails, see the log")
        else:
            self._answered(answer)
        if self.running:
            self._next = self.clock.callLater(self._pause(begun), self._begin)

    def _pause(self, begun: float) -> float:
        """Seconds until the next request."""
        if self._failures:
            return max(EVERY_S, self.retry_delay(self._failures))
        # A clock that was set meanwhile makes it no longer.
        return max(0.0, min(EVERY_S, begun + EVERY_S - self.clock.seconds()))

    async def _answer(self) -> bytes:
        """What the dongle answers, if it does so in time."""
        request = self._request = Deferred.fromCoroutine(self._get())
        deadline = self.clock.callLater(DEADLINE_S, request.cancel)
        try:
            return await request
        except _EXPECTED as error:
            # Not addTimeout(): what is cancelled while it connects fails with an error of its own.
            if not deadline.active():
                raise TimeoutError from error
            raise
        finally:
            self._request = None
            if deadline.active():
                deadline.cancel()

    async def _get(self) -> bytes:
        headers = Headers({"User-Agent": [f"dsmr_tw/{__version__}"]})
        response = await self.agent.request(b"GET", self.url.encode("ascii"), headers, None)
        body = _Body(response.code)
        response.deliverBody(body)
        return await body.whole

    def _answered(self, answer: bytes) -> None:
        health = self._health
        if not health.connected:
            health.reconnects += self._answers
            health.connected, self._answers, health.trouble = True, True, None
            if self._tell("connected"):
                self._log.info("{source}: it answers", source=self.origin.name)
        self._failures = 0
        if answer == self._last_answer:
            health.trouble = health.trouble or "it answers with the same telegram again and again"
            return
        self._last_answer = answer
        health.bytes_received += len(answer)
        before = health.telegrams, health.crc_errors, health.rejected
        receiver = TelegramReceiver(self._assembler, self.clock, self._take, self._refuse)
        receiver.dataReceived(answer)
        receiver.connectionLost()
        if before == (health.telegrams, health.crc_errors, health.rejected):
            self._trouble("it answers, but with no telegram; is this the right address?")

    def _away(self, words: str) -> None:
        self._health.connected = False
        self._failures += 1
        if self.running:
            self._trouble(words)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, FeedError) else explain(error)


def dongle_agent(reactor: Any) -> IAgent:
    """An agent that makes a connection for each request: few dongles keep one open."""
    pool = HTTPConnectionPool(reactor, persistent=False)
    pool._factory = _QuietFactory
    return Agent(reactor, connectTimeout=DEADLINE_S, pool=pool)


class _QuietFactory(_HTTP11ClientFactory):
    # Twisted's own logs its start and its stop with each request, and there is no other way to have it silent.
    noisy = False


class _Body(Protocol):
    """Gathers a body, up to a size; as soon as no more of it is wanted, the connection is closed."""

    def __init__(self, status: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._status = status
        self._data = b""

    def connectionMade(self) -> None:
        """The body begins, or is there already."""
        if self._status == HTTPStatus.FORBIDDEN:
            self._refuse("it answers with status 403; is its local API switched on?")
        elif self._status != HTTPStatus.OK:
            self._refuse(f"it answers with status {self._status}; does it offer telegrams at this address?")

    def dataReceived(self, data: bytes) -> None:
        """A piece of it came."""
        if self.whole.called:
            return
        self._data += data
        if len(self._data) > BODY_BYTES:
            self._refuse(f"its answer is longer than {BODY_BYTES} bytes")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It ended, somehow."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(self._data)
        else:
            self.whole.errback(FeedError("it hung up amid its answer"))

    def _refuse(self, reason: str) -> None:
        self.whole.errback(FeedError(reason))
        self._hang_up()

    def _hang_up(self) -> None:
        IPushProducer(self.transport).stopProducing()
