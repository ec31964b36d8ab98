"""HTTP that keeps its bounds: slow, greedy, silent and very many clients."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from dsmr_tw.httpserver import FETCH_SECONDS, HEADERS, IDLE_SECONDS, BoundedChannel, BoundedSite, Connections
from dsmr_tw.limits import BODY_BYTES, HEADER_BYTES, REQUEST_SECONDS, Limits
from tests.serving import Answer, Transport, answer_of

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD_OF_POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


class Echo(Resource):
    """Answers with how much of the body was kept; ``/wait`` is answered when the test says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        """Answer, later or not at all."""
        if request.path == b"/wait":
            self.waiting.append(request)
            return NOT_DONE_YET
        if request.path == b"/fault":
            raise RuntimeError("a secret of ours")
        return b"%d" % len(request.content.read())  # type: ignore[union-attr]  # a body is always here


class SiteCase(SynchronousTestCase):
    """A site with room for four connections, two of them from one address."""

    def setUp(self) -> None:
        """A site that nobody has asked yet."""
        self.clock = Clock()
        self.limits = Limits()
        self.echo = Echo()
        connections = Connections(self.limits, total=4, per_address=2, is_proxy="192.0.2.99".__eq__)
        self.site = BoundedSite(self.echo, self.clock, connections)
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def connect(self, address: str = "192.0.2.1") -> tuple[BoundedChannel, Transport]:
        """A new connection, for which there must be room."""
        channel = self.site.buildProtocol(IPv4Address("TCP", address, 5))
        assert channel is not None, "there is no room"
        transport = Transport(peerAddress=IPv4Address("TCP", address, 5))
        transport.protocol = channel
        channel.makeConnection(transport)
        return channel, transport

    def refused(self, address: str) -> bool:
        """Whether there is no room for one more from this address."""
        return self.site.buildProtocol(IPv4Address("TCP", address, 5)) is None

    def lose(self, channel: BoundedChannel) -> None:
        """The connection is gone."""
        channel.connectionLost(Failure(ConnectionError()))

    def answer(self, transport: Transport) -> Answer:
        """What was answered since the last time."""
        answer = answer_of(transport.value())
        transport.clear()
        return answer


