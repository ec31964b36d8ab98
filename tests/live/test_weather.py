"""Temperatures over real sockets: hosts that answer in any way but the right one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.weather import BODY_BYTES, DEADLINE_S, FIRST_S, WeatherService, internet_agent
from dsmr_tw.weatherfeeds import Buienradar
from tests.arrivals import NOON
from tests.feeding import answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@define(eq=False)
class RawHost(Protocol):
    """The other end of a connection; the test says what it does when a request has come."""

    behave: Callable[[RawHost], object]
    asked: Deferred[None]
    ended: Deferred[None]

    def dataReceived(self, data: bytes) -> None:
        """The request came."""
        self.behave(self)
        self.asked.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection ended."""
        self.ended.callback(None)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        assert self.transport is not None
        self.transport.write(data)

    def hang_up(self) -> None:
        """Close the connection when all is sent."""
        assert self.transport is not None
        self.transport.loseConnection()

    def resumeProducing(self) -> None:
        """Go on, for ever."""
        self.send(b"8000\r\n" + b" " * 0x8000 + b"\r\n")

    def stopProducing(self) -> None:
        """See ``IPullProducer``."""


class RawHostTests(TestCase):
    """A service whose clock the test moves, and whose requests go to a port of this machine."""

    timeout = 30

    def setUp(self) -> None:
        """An empty store, and nobody who listens yet."""
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        self.successResultOf(self.store.open())
        self.addCleanup(self.store.close)
        self.asked: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.over: Deferred[None] = Deferred()

    def ask(self, port: int) -> WeatherService:
        """Let a service ask this port now."""

        def end_of_round() -> float:
            self.over.callback(None)
            return 0.0

        feed = Buienradar(6260, base=f"http://127.0.0.1:{port}")
        weather = WeatherService(feed, self.store.temperatures, internet_agent(reactor), self.clock, end_of_round)
        weather.startService()
        self.addCleanup(weather.stopService)
        self.clock.advance(FIRST_S)
        return weather

    def listen(self, behave: Callable[[RawHost], object]) -> Any:
        """A port where a host listens that behaves like this."""
        hosts: Any = Factory.forProtocol(lambda: RawHost(behave, self.asked, self.ended))
        hosts.noisy = False
        return reactor.listenTCP(0, hosts, interface="127.0.0.1")

    def ask_one_that(self, behave: Callable[[RawHost], object]) -> WeatherService:
        """Let a service ask a host that behaves like this."""
        port = self.listen(behave)
        self.addCleanup(port.stopListening)
        return self.ask(port.getHost().port)

    async def trouble(self, behave: Callable[[RawHost], object]) -> str | None:
        """What is said of such a host; its connection is closed afterwards."""
        weather = self.ask_one_that(behave)
        await self.over
        await self.ended
        return weather.last_error

    async def test_an_answer_that_ends_with_its_connection(self) -> None:
        """An old server does not say how long its answer is, and is understood all the same, with a word in the log."""

        def behave(host: RawHost) -> None:
            host.send(b"HTTP/1.0 200 OK\r\n\r\n" + answer())
            host.hang_up()

        with capturedLogs() as events:
            self.assertIsNone(await self.trouble(behave))
        told = [formatEvent(event) or "" for event in events]
        self.assertEqual([line for line in told if " starting on " not in line], ["temperatures come from buienradar"])
        page = await self.store.temperatures.page(None, None, False, 0, 10)
        self.assertEqual(page.count, 1)

    async def test_an_endless_answer(self) -> None:
        """It is cut off, and the connection closed, though the host would go on for ever."""

        def behave(host: RawHost) -> None:
            host.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            assert host.transport is not None
            host.transport.registerProducer(host, False)  # type: ignore[attr-defined]

        self.assertRegex(str(await self.trouble(behave)), "^its answer is longer than")

    async def test_what_comes_after_the_end(self) -> None:
        """What came in one piece with the last byte that we take is not looked at."""

        def behave(host: RawHost) -> None:
            longest = b"%x\r\n" % BODY_BYTES + b" " * BODY_BYTES + b"\r\n"
            host.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + longest + b"1\r\n \r\n" * 50)

        self.assertRegex(str(await self.trouble(behave)), "^its answer is longer than")

    async def test_an_answer_that_breaks_off(self) -> None:
        """Half an answer is none."""

        def behave(host: RawHost) -> None:
            host.send(HEAD + b"Content-Length: 1000\r\n\r\n" + answer())
            host.hang_up()

        self.assertEqual(await self.trouble(behave), "it hung up amid its answer")

    async def test_what_is_no_http(self) -> None:
        """Whatever speaks there, it is told."""

        def behave(host: RawHost) -> None:
            host.send(b"220 mail.example ESMTP\r\n")
            host.hang_up()

        self.assertRegex(str(await self.trouble(behave)), "^it gave no answer of HTTP: ")

    async def test_nothing_at_all(self) -> None:
        """A host may hang up without a word."""
        self.assertRegex(str(await self.trouble(RawHost.hang_up)), "^it gave no answer of HTTP: ")

    async def test_a_slow_answer(self) -> None:
        """When the time is over, the connection is closed from our side."""
        weather = self.ask_one_that(lambda host: host.send(HEAD))
        await self.asked
        self.clock.advance(DEADLINE_S)
        await self.over
        await self.ended
        self.assertEqual(weather.last_error, "it did not answer within 10 seconds")

    async def test_nobody_listens(self) -> None:
        """A connection that is refused is told."""
        port = self.listen(RawHost.hang_up)
        number = port.getHost().port
        await port.stopListening()
        weather = self.ask(number)
        await self.over
        self.assertRegex(str(weather.last_error), "^it can't be reached: .*refused")
