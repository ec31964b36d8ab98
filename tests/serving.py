"""The whole HTTP face for tests, over a real store, without a socket, a thread or a moment of waiting.

Bytes of HTTP go into a real ``BoundedSite`` through a transport of memory, and come out of it again; behind it are the
real datalogger and the real SQLite store, whose work is done within each call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from attrs import define, field, frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from dsmr_tw.api.auth import KeyRing
from dsmr_tw.api.failedkeys import FailedKeys
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.settings import ApiSettings
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.reading import SECOND, Arrival, Origin, Receipt
from dsmr_tw.httpserver import BoundedChannel, BoundedSite
from dsmr_tw.interfaces import IHealth, IIntake
from dsmr_tw.limits import Limits
from dsmr_tw.live import LiveValues
from dsmr_tw.spool import SPOOL, Spool
from dsmr_tw.store.connect import store_at
from dsmr_tw.stored import ApiKey
from dsmr_tw.web import Web
from tests.arrivals import NOON
from tests.describing import complaint

V1 = "/api/v1/datalogger/dsmrreading"
READINGS = "/api/v2/datalogger/dsmrreading"
KEY = "a-key-that-may-do-everything"

EXAMPLE = {
    "timestamp": "2017-04-15T00:00:00+02",
    "electricity_currently_delivered": "1.500",
    "electricity_currently_returned": "0.025",
    "electricity_delivered_1": "2000",
    "electricity_delivered_2": "3000",
    "electricity_returned_1": "0",
    "electricity_returned_2": "0",
}
"""A reading as it may be posted."""


@frozen
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        """The body as a value."""
        assert self.headers["Content-Type"] == "application/json", self
        return json.loads(self.body)


@implementer(IHealth)
@define
class SaidHealth:
    """Reports what a test says."""

    problems: list[str] = field(factory=list)
    sources: list[dict[str, object]] = field(factory=list)

    def report(self) -> dict[str, object]:
        """See ``IHealth``."""
        return {
            "status": "degraded" if self.problems else "ok",
            "problems": self.problems,
            "version": "1.2.3",
            "sources": self.sources,
            "store": {"last_commit_at": None},
        }


@define
class Work:
    """Does the store's work at once; while ``held`` it waits for ``release``, and with an ``error`` it fails."""

    error: Exception | None = None
    held: bool = False
    cancelled: int = 0
    """How much work was cancelled while it waited, by whoever waited for it."""
    _waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = field(factory=list)

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """The runner that a store takes."""
        if self.error is not None:
            return fail(self.error)
        if not self.held:
            return maybeDeferred(function, *arguments)
        done: Deferred[Any] = Deferred(self.count_cancelled)
        self._waiting.append((done, partial(function, *arguments)))
        return done

    def count_cancelled(self, done: Deferred[Any]) -> None:
        """Somebody does not want to wait any more."""
        self.cancelled += 1

    def forget(self, is_done: bool) -> None:
        """Nobody will ever know of what waits, be it done or not."""
        self.held = False
        while self._waiting:
            _, function = self._waiting.pop(0)
            if is_done:
                function()

    def release(self) -> None:
        """Do what waits, and from now on everything at once."""
        self.held = False
        while self._waiting:
            done, function = self._waiting.pop(0)
            maybeDeferred(function).chainDeferred(done)


@implementer(IIntake)
@define
class WatchedIntake:
    """An intake, and how often somebody cancelled what it had been asked for."""

    intake: IIntake
    cancelled: int = 0

    def take(self, arrivals: Sequence[Arrival]) -> Deferred[None]:
        """See ``IIntake``."""
        answer: Deferred[None] = Deferred(self.count_cancelled)
        self.intake.take(arrivals).chainDeferred(answer)
        return answer

    def submit(self, arrivals: Sequence[Arrival]) -> Deferred[list[Receipt]]:
        """See ``IIntake``."""
        answer: Deferred[list[Receipt]] = Deferred(self.count_cancelled)
        self.intake.submit(arrivals).chainDeferred(answer)
        return answer

    def reject(self, origin: Origin, error: Exception) -> Deferred[None]:
        """See ``IIntake``."""
        return self.intake.reject(origin, error)

    def count_cancelled(self, answer: Deferred[Any]) -> None:
        """Somebody does not want to know any more."""
        self.cancelled += 1


