"""Tests of dsmr_tw.sinks.p1server on real sockets, and of the whole service with ``--p1-server``."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from json import loads
from pathlib import Path

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock, Cooperator
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dsmr_tw.demo import DemoMeter
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.telegram import RawTelegram, outcomes_in
from dsmr_tw.limits import Limits
from dsmr_tw.printed import PrintedSource
from dsmr_tw.sinks.p1server import P1Server
from tests.golden_telegrams import bodies, signed
from tests.live.running import PATIENCE_S, RunningServer

TEN_MINUTES = 600
START = 1_712_052_000
SERVING = re.compile(rb"--p1-server serves on tcp:127\.0\.0\.1:(\d+)")


def read(client: socket.socket, ends: int) -> bytes:
    """What comes until so many telegrams have ended; fewer if the other side hangs up."""
    client.settimeout(PATIENCE_S)
    data = b""
    while data.count(b"!") < ends:
        more = client.recv(65536)
        if not more:
            break
        data += more
    return data


def big(number: int) -> bytes:
    """A telegram of eight kilobytes."""
    return signed(b"/TST5\\big\r\n\r\n1-0:1.8.1(%06d.000*kWh)\r\n0-0:96.13.0(%s)\r\n!" % (number, b"41" * 4000))


@define
class Port:
    """A server on a port of its own, whose clock the test moves."""

    clock: Clock = field(factory=Clock)
    limits: Limits = field(factory=Limits)
    server: P1Server = field(init=False)
    port: IListeningPort = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(START)
        self.server = P1Server(self.clock, self.limits)
        self.port = reactor.listenTCP(0, self.server, interface="127.0.0.1")

    def connect(self, receive_bytes: int | None = None) -> socket.socket:
        """A client that lets so much wait unread."""
        address = self.port.getHost()
        assert isinstance(address, IPv4Address)
        client = socket.socket()
        if receive_bytes is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.connect(("127.0.0.1", address.port))
        return client

    def offer(self, data: bytes) -> None:
        """Let a meter print a telegram."""
        [raw] = outcomes_in(data)
        assert isinstance(raw, RawTelegram)
        self.server.offer(raw, START * SECOND, Origin("meter"))


class SocketTests(TestCase):
    """Real clients."""

    def setUp(self) -> None:
        """A server on a port."""
        self.at = Port()
        self.addCleanup(self.at.port.stopListening)
        self.turns = Cooperator(terminationPredicateFactory=lambda: lambda: True)

    def connected(self, clients: int) -> Iterator[None]:
        """Turns of the reactor until so many clients are there."""
        end = time.monotonic() + PATIENCE_S
        while self.at.server.clients != clients:
            assert time.monotonic() < end, self.at.server.clients
            yield

    async def test_ten_minutes(self) -> None:
        """Six hundred telegrams, one a second, come over one connection, each once, whole and with its CRC."""
        source = PrintedSource(
            origin=Origin("demo"),
            clock=self.at.clock,
            on_telegram=lambda raw, received_at, origin: TelegramParser().parse(raw),
            on_error=lambda origin, error: None,
            on_wire=self.at.server.offer,
            produce=DemoMeter(1, MeterZone("Europe/Amsterdam")).telegram,
        )
        source.startService()
        self.addCleanup(source.stopService)
        client = self.at.connect()
        self.addCleanup(client.close)
        client.setblocking(False)
        await self.turns.coiterate(self.connected(1))
        heard = bytearray()

        def passing() -> Iterator[None]:
            end = time.monotonic() + PATIENCE_S
            for second in range(1, TEN_MINUTES + 1):
                self.at.clock.advance(1)
                while heard.count(b"\r\n!") < second:
                    yield
                    assert time.monotonic() < end, second
                    with contextlib.suppress(BlockingIOError):
                        heard.extend(client.recv(65536))

        await self.turns.coiterate(passing())
        outcomes = outcomes_in(bytes(heard))
        self.assertEqual(len(set(bodies(outcomes))), TEN_MINUTES)
        self.assertEqual((len(outcomes), self.at.server.clients), (TEN_MINUTES, 1))

    async def test_five_of_fifty_never_read(self) -> None:
        """They are dropped, with what waited for them, and the others get every telegram."""
        readers = [self.at.connect() for _ in range(45)]
        idlers = [self.at.connect(receive_bytes=4096) for _ in range(5)]
        for client in (*readers, *idlers):
            self.addCleanup(client.close)
            client.setblocking(False)
        await self.turns.coiterate(self.connected(50))
        got = dict.fromkeys(readers, b"")
        telegrams = [big(number) for number in range(60)]

        def printing() -> Iterator[None]:
            for data in telegrams:
                self.at.offer(data)
                yield
                yield from reading(len(data))

        def reading(size: int) -> Iterator[None]:
            wanted = {client: len(data) + size for client, data in got.items()}
            end = time.monotonic() + PATIENCE_S
            while behind := [client for client in readers if len(got[client]) < wanted[client]]:
                assert time.monotonic() < end, len(behind)
                for client in behind:
                    try:
                        got[client] += client.recv(65536)
                    except BlockingIOError:
                        continue
                yield

        await self.turns.coiterate(printing())
        self.assertEqual(set(got.values()), {b"".join(telegrams)})
        self.assertEqual((self.at.server.clients, self.at.limits.hits["p1_unread_bytes"]), (45, 5))


class WholeServiceTests(SynchronousTestCase):
    """``twistd dsmr --p1-server``."""

    def test_another_server_reads_it(self) -> None:
        """A second dsmr_tw, and a program of anybody's, read the meter of the first; both servers stop cleanly."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        first = RunningServer(folder / "first", ("--demo", "--p1-server", "tcp:0:interface=127.0.0.1")).start()
        self.addCleanup(first.process.kill)
        port = int(first.wait_for(SERVING)[1])
        second = RunningServer(folder / "second", ("--device", f"tcp:127.0.0.1:{port}")).start()
        self.addCleanup(second.process.kill)
        second.wait_for(re.compile(rb"telegrams come"))
        with socket.create_connection(("127.0.0.1", port)) as client:
            outcomes = outcomes_in(read(client, 2))
            self.assertEqual(len(bodies(outcomes)), 2)
            served = self.health(first.port)["p1_server"]
            self.assertEqual(served["clients"], 2)
            self.assertGreaterEqual(served["telegrams"], 2)
        self.assertTrue(first.stop(), bytes(first.log))
        self.assertTrue(second.stop(), bytes(second.log))

    def health(self, port: int) -> dict[str, dict[str, int]]:
        """What a server says about itself."""
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self.addCleanup(connection.close)
        connection.request("GET", "/health")
        health: dict[str, dict[str, int]] = loads(connection.getresponse().read())
        return health
