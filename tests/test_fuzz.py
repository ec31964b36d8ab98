"""Whatever a line brings, the service goes on: ten million bytes of it, damaged in every way, with ``DSMR_CI=1``.

The longer run is ``python -m benchmarks.fuzz``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Final

from attrs import define
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport, StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web._newclient import HTTP11ClientProtocol, Request
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from dsmr_tw.domain.reading import Origin
from dsmr_tw.domain.reprint import on_a_line
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.limits import Limits
from dsmr_tw.polled import BODY_BYTES, PolledSource
from dsmr_tw.sinks.p1server import P1Server
from tests.badlines import DAMAGES, bad_line, noise, pieces
from tests.brief import tried_once
from tests.cable import Meter
from tests.fuzzing import GOOD, Fuzzing, line

BYTES: Final = 10_000_000 if os.environ.get("DSMR_CI") else 1_000_000
ANSWERS: Final = BYTES // 33_000

RANDOMS: Final = st.randoms(use_true_random=False)

trying: Final = settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@tried_once
class LineTests(SynchronousTestCase):
    """Bytes, and frames."""

    def tried(self, fuzzing: Fuzzing, some: Callable[[], None]) -> None:
        """So many bytes are tried, good telegrams and bad ones among them."""
        while fuzzing.bytes_tried < BYTES:
            some()
        self.assertGreater(min(fuzzing.counted[what] for what in ("taken", "refused", "not understood")), 10)

    def test_bytes(self) -> None:
        """No bytes end a connection, take memory, or cost the telegrams behind them."""
        fuzzing = Fuzzing()

        @trying
        @given(RANDOMS, st.sampled_from(CrcPolicy))
        def some(random: Random, policy: CrcPolicy) -> None:
            fuzzing.plain(random, policy)

        self.tried(fuzzing, some)

    def test_frames(self) -> None:
        """The same holds for encrypted frames, whatever they hold."""
        fuzzing = Fuzzing()

        @trying
        @given(RANDOMS)
        def some(random: Random) -> None:
            fuzzing.encrypted(random)

        self.tried(fuzzing, some)


@implementer(IAgent)
@define(eq=False)
class BrokenDongle:
    """Answers with bytes that need not be HTTP."""

    answer: list[bytes]

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        transport = StringTransportWithDisconnection()
        transport.protocol = connection = HTTP11ClientProtocol()
        connection.makeConnection(transport)
        answered: Deferred[IResponse] = connection.request(Request(method, b"/", Headers({"Host": ["x"]}), None))
        for part in self.answer:
            if transport.connected:
                connection.dataReceived(part)
        if transport.connected:
            connection.connectionLost(Failure(ConnectionDone()))
        return answered


def answered(body: bytes) -> bytes:
    """An answer of HTTP."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@tried_once
class OtherDoorsTests(SynchronousTestCase):
    """A dongle's answers, and what clients of the P1 server send."""

    @settings(trying, max_examples=ANSWERS)
    @given(RANDOMS)
    def test_answers_of_a_dongle(self, random: Random) -> None:
        """Whatever a dongle answers, in HTTP or not, it is asked again, and its next good telegram is taken."""
        answer = answered(bad_line(random)[: random.choice((500, 5000, 2 * BODY_BYTES))])
        for _ in range(random.randrange(3)):
            answer = random.choice(DAMAGES)(random, answer)
        meter = Meter()
        dongle = BrokenDongle(pieces(random, answer))
        source = PolledSource(
            origin=Origin("device http://192.0.2.7/"),
            clock=meter.clock,
            on_telegram=meter.take,
            on_error=meter.refuse,
            url="http://192.0.2.7/",
            agent=dongle,
            retry_delay=lambda failures: 1.0,
        )
        source.startService()
        dongle.answer = [answered(GOOD[0])]
        meter.wait(1)
        self.assertEqual(meter.taken[-1].data, GOOD[0][:-6], source.health.trouble)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.successResultOf(source.stopService())

    @settings(trying, max_examples=ANSWERS)
    @given(RANDOMS)
    def test_clients_of_the_p1_server(self, random: Random) -> None:
        """Whatever clients send, and a line brings, each client gets the line's good telegrams, and only those."""
        server = P1Server(Clock(), Limits())
        clients = [StringTransport() for _ in range(2)]
        at = line(CrcPolicy.STRICT)
        at.receiver.on_telegram = lambda raw, received_at: server.offer(raw, received_at, Origin("meter"))
        protocols = []
        for client in clients:
            protocol = server.buildProtocol(None)
            assert protocol is not None
            protocol.makeConnection(client)
            protocols.append(protocol)
        stream = bad_line(random) + GOOD[0]
        for part in pieces(random, stream):
            at.receiver.dataReceived(part)
            protocols[0].dataReceived(noise(random)[:2000] if random.randrange(9) == 0 else part[:2000])
        expected = b"".join(on_a_line(raw) for raw in outcomes_in(stream) if isinstance(raw, RawTelegram))
        self.assertEqual([client.value() for client in clients], [expected, expected])
        self.assertTrue(expected.endswith(GOOD[0]))