@define
class Served:
    """The HTTP face, and what is behind it."""

    store: Any
    writing: Work
    reading: Work
    clock: Clock
    limits: Limits
    health: SaidHealth
    datalogger: Datalogger
    spool: Spool
    intake: WatchedIntake
    keys: KeyRing
    site: BoundedSite

    def hang_up(self, data: bytes) -> None:
        """Send bytes of one request, then hang up before anything of the store's work is done; then it is done."""
        self.writing.held = True
        channel, _ = self.channel()
        channel.dataReceived(data)
        channel.connectionLost(Failure(ConnectionError()))
        self.writing.release()

    def do(self, sql: str) -> None:
        """Change what is stored."""
        _result(self.store.database.write(lambda connection: connection.execute(sql) and None))

    def close(self) -> None:
        """Close the store, whatever was done to it."""
        self.writing.error = None
        self.writing.release()
        _result(self.datalogger.stopService())
        self.spool.close()
        _result(self.store.close())

    def channel(self, address: str = "192.0.2.7") -> tuple[BoundedChannel, StringTransport]:
        """A new connection from this address."""
        peer = IPv4Address("TCP", address, 50_000)
        channel = self.site.buildProtocol(peer)
        assert isinstance(channel, BoundedChannel), "there is no room"
        transport = Transport(peerAddress=peer)
        transport.protocol = channel
        channel.makeConnection(transport)
        return channel, transport

    def get(self, path: str, **arguments: Any) -> Answer:
        """Ask for a page."""
        return self.ask("GET", path, **arguments)

    def post(self, path: str, form: Mapping[str, object] | bytes | None = None, **arguments: Any) -> Answer:
        """Submit a form."""
        body = form if isinstance(form, bytes) else urlencode(form or {}).encode()
        arguments.setdefault("content_type", "application/x-www-form-urlencoded")
        return self.ask("POST", path, body, **arguments)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        key: str | None = KEY,
        content_type: str | None = None,
        address: str = "192.0.2.7",
        **headers: Any,
    ) -> Answer:
        """One request on a connection of its own; ``X_Received_At="…"`` sets a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Host": "meter.example:8080", **({"X-AUTHKEY": key} if key else {}), **named}
        if content_type:
            sent["Content-Type"] = content_type
        answer = self.send(request_bytes(method, path, sent, body), method, address)
        wrong = complaint(method, path, answer.status, answer.headers, answer.body)
        assert wrong is None, f"{method} {path} was not answered as the API describes it: {wrong}"
        return answer

    def send(self, data: bytes, method: str = "GET", address: str = "192.0.2.7") -> Answer:
        """Bytes of one request on a connection of its own."""
        channel, transport = self.channel(address)
        channel.dataReceived(data)
        answer = answer_of(transport.value(), method)
        channel.connectionLost(Failure(ConnectionError()))
        return answer

    def add_key(self, key: str, scope: str, meter_id: int | None = None) -> ApiKey:
        """A key beside the server's back, as the admin command makes one."""
        digest = sha256(key.encode()).digest()
        record: ApiKey = _result(self.store.keys.add(key, scope, digest, "", NOON, meter_id))
        return record


class Transport(StringTransport):
    """A transport that can also be cut."""

    aborted = False
    protocol: object = None

    def abortConnection(self) -> None:
        """Be cut."""
        self.aborted = True
        self.disconnecting = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed here."""


def serve(
    directory: str, settings: ApiSettings | None = None, keys_are_read: bool = True, url: str | None = None
) -> Served:
    """The HTTP face over an empty store in this directory, or at this URL, at noon of 2024-04-02."""
    clock = Clock()
    clock.advance(NOON / SECOND)
    settings = ApiSettings(enabled=True) if settings is None else settings
    path = Path(directory) / "dsmr.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    writing, reading = Work(), Work()
    store = store_at(url, path, "Europe/Amsterdam", writing, reading)
    _result(store.open())
    limits, live, health = Limits(), LiveValues(store.readings, clock), SaidHealth()
    spool = Spool(path.parent / SPOOL, maybeDeferred)
    spool.open()
    datalogger = Datalogger(store, clock, settings.zone, limits, spool, followers=(live.offer,))
    datalogger.startService()
    keys = KeyRing(store.keys, clock, FailedKeys(clock, limits, settings.proxies))
    intake = WatchedIntake(datalogger)
    meters = MeterBook(store.meters, clock, settings.local_timestamps)
    web = Web(settings, store, intake, live, health, keys, limits, clock, meters)
    served = Served(store, writing, reading, clock, limits, health, datalogger, spool, intake, keys, web.site(clock))
    if not _result(store.keys.all()):
        served.add_key(KEY, "admin")
    if keys_are_read:
        _result(keys.refresh())
    return served


class ServedCase(SynchronousTestCase):
    """A test of the HTTP face."""

    url: str | None = None
    """The database to use, instead of an SQLite file."""

    def serve(self, keys_are_read: bool = True, **settings: Any) -> Served:
        """The HTTP face over an empty store of its own, the API switched on."""
        served = serve(self.mktemp(), ApiSettings(**{"enabled": True, **settings}), keys_are_read, self.url)
        self.addCleanup(served.close)
        return served

    def setUp(self) -> None:
        """Serve with the settings that are usual."""
        self.served = self.serve()


def request_bytes(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A request as it is sent."""
    length = {"Content-Length": str(len(body))} if body or method in ("POST", "PUT", "PATCH") else {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, **length}.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def answer_of(data: bytes, method: str = "GET") -> Answer:
    """The first answer in these bytes."""
    assert data, "there is no answer"

    class Socket:
        def makefile(self, *arguments: object) -> BytesIO:
            return BytesIO(data)

    response = HTTPResponse(Socket(), method=method)  # type: ignore[arg-type]
    response.begin()
    body = response.read()
    return Answer(response.status, dict(response.getheaders()), body)


def _result(work: Deferred[Any]) -> Any:
    """The result of work that is done already."""
    results: list[Any] = []
    work.addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
