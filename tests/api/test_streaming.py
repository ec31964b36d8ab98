"""Long answers on their way: slices, clients that do not fetch, clients that hang up, and what goes wrong."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request

from dsmr_tw.api.streaming import Stream
from dsmr_tw.connections import Connections
from dsmr_tw.httpserver import FETCH_SECONDS, BoundedChannel, BoundedSite
from dsmr_tw.limits import Limits
from tests.serving import Transport, answer_of, request_bytes

BUFFER = 4096
"""Bytes that are written before the transport asks for a pause."""


class NarrowTransport(Transport):
    """A transport that asks for a pause when its buffer is full, as a socket's does."""

    producer: Any

    def write(self, data: bytes) -> None:
        """Take bytes, whatever they are."""
        super().write(data)
        if len(self.value()) > BUFFER:
            self.producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        """Take them one by one."""
        self.write(b"".join(data))

    def fetch(self) -> bytes:
        """What the client fetches, who then waits for more."""
        data: bytes = self.value()
        self.clear()
        self.producer.resumeProducing()
        return data


@define
class Numbers:
    """Parts of an answer: so many lines of a hundred bytes, each made when it is asked for."""

    number: int
    made: int = 0
    error: Exception | None = None
    waits_for: Deferred[None] | None = None

    @property
    def done(self) -> bool:
        """See ``Parts``."""
        return self.made >= self.number

    async def part(self) -> bytes:
        """See ``Parts``."""
        if self.waits_for is not None:
            await self.waits_for
        if self.error is not None:
            raise self.error
        self.made += 1
        return b"%099d\n" % self.made


@define
class Streams:
    """Answers each request with all that the numbers have."""

    clock: Clock
    numbers: Numbers
    ended: list[str] = field(factory=list)

    app = Klein()

    @app.route("/")
    async def stream(self, request: Request) -> bytes:
        """Begin with a line, and go on."""
        try:
            await Stream(request, self.clock).send(b"first\n", self.numbers)
        finally:
            self.ended.append("over")
        return b""


class StreamTests(SynchronousTestCase):
    """One answer, through a real site."""

    def serve(self, numbers: Numbers) -> tuple[BoundedChannel, NarrowTransport]:
        """A connection to a site that answers with these."""
        self.clock = Clock()
        self.streams = Streams(self.clock, numbers)
        site = BoundedSite(self.streams.app.resource(), self.clock, Connections(Limits()))
        channel = site.buildProtocol(None)
        assert isinstance(channel, BoundedChannel)
        transport = NarrowTransport()
        transport.protocol = channel
        channel.makeConnection(transport)
        return channel, transport

    def ask(self, numbers: Numbers, version: bytes = b"1.1") -> tuple[BoundedChannel, NarrowTransport]:
        """The same, with a request sent."""
        channel, transport = self.serve(numbers)
        channel.dataReceived(request_bytes("GET", "/", {"Host": "a"}).replace(b"1.1", version))
        return channel, transport

    def test_everything_arrives(self) -> None:
        """The answer is sent in chunks, and the connection can be used again."""
        channel, transport = self.ask(Numbers(3))
        self.clock.advance(0)
        answer = answer_of(transport.value())
        self.assertEqual(answer.body.splitlines(), [b"first", *(b"%099d" % n for n in (1, 2, 3))])
        self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
        transport.clear()
        channel.dataReceived(request_bytes("GET", "/", {"Host": "a"}))
        self.assertEqual(answer_of(transport.value()).body, b"first\n")

    def test_an_old_client(self) -> None:
        """HTTP/1.0 knows no chunks: there the answer ends with the connection."""
        _, transport = self.ask(Numbers(3), b"1.0")
        self.clock.advance(0)
        self.assertEqual(transport.value().partition(b"\r\n\r\n")[2].count(b"\n"), 4)
        self.assertTrue(transport.disconnecting)

    def test_other_work_comes_between(self) -> None:
        """Between two parts the reactor does whatever else waits."""
        numbers = Numbers(20)
        seen: list[int] = []

        def look() -> None:
            seen.append(numbers.made)
            if not numbers.done:
                self.clock.callLater(0, look)

        self.ask(numbers)
        look()
        self.clock.advance(0)
        self.assertEqual(seen, list(range(21)))

    def test_a_client_that_never_reads(self) -> None:
        """Nothing is made for a client that does not fetch, however long there is more; it is cut off in the end."""
        numbers = Numbers(1_000_000)
        channel, transport = self.ask(numbers)
        self.clock.advance(0)
        self.clock.advance(FETCH_SECONDS - 1)
        self.assertLess(numbers.made, BUFFER // 100 + 2)
        self.assertLess(len(transport.value()), BUFFER + 200)
        self.assertFalse(transport.aborted)
        self.clock.advance(1)
        self.assertTrue(transport.aborted)
        channel.connectionLost(Failure(ConnectionError()))
        self.assertEqual(self.streams.ended, ["over"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_client_that_does_not_read_what_was_before(self) -> None:
        """Who has not fetched what came before this answer gets nothing of it beyond its beginning, until it does."""
        numbers = Numbers(10)
        channel, transport = self.serve(numbers)
        channel.pauseProducing()
        channel.dataReceived(request_bytes("GET", "/", {"Host": "a"}))
        self.clock.advance(1)
        self.assertEqual(numbers.made, 0)
        transport.fetch()
        self.clock.advance(0)
        self.assertEqual(numbers.made, 10)

    def test_a_slow_client(self) -> None:
        """Who fetches now and then gets everything in the end, in order."""
        numbers = Numbers(500)
        channel, transport = self.ask(numbers)
        data, most = b"", 0
        while not self.streams.ended:
            self.clock.advance(FETCH_SECONDS - 1)
            most = max(most, len(transport.value()))
            data += transport.fetch()
            # A pause that is over before anybody waits for its end is none, however often it is told.
            for told in (channel.pauseProducing, channel.resumeProducing):
                told()
                told()
        data += transport.fetch()
        self.assertEqual(answer_of(data).body, b"first\n" + b"".join(b"%099d\n" % n for n in range(1, 501)))
        self.assertLess(most, BUFFER + 500)

    def test_a_client_that_hangs_up(self) -> None:
        """Whatever was waited for is given up, and nothing is logged."""
        waiting: Deferred[None] = Deferred()
        for numbers in (Numbers(1_000_000), Numbers(5, waits_for=waiting)):
            channel, transport = self.ask(numbers)
            self.clock.advance(0)
            transport.producer.stopProducing()
            channel.connectionLost(Failure(ConnectionError()))
            made = numbers.made
            self.assertEqual(self.streams.ended, ["over"])
            self.clock.advance(1)
            self.assertEqual(numbers.made, made)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_goes_wrong(self) -> None:
        """The connection is cut, so that the client can't take what it has for the whole; the log says why."""
        numbers = Numbers(100)
        channel, transport = self.ask(numbers)
        numbers.error = RuntimeError("the disk is gone")
        self.clock.advance(0)
        self.assertTrue(transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(transport.value().endswith(b"first\n\r\n"), transport.value())
        channel.connectionLost(Failure(ConnectionError()))
        self.assertTrue(transport.value().endswith(b"first\n\r\n"))
        self.assertEqual(self.streams.ended, ["over"])
