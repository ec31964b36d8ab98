"""A host that gives temperatures, as a test wants it to, and a service that asks it: without a socket or a wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.temperature import Temperature
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.weather import WeatherService
from dsmr_tw.weatherfeeds import Buienradar
from tests.arrivals import NOON
from tests.serving import Work

JITTER = 0.5
"""What the tests' dice show."""


def answer(temperature: object = 11.2, timestamp: str = "2024-04-02T12:00:00") -> bytes:
    """What the feed answers when all is well."""
    station = {"stationid": 6260, "timestamp": timestamp, "temperature": temperature}
    return json.dumps({"actual": {"stationmeasurements": [station]}}).encode()


class Host(Resource):
    """The other host, which does as the test says."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.lost = 0
        """How many answers were not waited for to their end."""
        self.behave: Callable[[Request], int | bytes] = lambda request: answer()

    def render(self, request: Request) -> int | bytes:
        """Misbehave, or not."""
        self.requests.append(request)
        request.notifyFinish().addErrback(self._count)
        return self.behave(request)

    def begin(self, beginning: bytes, **headers: str) -> None:
        """From now on begin to answer with this, and leave it at that."""

        def render(request: Request) -> int:
            for name, value in headers.items():
                request.setHeader(name.replace("_", "-"), value)
            if beginning:
                request.write(beginning)
            return NOT_DONE_YET

        self.behave = render

    def _count(self, _: object) -> None:
        self.lost += 1


@implementer(IAgent)
class Unreachable:
    """An agent for which there is no way to the other host."""

    def __init__(self, error: Exception) -> None:
        """What stands in the way."""
        self.error = error

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        return fail(self.error)


class WeatherCase(SynchronousTestCase):
    """A service that asks a host of the test's, at noon, over a real store."""

    def setUp(self) -> None:
        """An empty store, and the service begun."""
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        self.writing = Work()
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = sqlite_store(path, "Europe/Amsterdam", self.writing, Work())
        self.successResultOf(self.store.open())
        self.addCleanup(self.close)
        self.host = Host()
        self.agent = RequestTraversalAgent(self.host)
        self.weather = self.service(self.agent)
        self.weather.startService()

    def service(self, agent: IAgent) -> WeatherService:
        """A service that asks through this agent."""
        feed = Buienradar(6260, base="http://feed.example")
        return WeatherService(feed, self.store.temperatures, agent, self.clock, lambda: JITTER)

    def close(self) -> None:
        """Stop, and close the store."""
        self.writing.error = None
        self.writing.release()
        if self.weather.running:
            self.successResultOf(self.weather.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.store.close())

    def stored(self) -> list[Temperature]:
        """What is stored."""
        return self.successResultOf(self.store.temperatures.page(None, None, False, 0, 100)).temperatures

    def behave(self, status: int, body: bytes, **headers: str) -> None:
        """Let the host answer with this from now on."""

        def render(request: Request) -> bytes:
            request.setResponseCode(status)
            for name, value in headers.items():
                request.setHeader(name.replace("_", "-"), value)
            return body

        self.host.behave = render

    def logged(self, function: Callable[..., object], *arguments: object) -> list[str]:
        """The lines that the service logs while ``function`` runs."""
        with capturedLogs() as events:
            function(*arguments)
        return [text for event in events if (text := self._line(event))]

    @staticmethod
    def _line(event: LogEvent) -> str | None:
        return formatEvent(event) if event.get("log_namespace") == "dsmr_tw.weather.WeatherService" else None