class DeadlineTests(SiteCase):
    """A whole request within ten seconds."""

    def test_one_byte_a_second(self) -> None:
        """A request that trickles in is cut off after ten seconds, however busy it looks."""
        channel, transport = self.connect()
        for byte in GET[: REQUEST_SECONDS - 1]:
            channel.dataReceived(bytes([byte]))
            self.clock.advance(1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertEqual(self.answer(transport).status, 408)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(self.limits.hits["request_seconds"], 1)

    def test_a_body_that_trickles(self) -> None:
        """The body counts, too, also one that is too large and only thrown away."""
        for length in (100, BODY_BYTES * 10):
            channel, transport = self.connect()
            channel.dataReceived(HEAD_OF_POST % length)
            for _ in range(REQUEST_SECONDS):
                channel.dataReceived(b"x")
                self.clock.advance(1)
            self.assertEqual(self.answer(transport).status, 408)

    def test_silence(self) -> None:
        """A connection on which nothing comes at all is closed after ten seconds, without a word."""
        _, transport = self.connect()
        self.clock.advance(REQUEST_SECONDS)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.value(), b"")
        self.assertEqual(self.limits.hits["request_seconds"], 0)

    def test_between_requests(self) -> None:
        """Between two requests a connection may rest for a minute; then the next has ten seconds of its own."""
        channel, transport = self.connect()
        self.clock.advance(REQUEST_SECONDS - 1)
        channel.dataReceived(GET)
        self.assertEqual(self.answer(transport).status, 200)
        self.clock.advance(IDLE_SECONDS - 1)
        channel.dataReceived(GET[:10])
        self.clock.advance(REQUEST_SECONDS - 1)
        channel.dataReceived(GET[10:])
        self.assertEqual(self.answer(transport).status, 200)
        self.clock.advance(IDLE_SECONDS - 1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_a_slow_answer(self) -> None:
        """How long we need for the answer is not the client's fault."""
        channel, transport = self.connect()
        channel.dataReceived(GET.replace(b"/ ", b"/wait "))
        self.clock.advance(10 * IDLE_SECONDS)
        self.assertFalse(transport.disconnecting)
        self.echo.waiting[0].finish()
        self.assertEqual(self.answer(transport).status, 200)

    def test_one_after_the_other(self) -> None:
        """Requests sent at once are answered in order, and the rest of the last has ten seconds."""
        channel, transport = self.connect()
        channel.dataReceived(GET.replace(b"/ ", b"/wait ") + GET + GET[:5])
        self.clock.advance(IDLE_SECONDS)
        self.echo.waiting[0].write(b"first")
        self.echo.waiting[0].finish()
        self.assertEqual(transport.value().count(b"HTTP/1.1 200 OK"), 2)
        transport.clear()
        self.clock.advance(REQUEST_SECONDS)
        self.assertEqual(self.answer(transport).status, 408)

    def test_nothing_stays_behind(self) -> None:
        """When a connection is gone no timer of it is left, in whatever state it was."""
        for data in (b"", GET[:5], GET, GET.replace(b"/ ", b"/wait "), b"x" * 2 * HEADER_BYTES):
            channel, transport = self.connect()
            if data:
                channel.dataReceived(data)
            self.lose(channel)
            self.assertEqual(self.clock.getDelayedCalls(), [], data)


class SizeTests(SiteCase):
    """Headers and bodies."""

    def test_a_long_header(self) -> None:
        """Headers of 8 KiB are read; what is longer, in one line or in many, is refused."""
        line = b"X-A: " + b"a" * 993 + b"\r\n"
        start = b"GET / HTTP/1.1\r\n"
        fitting = start + line * 8 + b"X: " + b"a" * (HEADER_BYTES - len(start) - 8 * len(line) - 7) + b"\r\n\r\n"
        self.assertEqual(len(fitting), HEADER_BYTES)
        channel, transport = self.connect()
        channel.dataReceived(fitting)
        self.assertEqual(self.answer(transport).status, 200)
        channel.dataReceived(fitting)
        self.assertEqual(self.answer(transport).status, 200)
        self.lose(channel)
        for data in (
            fitting.replace(b"\r\n\r\n", b"a\r\n\r\n"),
            start + b"X: " + b"a" * HEADER_BYTES,
            b"G" * 2 * HEADER_BYTES,
        ):
            channel, transport = self.connect()
            channel.dataReceived(data)
            channel.dataReceived(b"more\r\n\r\n")
            answer = self.answer(transport)
            self.assertEqual((answer.status, list(answer.json)), (431, ["detail"]))
            self.assertEqual(transport.value(), b"")
            self.assertTrue(transport.disconnecting)
            self.lose(channel)
        self.assertEqual(self.limits.hits["header_bytes"], 3)

    def test_many_headers(self) -> None:
        """A hundred header lines are read, more are refused."""
        for lines, status in ((HEADERS, 200), (HEADERS + 1, 400)):
            channel, transport = self.connect()
            channel.dataReceived(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * lines + b"\r\n")
            self.assertIn(b"HTTP/1.1 %d" % status, transport.value())

    def test_a_large_body(self) -> None:
        """Of a body that is too large one byte more is kept than it may have; the connection goes on."""
        channel, transport = self.connect()
        for length, kept in (
            (BODY_BYTES, BODY_BYTES),
            (BODY_BYTES + 1, BODY_BYTES + 1),
            (BODY_BYTES * 5, BODY_BYTES + 1),
        ):
            channel.dataReceived(HEAD_OF_POST % length)
            for start in range(0, length, 65536):
                channel.dataReceived(b"x" * min(65536, length - start))
            self.assertEqual(self.answer(transport).body, b"%d" % kept)
        self.assertEqual(self.limits.hits["body_bytes"], 2)

    def test_a_large_body_in_chunks(self) -> None:
        """The same holds for a body that does not say how long it will be."""
        channel, transport = self.connect()
        channel.dataReceived(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            channel.dataReceived(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        channel.dataReceived(b"0\r\n\r\n")
        self.assertEqual(self.answer(transport).body, b"%d" % (BODY_BYTES + 1))
        self.assertEqual(self.limits.hits["body_bytes"], 1)

    def test_forms_are_not_parsed(self) -> None:
        """Forms are left to the routes, which bound them."""
        channel, transport = self.connect()
        head = HEAD_OF_POST.replace(b"Host", b"Content-Type: multipart/form-data; boundary=x\r\nHost")
        channel.dataReceived(head % 5 + b"wrong")
        self.assertEqual(self.answer(transport).body, b"5")


class RoomTests(SiteCase):
    """How many connections there may be."""

    def busy(self, address: str) -> tuple[BoundedChannel, Transport]:
        """A connection on which a request has begun."""
        channel, transport = self.connect(address)
        channel.dataReceived(GET[:5])
        return channel, transport

    def test_many_from_one_address(self) -> None:
        """One address gets no more than its share; others are not troubled by it."""
        self.busy("192.0.2.1")
        channel, _ = self.busy("192.0.2.1")
        self.assertTrue(self.refused("192.0.2.1"))
        self.busy("192.0.2.2")
        self.assertEqual(self.limits.hits["connections_per_address"], 1)
        self.lose(channel)
        self.assertFalse(self.refused("192.0.2.1"))

    def test_many_in_all(self) -> None:
        """When all connections are busy there is no room for anybody."""
        first, _ = self.busy("192.0.2.1")
        for number in (2, 3, 4):
            self.busy(f"192.0.2.{number}")
        self.assertTrue(self.refused("192.0.2.5"))
        self.assertEqual(self.limits.hits["connections"], 1)
        self.lose(first)
        self.assertFalse(self.refused("192.0.2.5"))

    def test_idle_ones_make_room(self) -> None:
        """The connection that has been idle longest makes room for a new one; one being answered never does."""
        first, first_transport = self.connect("192.0.2.1")
        second, second_transport = self.connect("192.0.2.2")
        waiting, waiting_transport = self.connect("192.0.2.3")
        waiting.dataReceived(GET.replace(b"/ ", b"/wait "))
        self.busy("192.0.2.4")
        first.dataReceived(GET)
        self.connect("192.0.2.5")
        self.assertTrue(second_transport.disconnecting)
        self.lose(second)
        self.assertFalse(first_transport.disconnecting)
        busy, _ = self.busy("192.0.2.6")
        self.assertTrue(first_transport.disconnecting)
        self.lose(busy)
        self.busy("192.0.2.6")
        self.busy("192.0.2.7")
        self.assertTrue(self.refused("192.0.2.8"))
        self.assertFalse(waiting_transport.disconnecting)
        self.echo.waiting[0].finish()
        self.connect("192.0.2.8")
        self.assertTrue(waiting_transport.disconnecting)

    def test_idle_ones_of_the_same_address(self) -> None:
        """An address that has used up its share makes room for itself."""
        _, other = self.connect("192.0.2.2")
        _, own = self.connect("192.0.2.1")
        self.busy("192.0.2.1")
        self.connect("192.0.2.1")
        self.assertTrue(own.disconnecting)
        self.assertFalse(other.disconnecting)

    def test_a_proxy(self) -> None:
        """A trusted proxy speaks for many, so that only the total bounds it; so does whoever has no address."""
        for _ in range(4):
            self.busy("192.0.2.99")
        self.assertTrue(self.refused("192.0.2.99"))
        self.assertEqual(self.limits.hits["connections_per_address"], 0)

    def test_no_address(self) -> None:
        """Connections through a UNIX socket have no address to be counted by."""
        for _ in range(4):
            channel = self.site.buildProtocol(UNIXAddress(b"/x"))
            assert channel is not None
            channel.makeConnection(Transport(peerAddress=UNIXAddress(b"/x")))
        self.assertEqual(self.limits.hits["connections"], 0)


class FetchTests(SiteCase):
    """Clients that do not fetch their answers."""

    def test_a_client_that_does_not_read(self) -> None:
        """Who does not fetch its answer within a minute is cut off; who does may go on."""
        channel, transport = self.connect()
        channel.dataReceived(GET.replace(b"/ ", b"/wait "))
        channel.pauseProducing()
        self.clock.advance(FETCH_SECONDS - 1)
        channel.resumeProducing()
        self.clock.advance(1)
        self.assertFalse(transport.aborted)
        channel.pauseProducing()
        self.clock.advance(FETCH_SECONDS)
        self.assertTrue(transport.aborted)

    def test_a_goodbye_that_is_not_heard(self) -> None:
        """A connection that we close and the client does not is cut off in the end."""
        channel, transport = self.connect()
        channel.dataReceived(GET.replace(b"1.1", b"1.0"))
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.aborted)
        self.clock.advance(FETCH_SECONDS)
        self.assertTrue(transport.aborted)


class SiteTests(SiteCase):
    """The rest."""

    def test_no_ticking(self) -> None:
        """A site that nobody asks does nothing at all."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_fault_outside_all_routes(self) -> None:
        """A fault of ours is JSON without a word about it, and in the log."""
        channel, transport = self.connect()
        channel.dataReceived(GET.replace(b"/ ", b"/fault "))
        answer = self.answer(transport)
        self.assertEqual((answer.status, answer.json), (500, {"detail": "Internal server error."}))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_http_1_only(self) -> None:
        """HTTP/2, whose connections none of this bounds, is not offered."""
        self.assertEqual(self.site.acceptableProtocols(), [b"http/1.1"])
