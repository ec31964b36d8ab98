"""Tests of dsmr_tw.sinks.forward: requests as they are made, through a real client, to a server in memory."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from attrs import define, field
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import RequestTransmissionFailed, ResponseDone, ResponseFailed, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dsmr_tw.domain.forwarded import Answer
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.spooled import Record
from dsmr_tw.errors import SinkError
from dsmr_tw.interfaces import ITarget
from dsmr_tw.sinks.forward import BODY_BYTES, DEADLINE_S, LONGEST_WORDS, HttpTarget
from tests.arrivals import NOON
from tests.forwardcase import NAME, numbered

KEY = "a-key-of-the-other-server"
URL = f"{NAME}/api/v1/datalogger/dsmrreading"


class Server(Resource):
    """The other server, which does as the test says."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[Request, bytes]] = []
        self.status, self.body, self.headers = 201, b"", dict[str, str]()
        self.is_silent = False

    def render(self, request: Request) -> int | bytes:
        """Answer."""
        assert request.content is not None
        self.requests.append((request, request.content.read()))
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return NOT_DONE_YET if self.is_silent else self.body


@define(eq=False)
class Said:
    """An answer of HTTP, with how its body ends."""

    code: int
    data: bytes
    end: Exception | None
    headers: Headers = field(factory=Headers)
    transport: StringTransport = field(factory=StringTransport)

    def deliverBody(self, protocol: IProtocol) -> None:
        """Give all of it at once."""
        protocol.makeConnection(self.transport)
        protocol.dataReceived(self.data)
        if self.end is not None:
            protocol.connectionLost(Failure(self.end))


@implementer(IAgent)
@define(eq=False)
class Scripted:
    """An agent whose requests end as the test says, one after the other."""

    ends: list[Callable[[], Deferred[IResponse]]]
    asked: int = 0

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        self.asked += 1
        return self.ends.pop(0)()


class TargetCase(SynchronousTestCase):
    """A server, and what posts to it."""

    def setUp(self) -> None:
        """It takes everything."""
        self.server = Server()
        self.agent = RequestTraversalAgent(self.server)
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        self.target = HttpTarget(NAME, URL, KEY, self.agent, self.clock)

    def post(self, *records: Record) -> Answer:
        """What is answered."""
        posting = self.target.post(records or [numbered(1)])
        self.agent.flush()
        answer = self.successResultOf(posting)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return answer

    def trouble(self, *ends: Exception | Said) -> str:
        """What is said when requests end so."""

        def ended(end: Exception | Said) -> Deferred[IResponse]:
            return fail(end) if isinstance(end, Exception) else succeed(end)  # type: ignore[arg-type]  # has what matters

        agent = Scripted([lambda end=end: ended(end) for end in ends])  # type: ignore[misc]
        posting = HttpTarget(NAME, URL, KEY, agent, self.clock).post([numbered(1)])
        words = str(self.failureResultOf(posting, SinkError).value)
        self.assertEqual((agent.ends, self.clock.getDelayedCalls()), ([], []))
        return words


class RequestTests(TargetCase):
    """What is sent."""

    def test_as_the_documented_script_does(self) -> None:
        """A POST of a form with the key in its header; and when the telegram arrived."""
        self.assertTrue(verifyObject(ITarget, self.target))
        self.assertEqual(self.post(numbered(1)), Answer(201))
        [(request, body)] = self.server.requests
        self.assertEqual((request.method, request.uri), (b"POST", b"/api/v1/datalogger/dsmrreading"))
        self.assertEqual(parse_qs(body.decode("ascii")), {"telegram": [f"{numbered(1).telegram}\r\n"]})
        self.assertEqual(request.getHeader("X-AUTHKEY"), KEY)
        self.assertEqual(request.getHeader("Content-Type"), "application/x-www-form-urlencoded")
        self.assertEqual(request.getHeader("X-Received-At"), "2024-04-02T10:00:01Z")
        self.assertRegex(request.getHeader("User-Agent") or "", r"^dsmr_tw/\d")

    def test_several(self) -> None:
        """Behind one another, each with its arrival."""
        self.post(numbered(1), numbered(2))
        [(request, body)] = self.server.requests
        self.assertEqual(body.count(b"/TST5"), 2)
        self.assertEqual(request.getHeader("X-Received-At"), "2024-04-02T10:00:01Z,2024-04-02T10:00:02Z")

    def test_before_our_clock_was_set(self) -> None:
        """Then nothing is said of the arrival."""
        self.post(Record(SECOND, numbered(1).origin, numbered(1).zone, False, numbered(1).telegram))
        self.assertIsNone(self.server.requests[0][0].getHeader("X-Received-At"))

    def test_the_key_is_nowhere_else(self) -> None:
        """Whoever prints the target, or its trouble, does not print the key."""
        self.server.status, self.server.body = 403, b"no"
        self.assertNotIn(KEY, f"{self.target!r} {self.post()!r} {self.trouble(ConnectionRefusedError())}")


