"""HTTP that keeps its bounds: slow, greedy, silent and very many clients."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from dsmr_tw.connections import GOODBYES, Connections
from dsmr_tw.httpserver import (
    FETCH_SECONDS,
    GOODBYE_SECONDS,
    HEADERS,
    IDLE_SECONDS,
    BoundedChannel,
    BoundedSite,
)
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
        assert isinstance(channel, BoundedChannel), "there is no room"
        transport = Transport(peerAddress=IPv4Address("TCP", address, 5))
        transport.protocol = channel
        channel.makeConnection(transport)
        return channel, transport

    def refused(self, address: str) -> bool:
        """Whether there is no room for one more from this address, which then is cut off at once."""
        protocol = self.site.buildProtocol(IPv4Address("TCP", address, 5))
        if isinstance(protocol, BoundedChannel):
            return False
        transport = Transport()
        protocol.makeConnection(transport)
        return transport.aborted

    def lose(self, channel: BoundedChannel) -> None:
        """The connection is gone."""
        channel.connectionLost(Failure(ConnectionError()))

    def answer(self, transport: Transport) -> Answer:
        """What was answered since the last time, when everybody has had a turn."""
        self.clock.advance(0)
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
        self.clock.advance(0)
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
        for lines, status in ((HEADERS, 200), (HEADERS + 1, 431)):
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
            self.clock.advance(0)
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


class TurnTests(SiteCase):
    """Much work at once."""

    def test_pipelined_requests(self) -> None:
        """Of requests sent at once one is answered at a time, so that others come between; none is lost."""
        channel, transport = self.connect()
        channel.dataReceived(GET * 500)
        self.assertEqual(transport.value().count(b"200 OK"), 1)
        self.assertEqual(transport.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(transport.value().count(b"200 OK"), 500)
        self.assertEqual(transport.producerState, "producing")

    def test_what_comes_meanwhile(self) -> None:
        """What comes while requests wait for their turn is taken after them."""
        channel, transport = self.connect()
        channel.dataReceived(GET + HEAD_OF_POST % 3 + b"a")
        channel.dataReceived(b"bc" + HEAD_OF_POST % 5)
        channel.dataReceived(b"abcde" + GET)
        self.clock.advance(0)
        bodies = [part[:1] for part in transport.value().split(b"\r\n\r\n")[1:]]
        self.assertEqual(bodies, [b"0", b"3", b"5", b"0"])

    def test_answers_that_are_not_fetched(self) -> None:
        """While a client does not fetch its answers none of its other requests is answered."""
        channel, transport = self.connect()
        channel.dataReceived(GET * 5)
        channel.pauseProducing()
        self.clock.advance(0)
        self.assertEqual(transport.value().count(b"200 OK"), 1)
        channel.resumeProducing()
        self.clock.advance(0)
        self.assertEqual(transport.value().count(b"200 OK"), 5)

    def test_tiny_chunks(self) -> None:
        """A body in very many chunks is read piece by piece, and what stands behind it is not lost."""
        channel, transport = self.connect()
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        channel.dataReceived(head + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n" + GET)
        self.assertEqual(transport.value(), b"")
        self.clock.advance(0)
        self.assertIn(b"\r\n\r\n5000HTTP/1.1 200 OK", transport.value())
        self.assertTrue(transport.value().endswith(b"0"))

    def test_a_busy_address(self) -> None:
        """Connections of an address that has used up its time wait; those of others do not."""
        _, transport = self.connect("192.0.2.1")
        self.site.turns.work("192.0.2.1", self.work_hard, b"")
        channel, transport = self.connect("192.0.2.1")
        other_channel, other = self.connect("192.0.2.2")
        for each in (channel, other_channel):
            each.dataReceived(GET)
        self.assertEqual((transport.value(), other.value().count(b"200 OK")), (b"", 1))
        self.clock.advance(0)
        self.assertEqual(transport.value().count(b"200 OK"), 1)

    def work_hard(self, data: bytes) -> None:
        """Take a second."""
        self.clock.rightNow += 1

    def test_who_leaves_while_waiting(self) -> None:
        """Whoever hangs up is not waited for, and its requests are not answered."""
        channel, transport = self.connect()
        channel.dataReceived(GET * 5)
        self.lose(channel)
        self.clock.advance(0)
        self.assertEqual(transport.value().count(b"200 OK"), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_fault_in_a_turn(self) -> None:
        """A fault of ours ends that connection, and nobody else's turn."""
        channel, transport = self.connect("192.0.2.1")
        channel.dataReceived(GET * 2)
        channel.requestFactory = None  # type: ignore[assignment]  # the fault
        other_channel, other = self.connect("192.0.2.2")
        other_channel.dataReceived(GET * 2)
        self.clock.advance(0)
        self.assertTrue(transport.aborted)
        self.assertEqual(other.value().count(b"200 OK"), 2)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class OddTests(SiteCase):
    """Requests that are allowed, and rare; and some that are not."""

    def test_a_whole_url(self) -> None:
        """A request for a whole URL, as proxies are sent them, is one for its path."""
        for target, path in (
            (b"http://a/fault", b"/fault"),
            (b"HTTPS://a:80/x?y=/", b"/x"),
            (b"http://a", b"/"),
            (b"http://a?x", b"/"),
        ):
            channel, transport = self.connect()
            channel.dataReceived(GET.replace(b"/ ", target + b" "))
            if path == b"/fault":
                self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
            else:
                self.assertEqual(self.answer(transport).status, 200)
            self.lose(channel)

    def test_continue(self) -> None:
        """A client that asks first whether it may send its body is told so."""
        channel, transport = self.connect()
        channel.dataReceived((HEAD_OF_POST % 3).replace(b"Host", b"Expect: 100-continue\r\nHost"))
        self.assertEqual(transport.value(), b"HTTP/1.1 100 Continue\r\n\r\n")
        transport.clear()
        channel.dataReceived(b"abc")
        self.assertEqual(self.answer(transport).body, b"3")

    def test_trailers(self) -> None:
        """What stands behind the last chunk is read and not kept; endless ones are refused."""
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n"
        for trailers, status in ((b"", 200), (b"X: y\r\n" * 9, 200), (b"X: y\r\n" * 20_000, 400)):
            channel, transport = self.connect()
            channel.dataReceived(head + trailers + b"\r\n")
            self.assertIn(b"HTTP/1.1 %d " % status, self.fetched(transport))
            self.lose(channel)

    def fetched(self, transport: Transport) -> bytes:
        """All that was answered, when everybody has had a turn."""
        self.clock.advance(0)
        fetched: bytes = transport.value()
        return fetched

    def test_a_line_of_a_chunk_without_end(self) -> None:
        """What a chunk says of itself is short, or the connection is over."""
        channel, transport = self.connect()
        channel.dataReceived(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 5000)
        self.assertIn(b"HTTP/1.1 400 ", self.fetched(transport))
        self.assertTrue(transport.disconnecting)

    def test_two_lengths(self) -> None:
        """A request that says twice how long it is, is refused: proxies might count otherwise than we do."""
        for more in (b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"):
            channel, transport = self.connect()
            channel.dataReceived((HEAD_OF_POST % 3).replace(b"Host", more + b"Host") + b"abc" + GET)
            self.assertEqual(transport.value(), b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self.lose(channel)


class RoomTests(SiteCase):
    """How many connections there may be."""

    def busy(self, address: str) -> tuple[BoundedChannel, Transport]:
        """A connection on which a request has begun."""
        channel, transport = self.connect(address)
        channel.dataReceived(GET[:5])
        return channel, transport

    def answered(self, address: str) -> tuple[BoundedChannel, Transport]:
        """A connection whose request is whole, and not answered yet."""
        channel, transport = self.connect(address)
        channel.dataReceived(GET.replace(b"/ ", b"/wait "))
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
        """When all connections are being answered there is no room for anybody."""
        first, _ = self.answered("192.0.2.1")
        for number in (2, 3, 4):
            self.answered(f"192.0.2.{number}")
        self.assertTrue(self.refused("192.0.2.5"))
        self.assertEqual(self.limits.hits["connections"], 1)
        self.lose(first)
        self.assertFalse(self.refused("192.0.2.5"))

    def test_half_requests_make_room(self) -> None:
        """Requests that do not become whole keep nobody out: the one that began first has to go."""
        transports = [self.busy(f"192.0.2.{number}")[1] for number in (1, 2, 3, 4)]
        self.connect("192.0.2.5")
        self.assertEqual([transport.disconnecting for transport in transports], [True, False, False, False])

    def test_who_has_to_go(self) -> None:
        """Whoever has to go has a second to fetch what it was answered; when very many have, none."""
        transports = [self.connect(f"192.0.2.{number}")[1] for number in range(4 + GOODBYES)]
        self.assertTrue(all(transport.disconnecting for transport in transports[:GOODBYES]))
        self.assertFalse(any(transport.aborted for transport in transports))
        transports.append(self.connect("192.0.2.200")[1])
        self.assertTrue(transports[GOODBYES].aborted)
        self.clock.advance(GOODBYE_SECONDS)
        self.assertTrue(all(transport.aborted for transport in transports[:GOODBYES]))

    def test_many_bodies(self) -> None:
        """Of all bodies together no more is kept than a bound: the request that began first has to go."""
        self.site.connections.bodies_bytes = 155
        _, first = self.sends(60)
        channel, second = self.sends(90, "192.0.2.2")
        self.assertFalse(first.disconnecting)
        _, third = self.sends(10, "192.0.2.3")
        self.assertEqual([each.disconnecting for each in (first, second, third)], [True, False, False])
        self.assertEqual(self.limits.hits["bodies_bytes"], 1)
        channel.dataReceived(b"x" * 10)
        self.assertEqual(self.answer(second).status, 200)
        _, fourth = self.sends(99, "192.0.2.4")
        self.assertFalse(fourth.disconnecting)

    def sends(self, length: int, address: str = "192.0.2.1") -> tuple[BoundedChannel, Transport]:
        """A connection that has sent so many bytes of a body of a hundred."""
        channel, transport = self.connect(address)
        channel.dataReceived(HEAD_OF_POST % 100 + b"x" * length)
        return channel, transport

    def test_idle_ones_make_room(self) -> None:
        """The connection that has been idle longest makes room for a new one; one being answered never does."""
        first, first_transport = self.connect("192.0.2.1")
        second, second_transport = self.connect("192.0.2.2")
        _, waiting_transport = self.answered("192.0.2.3")
        _, new_transport = self.connect("192.0.2.4")
        second.dataReceived(GET)
        first.dataReceived(GET)
        self.answered("192.0.2.5")
        self.assertTrue(second_transport.disconnecting)
        self.answered("192.0.2.6")
        self.assertTrue(first_transport.disconnecting)
        self.assertFalse(new_transport.disconnecting)
        self.answered("192.0.2.7")
        self.assertTrue(new_transport.disconnecting)
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
            self.answered("192.0.2.99")
        self.assertTrue(self.refused("192.0.2.99"))
        self.assertEqual(self.limits.hits["connections_per_address"], 0)

    def test_no_address(self) -> None:
        """Connections through a UNIX socket have no address to be counted by."""
        for _ in range(4):
            channel = self.site.buildProtocol(UNIXAddress(b"/x"))
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
