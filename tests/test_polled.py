"""Tests of dsmr_tw.polled: a dongle that is asked, with the answers that the test has it give."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError, DNSLookupError
from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.interfaces import ISource
from dsmr_tw.polled import BODY_BYTES, PolledSource
from tests.cable import START, Meter
from tests.printing import printed

URL = "http://192.0.2.7/api/v1/telegram"


@define(eq=False)
class Answer:
    """An answer of HTTP, with how its body ends."""

    data: bytes
    code: int = 200
    end: Exception | None = field(factory=ResponseDone)
    """``None``: the body never ends."""
    transport: StringTransport = field(factory=StringTransport)

    def deliverBody(self, protocol: IProtocol) -> None:
        """Give all of it at once."""
        protocol.makeConnection(self.transport)
        for start in range(0, len(self.data), 1000):
            protocol.dataReceived(self.data[start : start + 1000])
        if self.end is not None:
            protocol.connectionLost(Failure(self.end))


@implementer(IAgent)
@define(eq=False)
class Dongle:
    """Answers as the test says."""

    answers: Callable[[], Deferred[Answer]]
    asked: int = 0
    urls: set[bytes] = field(factory=set)

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        self.asked += 1
        self.urls.add(uri)
        return self.answers()  # type: ignore[return-value]  # has of a response what matters here


class PolledCase(SynchronousTestCase):
    """A source, and what came of it."""

    def setUp(self) -> None:
        """A dongle that is told below what to answer."""
        self.clock = Clock()
        self.clock.advance(START)
        self.meter = Meter(clock=self.clock)
        self.dongle = Dongle(lambda: succeed(Answer(b"")))

    def source(self, crc: CrcPolicy = CrcPolicy.STRICT) -> PolledSource:
        """The source, started."""
        source = PolledSource(
            origin=Origin(f"device {URL}", 7),
            clock=self.clock,
            on_telegram=self.meter.take,
            on_error=self.meter.refuse,
            crc=crc,
            url=URL,
            agent=self.dongle,
            retry_delay=lambda failures: 2.0 * failures,
        )
        source.startService()
        self.addCleanup(lambda: source.running and source.stopService())
        return source

    def answer(self, data: bytes, code: int = 200, end: Exception | None = None) -> Answer:
        """Let the dongle answer with this from now on."""
        answer = Answer(data, code, ResponseDone() if end is None else end)
        self.dongle.answers = lambda: succeed(answer)
        return answer

    def fail_with(self, error: Exception) -> None:
        """Let every request fail."""
        self.dongle.answers = lambda: fail(error)


class TakingTests(PolledCase):
    """What becomes of answers."""

    def test_each_second(self) -> None:
        """It is asked each second, and each telegram goes onward with its arrival and origin."""
        self.answer(printed(1))
        source = self.source()
        self.answer(printed(2))
        self.clock.advance(1)
        self.assertEqual([raw.data for raw in self.meter.taken], [printed(1)[:-6], printed(2)[:-6]])
        self.assertEqual(self.meter.instants, [START * SECOND, (START + 1) * SECOND])
        self.assertEqual((self.meter.origins, self.dongle.urls), ({Origin(f"device {URL}", 7)}, {URL.encode()}))
        self.assertEqual((source.health.telegrams, source.health.connected), (2, True))
        verifyObject(ISource, source)
        verifyObject(IAgent, self.dongle)

    def test_the_same_telegram(self) -> None:
        """It is taken once, however often it is answered; after a minute of it the meter is silent."""
        self.answer(printed(1))
        source = self.source()
        self.clock.pump([1] * 59)
        self.assertEqual((len(self.meter.taken), self.dongle.asked, source.health.problem()), (1, 60, None))
        self.clock.advance(1)
        self.assertIn("it answers with the same telegram again and again", source.health.problem() or "")
        self.answer(printed(2))
        self.clock.advance(1)
        self.assertEqual((len(self.meter.taken), source.health.problem()), (2, None))

    def test_a_refused_telegram(self) -> None:
        """It is refused once, and goes on to be the reason."""
        self.answer(printed(1).replace(b"000001", b"000003", 1))
        source = self.source()
        self.clock.pump([1] * 60)
        self.assertEqual((source.health.crc_errors, len(self.meter.errors)), (1, 1))
        self.assertIn("the last one was refused: CRC given", source.health.problem() or "")

    def test_a_crc_that_was_stripped(self) -> None:
        """A dongle that ends telegrams in a bare exclamation mark, with or without a line end, needs crc=optional."""
        for ending in (b"!", b"!\r\n", b"!\n"):
            self.answer(printed(1)[:-7] + ending)
            self.assertEqual(self.source().health.crc_errors, 1)
            self.assertEqual(self.source(CrcPolicy.OPTIONAL).health.telegrams, 1)

    def test_no_length(self) -> None:
        """An answer without a length ends with the connection."""
        self.answer(printed(1), end=PotentialDataLoss())
        self.assertEqual(self.source().health.telegrams, 1)


class TroubleTests(PolledCase):
    """What dongles do."""

    def trouble(self) -> str | None:
        """What is wrong."""
        source = self.source()
        self.assertEqual(self.meter.taken, [])
        return source.health.trouble

    def test_other_answers(self) -> None:
        """Each is said in words, and its connection is closed."""
        for code, words in ((403, "status 403; is its local API switched on?"), (404, "status 404; does it offer")):
            answer = self.answer(printed(1), code)
            self.assertIn(words, self.trouble() or "")
            self.assertEqual(answer.transport.producerState, "stopped")
        self.answer(b"<html>")
        self.assertEqual(self.trouble(), "it answers, but with no telegram; is this the right address?")
        self.answer(printed(1)[:100], end=ConnectionDone())
        self.assertEqual(self.trouble(), "it hung up amid its answer")
        self.answer(b"x" * (BODY_BYTES + 2000))
        self.assertEqual(self.trouble(), f"its answer is longer than {BODY_BYTES} bytes")

    def test_no_answer(self) -> None:
        """Neither is it a surprise when there is none."""
        for error, words in (
            (ConnectionRefusedError(), "it refuses the connection"),
            (DNSLookupError(), "no host has that name"),
            (ResponseFailed([Failure(ConnectionDone())]), "it gives no answer of HTTP"),
        ):
            self.fail_with(error)
            self.assertIn(words, self.trouble() or "")

    def test_an_error_of_ours(self) -> None:
        """It is logged, and the dongle asked again."""
        self.fail_with(ZeroDivisionError())
        source = self.source()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.answer(printed(1))
        self.clock.advance(2)
        self.assertEqual(source.health.telegrams, 1)

    def test_a_dongle_that_hangs(self) -> None:
        """After five seconds it does not answer, wherever it hangs, and it is asked again."""
        connecting: Deferred[Answer] = Deferred()
        hanging = Answer(printed(1)[:50], end=None)
        for pending in (connecting, succeed(hanging)):
            self.dongle.answers = lambda pending=pending: pending  # type: ignore[misc]
            source = self.source()
            self.clock.advance(4.9)
            self.assertIsNone(source.health.trouble)
            self.clock.advance(0.1)
            self.assertEqual(source.health.trouble, "it does not answer")
            self.answer(printed(1))
            self.clock.advance(2)
            self.assertEqual(source.health.telegrams, 1)
            source.stopService()
        self.assertEqual(hanging.transport.producerState, "stopped")

    def test_away(self) -> None:
        """A dongle that is away is asked less and less often, told once, and counted when it is back."""
        self.answer(printed(1))
        source = self.source()
        self.fail_with(ConnectionRefusedError())
        with capturedLogs() as events:
            self.clock.pump([1] * 10)
            self.assertEqual((self.dongle.asked, source.health.connected), (4, False))
            self.answer(printed(2))
            self.clock.pump([1] * 6)
        told = [formatEvent(event) for event in events]
        self.assertEqual(len(told), 3, told)
        self.assertIn("it refuses the connection", told[0] or "")
        self.assertEqual(told[1:], [f"device {URL}: it answers", f"device {URL}: telegrams come"])
        health = source.health
        self.assertEqual((health.reconnects, health.connected, health.telegrams), (1, True, 2))

    def test_not_more_than_once_a_second(self) -> None:
        """Nor is a dongle that is away asked more often than one that answers."""
        self.fail_with(ConnectionRefusedError())
        source = self.source()
        source.retry_delay = lambda failures: 0.1
        self.clock.pump([2] + [0.1] * 9)
        self.assertEqual(self.dongle.asked, 2)

    def test_a_dongle_that_comes_and_goes(self) -> None:
        """As long as it brings no new telegram, that is told once."""
        self.answer(printed(1))
        source = self.source()
        with capturedLogs() as events:
            for reconnects in range(1, 5):
                self.fail_with(ConnectionRefusedError())
                self.clock.advance(1)
                self.answer(printed(1))
                self.clock.advance(2)
                self.assertEqual((source.health.reconnects, source.health.connected), (reconnects, True))
        self.assertEqual(len(events), 2)

    def test_a_slow_dongle(self) -> None:
        """The next request does not wait a second after an answer that took as long, nor two go at a time."""
        slow: Deferred[Answer] = Deferred()
        self.dongle.answers = lambda: slow
        self.source()
        self.clock.pump([1] * 3)
        self.assertEqual(self.dongle.asked, 1)
        self.answer(printed(2))
        slow.callback(Answer(printed(1)))
        self.clock.advance(0)
        self.assertEqual(self.dongle.asked, 2)

    def test_a_clock_that_is_set_back(self) -> None:
        """It costs a second at most."""
        slow: Deferred[Answer] = Deferred()
        self.dongle.answers = lambda: slow
        self.source()
        self.clock.rightNow -= 3600
        self.answer(printed(2))
        slow.callback(Answer(printed(1)))
        self.clock.advance(1)
        self.assertEqual(self.dongle.asked, 2)


class StoppingTests(PolledCase):
    """The end."""

    def test_between_requests(self) -> None:
        """Nothing is asked any more."""
        self.answer(printed(1))
        source = self.source()
        self.successResultOf(source.stopService())
        self.assertEqual((self.clock.getDelayedCalls(), source.health.connected), ([], False))

    def test_amid_a_request(self) -> None:
        """It is broken off, and nobody is blamed."""
        self.dongle.answers = Deferred
        source = self.source()
        with capturedLogs() as events:
            self.successResultOf(source.stopService())
        self.assertEqual((self.clock.getDelayedCalls(), events, source.health.trouble), ([], [], None))

    def test_again(self) -> None:
        """A source that was stopped can be started again."""
        self.answer(printed(1))
        source = self.source()
        self.successResultOf(source.stopService())
        self.answer(printed(2))
        source.startService()
        self.assertEqual(source.health.telegrams, 2)