class AnswerTests(TargetCase):
    """What is made of answers."""

    def test_how_many_it_takes(self) -> None:
        """The header says so."""
        self.server.headers = {"X-Dsmr-Batch": "100"}
        self.assertEqual(self.post().together, 100)

    def test_patience(self) -> None:
        """In seconds, or until a date, within bounds; what is neither is passed over."""
        for said, seconds in (
            ("120", 120.0),
            ("86400", 300.0),
            ("Tue, 02 Apr 2024 10:00:30 GMT", 30.0),
            ("Tue, 02 Apr 2024 09:00:00 GMT", 0.0),
            ("soon", None),
            ("Tue, 99 Foo 2024 10:00:30 GMT", None),
        ):
            self.server.status, self.server.headers = 503, {"Retry-After": said}
            self.assertEqual(self.post().pause_s, seconds, said)

    def test_hostile_words(self) -> None:
        """What a server says is shown on one line, not for long, and steers no terminal."""
        self.server.status, self.server.body = 400, b"\x1b[2J no\r\nLF \xff\xc2\x9b" + b"x" * 9999
        answer = self.post()
        self.assertTrue(answer.text.isprintable())
        self.assertTrue(answer.text.startswith("\N{REPLACEMENT CHARACTER}[2J no LF "))
        self.assertEqual(len(answer.text), LONGEST_WORDS)

    def test_sent_elsewhere(self) -> None:
        """That is not followed: the key is not for others."""
        self.server.status, self.server.headers = 301, {"Location": "http://elsewhere.example/"}
        self.assertIn("not followed", self.post().words)
        self.assertEqual(len(self.server.requests), 1)

    def test_an_endless_answer(self) -> None:
        """It is cut off; the status says all."""
        said = Said(400, b"x" * (BODY_BYTES + 1), None)
        agent = Scripted([lambda: succeed(said)])  # type: ignore[arg-type]  # has what matters
        answer = self.successResultOf(HttpTarget(NAME, URL, KEY, agent, self.clock).post([numbered(1)]))
        self.assertEqual((answer.status, said.transport.producerState), (400, "stopped"))

    def test_it_hangs_up_amid_its_answer(self) -> None:
        """After "stored" that does not matter; else nobody knows what it would have said."""
        self.assertEqual(self.trouble(Said(400, b"Fai", ConnectionDone())), "it hung up amid its answer")
        said = Said(201, b"", ConnectionLost())
        agent = Scripted([lambda: succeed(said)])  # type: ignore[arg-type]  # has what matters
        answer = self.successResultOf(HttpTarget(NAME, URL, KEY, agent, self.clock).post([numbered(1)]))
        self.assertEqual(answer.status, 201)


class TroubleTests(TargetCase):
    """What hosts and networks do."""

    def test_no_connection(self) -> None:
        """It is said in words."""
        for error, words in (
            (ConnectionRefusedError(), "it refuses the connection; does a server run there?"),
            (DNSLookupError(), "no host has that name"),
            (TimeoutError(), "it does not answer"),
            (ConnectError(string="no route to host"), "it can't be reached"),
            (ConnectionLost(), "it hung up without an answer"),
        ):
            self.assertIn(words, self.trouble(error))

    def test_no_http(self) -> None:
        """Another kind of server is called that."""
        error = ResponseFailed([Failure(ValueError("what is this"))])
        self.assertEqual(self.trouble(error), "it gives no answer of HTTP; is the address right?")

    def test_a_connection_that_was_closed_meanwhile(self) -> None:
        """The request is made once more, on a new one; not a third time."""
        closed = ResponseNeverReceived([Failure(ConnectionDone())])
        self.assertEqual(self.trouble(closed, closed), "it hung up without an answer")
        unsent = RequestTransmissionFailed([Failure(ConnectionLost())])
        self.assertEqual(self.trouble(unsent, ConnectionRefusedError())[:10], "it refuses")
        again = Scripted([lambda: fail(closed), lambda: succeed(Said(201, b"", ResponseDone()))])  # type: ignore[arg-type]
        answer = self.successResultOf(HttpTarget(NAME, URL, KEY, again, self.clock).post([numbered(1)]))
        self.assertEqual(answer.status, 201)

    def test_a_server_that_hangs(self) -> None:
        """It has thirty seconds."""
        self.server.is_silent = True
        posting = self.target.post([numbered(1)])
        self.agent.flush()
        self.clock.advance(DEADLINE_S - 0.1)
        self.assertNoResult(posting)
        self.clock.advance(0.1)
        error = self.failureResultOf(posting, SinkError).value
        self.assertEqual(str(error), "it did not answer within 30 seconds")

    def test_broken_off(self) -> None:
        """Whoever posts may give up."""
        self.server.is_silent = True
        posting = self.target.post([numbered(1)])
        self.agent.flush()
        posting.cancel()
        self.failureResultOf(posting, SinkError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
