"""Tests of dsmr_tw.sinks.p1server: who gets which telegrams, on connections that the test holds."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import TelegramError
from dsmr_tw.interfaces import IReporting
from dsmr_tw.limits import Limits
from dsmr_tw.sinks.p1server import P1Server
from tests.cable import Meter
from tests.golden_telegrams import telegram, valid_dutch
from tests.printing import printed

CELLAR, ATTIC = Origin("device /dev/ttyUSB0"), Origin("device tcp:p1.example:2001")


class Connection(StringTransportWithDisconnection):
    """A connection that may be given up."""

    protocol: Protocol

    def abortConnection(self) -> None:
        """Lose what waits; a real one tells its protocol in a later turn of the reactor."""
        self.connected = False


class P1ServerTests(SynchronousTestCase):
    """Telegrams come in at one side and go out at the other."""

    def setUp(self) -> None:
        """A server that three clients may use."""
        self.clock = Clock()
        self.clock.advance(1_712_052_000)
        self.limits = Limits()
        self.server = P1Server(self.clock, self.limits, most_clients=3)

    def connect(self) -> Connection:
        """A client that reads what is sent."""
        protocol = self.server.buildProtocol(IPv4Address("TCP", "192.0.2.7", 50000))
        assert protocol is not None
        connection = Connection()
        connection.protocol = protocol
        protocol.makeConnection(connection)
        return connection

    def print(self, data: bytes, origin: Origin = CELLAR, policy: CrcPolicy = CrcPolicy.STRICT) -> None:
        """Let a meter print a telegram now."""
        [raw] = outcomes_in(data, policy)
        assert isinstance(raw, RawTelegram)
        now = round(self.clock.seconds() * SECOND)
        self.server.offer(raw, now, origin, sign=policy is CrcPolicy.OPTIONAL)

    def test_port(self) -> None:
        """Whoever tells how the service is can ask this."""
        verifyObject(IReporting, self.server)

    def test_what_health_tells(self) -> None:
        """How many programs read, how many telegrams came, and when the last did; none is a problem."""
        self.assertEqual(self.server.figures(), {"clients": 0, "telegrams": 0, "last_telegram_at": None})
        self.connect()
        self.print(printed(1))
        now = to_utc_text(round(self.clock.seconds() * SECOND))
        self.assertEqual(self.server.figures(), {"clients": 1, "telegrams": 1, "last_telegram_at": now})
        self.assertEqual(self.server.problems(), [])

    def test_byte_for_byte(self) -> None:
        """All clients get all telegrams of the field as they came from the line, one after the other."""
        clients = [self.connect(), self.connect()]
        for name in valid_dutch():
            self.print(telegram(name))
        expected = b"".join(telegram(name).strip() + b"\r\n" for name in valid_dutch())
        self.assertEqual([client.value() for client in clients], [expected, expected])

    def test_the_last_one_at_once(self) -> None:
        """Who connects gets the last telegram of each meter at once, if it is at most a minute old."""
        self.print(printed(1))
        self.print(printed(2), ATTIC)
        self.clock.advance(30)
        self.print(printed(3))
        self.assertEqual(self.connect().value(), printed(2) + printed(3))
        self.clock.advance(31)
        self.assertEqual(self.connect().value(), printed(3))
        self.clock.advance(30)
        self.assertEqual(self.connect().value(), b"")

    def test_a_clock_that_was_set_back(self) -> None:
        """A telegram from the future is of nobody knows when, and is not sent to who connects."""
        [raw] = outcomes_in(printed(1))
        assert isinstance(raw, RawTelegram)
        self.server.offer(raw, round(self.clock.seconds() * SECOND) + SECOND, CELLAR)
        self.assertEqual(self.connect().value(), b"")

    def test_a_crc_that_was_stripped(self) -> None:
        """Clients get one even from a source that strips it."""
        client = self.connect()
        self.print(printed(1)[:-6] + b"\r\n", policy=CrcPolicy.OPTIONAL)
        self.assertEqual(client.value(), printed(1))

    def test_too_many(self) -> None:
        """One client too many is hung up on, and that is counted; when another leaves there is room."""
        clients = [self.connect() for _ in range(3)]
        self.assertIsNone(self.server.buildProtocol(None))
        self.assertEqual((self.server.clients, self.limits.hits["p1_clients"]), (3, 1))
        clients[0].loseConnection()
        self.connect()
        self.assertEqual(self.server.clients, 3)

    def test_a_client_that_does_not_read(self) -> None:
        """It is dropped with the next telegram, counted and told; one that catches up in time stays."""
        slow, slower, good = self.connect(), self.connect(), self.connect()
        for client in (slow, slower):
            assert client.producer is not None
            client.producer.pauseProducing()
        assert slow.producer is not None
        slow.producer.resumeProducing()
        with capturedLogs() as events:
            self.print(printed(1))
        self.assertEqual((slow.value(), slower.value(), good.value()), (printed(1), b"", printed(1)))
        self.assertEqual((slow.connected, slower.connected), (True, False))
        self.assertEqual((self.server.clients, self.limits.hits["p1_unread_bytes"]), (2, 1))
        [told] = [text for event in events if (text := formatEvent(event))]
        self.assertIn("was dropped, it does not read", told)

    def test_what_clients_say(self) -> None:
        """Nothing that a client sends does anything."""
        client = self.connect()
        client.protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        self.print(printed(1))
        self.assertEqual(client.value(), printed(1))

    def test_the_end(self) -> None:
        """When the port is closed everybody is hung up on, also who does not read."""
        clients = [self.connect(), self.connect()]
        assert clients[0].producer is not None
        clients[0].producer.pauseProducing()
        self.server.stopFactory()
        self.assertEqual(([client.connected for client in clients], self.server.clients), ([False, False], 0))

    def test_what_it_served(self) -> None:
        """How many telegrams, and when the last one came."""
        self.assertIsNone(self.server.last_telegram_at)
        self.print(printed(1))
        self.assertEqual((self.server.telegrams, self.server.last_telegram_at), (1, 1_712_052_000 * SECOND))


class WireTests(SynchronousTestCase):
    """From the line to the wire."""

    def test_before_it_is_taken(self) -> None:
        """A telegram that can't be stored is served all the same."""
        meter = Meter(refusal=TelegramError("nothing measurable in it"))
        source = meter.source()
        served: list[RawTelegram] = []
        source.on_wire = lambda raw, received_at, origin: served.append(raw)
        meter.cable.send(printed(1))
        self.assertEqual(([raw.data for raw in served], meter.taken), ([printed(1)[:-6]], []))

    def test_a_failure_to_serve(self) -> None:
        """Whatever goes wrong with serving it, a telegram is stored."""
        meter = Meter()
        source = meter.source()

        def fail(raw: RawTelegram, received_at: int, origin: Origin) -> None:
            raise RuntimeError("no wire")

        source.on_wire = fail
        meter.cable.send(printed(1))
        self.assertEqual((len(meter.taken), len(self.flushLoggedErrors(RuntimeError))), (1, 1))
